// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

import (
	"net/http"
	"slices"
	"strings"
)

// Challenge is one challenge of a WWW-Authenticate field (RFC 9110 section
// 11.6.1).
type Challenge struct {
	// Scheme is the authentication scheme, such as "Bearer".
	Scheme string
	// Parameters are the auth-params by their names in lower case; nil for none,
	// as where the scheme has a token68. Of a name that stands twice the first
	// value counts.
	Parameters map[string]string
}

// ParseChallenges returns the challenges of all WWW-Authenticate fields of h in
// their order. A field may hold several challenges, a challenge any number of
// parameters in any order, and a quoted value the comma that separates them.
// Spaces count as separators too, because services write them where a comma
// belongs. What can't be read is left out. At most 8 KiB are looked at.
func ParseChallenges(h http.Header) []Challenge {
	text := strings.Join(h.Values("WWW-Authenticate"), ", ")
	s := scanner{rest: text[:min(len(text), maxExamined)]}
	var found []Challenge
	for {
		s.skip(" \t,")
		word := s.token()
		switch {
		case s.rest == "" && word == "":
			return found
		case word == "":
			s.rest = s.rest[1:] // no token, no separator: garbage
		case s.assigns():
			value := s.value()
			if last := len(found) - 1; last >= 0 {
				found[last].add(strings.ToLower(word), value)
			}
		default:
			found = append(found, Challenge{Scheme: word})
			s.skipToken68()
		}
	}
}

func (c *Challenge) add(name, value string) {
	if c.Parameters == nil {
		c.Parameters = map[string]string{}
	}
	if _, said := c.Parameters[name]; !said {
		c.Parameters[name] = value
	}
}

// challenging are the statuses that RFC 6750 section 3.1 has a challenge explain.
var challenging = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden}

// readChallenge takes over what a WWW-Authenticate field says of a refusal that
// the body doesn't explain. The names are those of RFC 6750 section 3, which
// gateways before a token service answer with, and Entra's claims.
func (e *Error) readChallenge(h http.Header) {
	if e.Code != "" || !slices.Contains(challenging, e.HTTPStatus) {
		return
	}
	challenges := ParseChallenges(h)
	i := slices.IndexFunc(challenges, func(c Challenge) bool { return c.Parameters["error"] != "" })
	if i < 0 {
		return
	}
	said := challenges[i].Parameters
	e.Code = line(said["error"], maxExamined)
	e.ErrorURI = said["error_uri"]
	e.describe(said["error_description"])
	if claims, ok := DecodeClaims(said["claims"]); ok {
		e.Claims = claims
	}
}

// scanner reads a field value from its front.
type scanner struct{ rest string }

// tokenMarks are the characters of a token besides letters and digits (RFC 9110
// section 5.6.2).
const tokenMarks = "!#$%&'*+-.^_`|~"

func inToken(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(tokenMarks, r)
}

func (s *scanner) skip(characters string) { s.rest = strings.TrimLeft(s.rest, characters) }

// until takes what stands before the first character that ends it.
func (s *scanner) until(ends func(rune) bool) string {
	end := strings.IndexFunc(s.rest, ends)
	if end < 0 {
		end = len(s.rest)
	}
	taken := s.rest[:end]
	s.rest = s.rest[end:]
	return taken
}

// token takes the longest token at the front; "" when there is none.
func (s *scanner) token() string {
	return s.until(func(r rune) bool { return !inToken(r) })
}

// assigns takes an equals sign that makes the token before it the name of a
// parameter. White space around it is allowed, though nobody should write it.
func (s *scanner) assigns() bool {
	after := strings.TrimLeft(s.rest, " \t")
	if !strings.HasPrefix(after, "=") {
		return false
	}
	s.rest = strings.TrimLeft(after[1:], " \t")
	return true
}

// value takes a parameter's value: a token or a quoted string. An unquoted value
// ends at a comma or a space only, because Entra's base64 stands without quotes
// at times.
func (s *scanner) value() string {
	if strings.HasPrefix(s.rest, `"`) {
		return s.quotedString()
	}
	return s.until(func(r rune) bool { return strings.ContainsRune(" \t,", r) })
}

// quotedString takes a quoted string without its quotes and escapes. One that
// doesn't end is taken to the end.
func (s *scanner) quotedString() string {
	var value strings.Builder
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			s.rest = s.rest[i+1:]
			return value.String()
		case c == '\\' && i+1 < len(s.rest):
			i++
			value.WriteByte(s.rest[i])
		default:
			value.WriteByte(c)
		}
	}
	s.rest = ""
	return value.String()
}

// skipToken68 skips what a scheme may have in place of parameters, such as the
// base64 of Negotiate: a word that a comma or the end follows.
func (s *scanner) skipToken68() {
	after := strings.TrimLeft(s.rest, " \t")
	end := strings.IndexFunc(after, func(r rune) bool { return !inToken(r) && r != '/' })
	if end <= 0 {
		return
	}
	behind := strings.TrimLeft(strings.TrimLeft(after[end:], "="), " \t")
	if behind == "" || strings.HasPrefix(behind, ",") {
		s.rest = behind
	}
}
