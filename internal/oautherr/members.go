// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
)

// utf8BOM may precede JSON from servers that write through a text layer; RFC
// 8259 section 8.1 lets a parser ignore it.
var utf8BOM = []byte("\xef\xbb\xbf")

// whitelist names the members that are read. Tokens are among them only to be
// redacted from the others.
var whitelist = []string{
	"error", "error_description", "error_codes", "error_uri", "suberror", "claims",
	"correlation_id", "trace_id", "timestamp",
	"access_token", "refresh_token", "id_token", "device_code",
}

// members are the whitelisted top-level members of a body by their exact name.
// Of a name that stands twice the first value that is not null counts; RFC 8259
// section 4 leaves that open, and a server that says `error` twice gets no third
// meaning.
type members map[string]json.RawMessage

// readMembers returns the members of body when it is one JSON object and
// nothing else. It does not decode into a struct, because encoding/json would
// take "Error" for "error" and the last of two values.
func readMembers(body []byte) (members, bool) {
	decoder := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, utf8BOM)))
	if opening, err := decoder.Token(); err != nil || opening != json.Delim('{') {
		return nil, false
	}
	found := members{}
	for decoder.More() {
		key, err := decoder.Token()
		name, isName := key.(string)
		var value json.RawMessage
		if err != nil || !isName || decoder.Decode(&value) != nil {
			return nil, false
		}
		_, repeated := found[name]
		if !repeated && slices.Contains(whitelist, name) && string(value) != "null" {
			found[name] = value
		}
	}
	if _, err := decoder.Token(); err != nil { // the closing brace
		return nil, false
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, false
	}
	return found, true
}

// text returns the member name when it is a string, else "". A string that is
// longer than anything of use is cut, so that no later step works on a megabyte.
func (m members) text(name string) string {
	var s string
	if json.Unmarshal(m[name], &s) != nil {
		return ""
	}
	return s[:min(len(s), maxExamined)]
}

// numbers returns the member name as integers. Entra documents a list of
// numbers, MSAL.NET reads a list of strings; either may come alone. What is no
// integer is left out.
func (m members) numbers(name string) []int64 {
	var raws []json.RawMessage
	if json.Unmarshal(m[name], &raws) != nil {
		raws = []json.RawMessage{m[name]}
	}
	var numbers []int64
	for _, raw := range raws {
		if n, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// secrets returns what the body itself marks as secret, so that a description
// that quotes it can be redacted.
func (m members) secrets() []string {
	var found []string
	for _, name := range []string{"access_token", "refresh_token", "id_token", "device_code"} {
		found = append(found, m.text(name))
	}
	return slices.DeleteFunc(found, func(s string) bool { return s == "" })
}
