// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"
)

// object holds those members of a JSON object that somebody reads.
//
// It isn't a struct because encoding/json matches the fields of one without
// regard to case and lets the last of two equal members win, while the names
// here are case-sensitive (RFC 6749 section 1.9) and two different values for
// one of them leave no right one to choose.
type object map[string]json.RawMessage

// readObject reads the members with the given names from a body that is one
// JSON object. Its errors contain nothing of the body: those of encoding/json
// quote it (external-secrets#5884).
func readObject(body []byte, names ...string) (object, error) {
	// Some servers put a byte order mark before their JSON; RFC 8259 section 8.1
	// lets a parser ignore it.
	decoder := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, errNoObject
	}
	read := object{}
	for decoder.More() {
		key, err := decoder.Token()
		var value json.RawMessage
		if err != nil || decoder.Decode(&value) != nil {
			return nil, errNoObject
		}
		name, _ := key.(string)
		if !slices.Contains(names, name) {
			continue
		}
		if _, twice := read[name]; twice {
			return nil, errors.New("the body has the member " + name + " twice")
		}
		read[name] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, errNoObject
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errNoObject
	}
	return read, nil
}

var errNoObject = errors.New("the body is not one JSON object")

// text returns the member when it is a string.
func (o object) text(name string) (string, bool) {
	var s *string
	if json.Unmarshal(o[name], &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}

// texts returns the member when it is a list of strings.
func (o object) texts(name string) []string {
	var list []string
	if json.Unmarshal(o[name], &list) != nil {
		return nil
	}
	return list
}

// seconds returns the member as a duration of whole seconds, when it is a
// positive number or a string that contains one; anything else is zero.
func (o object) seconds(name string) time.Duration {
	var number json.Number // which reads a quoted number too
	if json.Unmarshal(o[name], &number) != nil {
		return 0
	}
	// The one error that is left is that of a number out of range: an infinity.
	s, _ := number.Float64()
	return time.Duration(max(min(s, maxLifetime.Seconds()), 0)) * time.Second
}
