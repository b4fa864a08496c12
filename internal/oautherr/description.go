// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

import (
	"regexp"
	"strconv"
	"strings"
)

const aadstsPrefix = "AADSTS"

var (
	aadstsNumber = regexp.MustCompile(aadstsPrefix + `([1-9]\d{3,9})(?:\D|$)`)
	// idTrailer begins what Entra appends to each description: on lines of their
	// own, or on the same line since 2022.
	idTrailer     = regexp.MustCompile(`(?i)\b(?:trace|correlation|request) ?id\s*:|\btimestamp\s*:`)
	traceID       = regexp.MustCompile(`(?i)\btrace id\s*:\s*([0-9a-z-]{8,64})`)
	correlationID = regexp.MustCompile(`(?i)\bcorrelation id\s*:\s*([0-9a-z-]{8,64})`)
	timestamp     = regexp.MustCompile(`(?i)\btimestamp\s*:\s*(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?Z)`)
	// instant is any date with a time: AADSTS700024 quotes the current one, which
	// would make each attempt's text differ.
	instant = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: ?Z| UTC|[+-]\d\d:?\d\d)?` +
		`|\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d\d(?::\d\d)?(?: [AP]M)?`)
)

// describe fills Description, Codes and the ids from an error_description; what
// members of their own already said stands.
func (e *Error) describe(text string) {
	if len(e.Codes) == 0 {
		if found := aadstsNumber.FindStringSubmatch(text); found != nil {
			n, _ := strconv.ParseInt(found[1], 10, 64) // at most ten digits: always in range
			e.Codes = []int64{n}
		}
	}
	for _, id := range []struct {
		field   *string
		pattern *regexp.Regexp
	}{{&e.TraceID, traceID}, {&e.CorrelationID, correlationID}, {&e.Timestamp, timestamp}} {
		if found := id.pattern.FindStringSubmatch(text); *id.field == "" && found != nil {
			*id.field = found[1]
		}
	}
	e.Description = firstLine(text)
}

// firstLine returns the first line of a description without what changes from
// attempt to attempt.
func firstLine(text string) string {
	text = strings.TrimSpace(text)
	if end := strings.IndexAny(text, "\r\n\v\f\u0085\u2028\u2029"); end >= 0 {
		text = text[:end]
	}
	if trailer := idTrailer.FindStringIndex(text); trailer != nil {
		text = text[:trailer[0]]
	}
	return instant.ReplaceAllString(text, "[time]")
}
