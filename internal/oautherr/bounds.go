// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// What of an Error's fields fits into the API's schema.
const (
	maxCode        = 128
	maxDescription = 512
	maxIdentifier  = 64
	maxClaims      = 4096
	maxURI         = 512
	maxDetail      = 256
	maxCodes       = 8
	maxNumber      = 9_999_999_999 // the longest AADSTS numbers seen have eight digits
	maxStatus      = 999           // three digits, RFC 9110 section 15
)

// maxExamined bounds what is looked at of one member of a body. Entra's longest
// descriptions stay under 2 KiB, ids included.
const maxExamined = 8192

const ellipsis = "…"

// identifierText admits GUIDs and the like; brackets are for "[redacted]".
var identifierText = regexp.MustCompile(`^[A-Za-z0-9._:\[\]-]*$`)

// timestampText admits "2024-01-31 11:22:33Z" and RFC 3339.
var timestampText = regexp.MustCompile(`^[0-9TZ:.+ -]*$`)

// bound forces every field of e into its bounds. It is idempotent, so that a
// stored Error is restored unchanged.
func (e *Error) bound() {
	e.Code = line(e.Code, maxCode)
	e.Description = line(e.Description, maxDescription)
	e.Detail = line(e.Detail, maxDetail)
	e.Suberror = matching(identifierText, e.Suberror)
	e.CorrelationID = matching(identifierText, e.CorrelationID)
	e.TraceID = matching(identifierText, e.TraceID)
	e.Timestamp = matching(timestampText, e.Timestamp)
	e.Claims = boundClaims(e.Claims)
	e.ErrorURI = boundURI(e.ErrorURI)
	e.Codes = boundNumbers(e.Codes)
	e.HTTPStatus = min(max(e.HTTPStatus, 0), maxStatus)
	e.RetryAfter = min(max(e.RetryAfter, 0), MaxRetryAfter).Truncate(time.Second)
}

// line returns s as one line of printable text of at most limit bytes. Format
// characters go too: a right-to-left override makes a terminal lie.
func line(s string, limit int) string { return cut(strings.TrimSpace(visible(s)), limit) }

// visible returns s without what no reader sees.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r == utf8.RuneError, !unicode.IsGraphic(r), unicode.In(r, unicode.Zl, unicode.Zp):
			return -1
		default:
			return r
		}
	}, s)
}

// cut shortens s to at most limit bytes, between two runes.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit - len(ellipsis)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.TrimRight(s[:end], " ") + ellipsis
}

// matching returns s when it is short and of the expected characters. An
// identifier is dropped rather than cut, because half of one finds nothing.
func matching(expected *regexp.Regexp, s string) string {
	if len(s) > maxIdentifier || !expected.MatchString(s) {
		return ""
	}
	return s
}

// boundClaims returns the challenge without the white space between its members.
func boundClaims(s string) string {
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(s), &object) != nil || object == nil {
		return ""
	}
	var compact bytes.Buffer
	if json.Compact(&compact, []byte(s)) != nil || compact.Len() > maxClaims {
		return ""
	}
	if one := compact.String(); line(one, maxClaims) == one {
		return one
	}
	return ""
}

func boundURI(s string) string {
	u, err := url.Parse(s)
	if err != nil || len(s) > maxURI || line(s, maxURI) != s || u.User != nil || u.Host == "" {
		return ""
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return s
}

func boundNumbers(numbers []int64) []int64 {
	var kept []int64
	for _, n := range numbers {
		if n > 0 && n <= maxNumber && len(kept) < maxCodes && !slices.Contains(kept, n) {
			kept = append(kept, n)
		}
	}
	return kept
}
