// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// refusal is an encoder's own error, which quotes nothing that it was given.
type refusal string

func (r refusal) Error() string { return string(r) }

const errTooLong = refusal("makes more than 64 KiB")

// base64Encoded is of RFC 4648, section 4.
func base64Encoded(s string) (string, error) {
	return base64.StdEncoding.EncodeToString([]byte(s)), nil
}

// jsonString is a JSON string with its quotes, which is one of YAML as well. Go's escapes for HTML would
// be right too, but nobody expects them.
func jsonString(s string) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return "", refusal("can't write what json is given")
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// percentEncoded leaves RFC 3986's unreserved characters (section 2.3) and encodes every other byte, so
// that the text can stand in each part of a URL. net/url has no such function: PathEscape leaves '@',
// ':' and '&', and QueryEscape makes '+' of a space.
func percentEncoded(s string) (string, error) {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; alphanumeric(c) || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String(), nil
}

// Characters that all readers of a format take as they are, beside letters and digits. For others there
// is no one spelling: Go's netrc reader knows no quotes and curl's does; Docker takes the quotes of an env
// file for part of the value, and a shell takes them away. The tokens of Entra and most others, and every
// JWT, have none but these.
const (
	netrcPlain = "-._~+/=:,;!$%&*@^|()[]{}<>?"
	envPlain   = "-._~+/=:,%@^"
)

// plainIn refuses a text that isn't made of plain characters.
func plainIn(function, plain string) func(string) (string, error) {
	return func(s string) (string, error) {
		for i := range len(s) {
			if c := s[i]; !alphanumeric(c) && strings.IndexByte(plain, c) < 0 {
				return "", disputed(function)
			}
		}
		if s == "" {
			return "", refusal(fmt.Sprintf("can't write what %s is given: it is empty, and such a file has no empty value", function))
		}
		return s, nil
	}
}

// environmentValue refuses a tilde where a shell puts a home directory for it: at the beginning of what is
// assigned, and after a colon (POSIX.1-2024, Shell & Utilities 2.6.1).
func environmentValue(s string) (string, error) {
	if strings.HasPrefix(s, "~") || strings.Contains(s, ":~") {
		return "", disputed("env")
	}
	return plainIn("env", envPlain)(s)
}

func disputed(function string) refusal {
	return refusal(fmt.Sprintf("can't write what %s is given: readers of such a file don't agree on one of its characters", function))
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
