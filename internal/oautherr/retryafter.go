// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxRetryAfter bounds what a server can ask for, as MSAL Python and MSAL.NET
// bound it, so that "Retry-After: 315360000" does not end refreshes for ten years.
const MaxRetryAfter = time.Hour

// ParseRetryAfter returns how long the Retry-After field of h asks to wait from
// the arrival of the answer: whole seconds, rounded up, at most MaxRetryAfter.
// It reads delay-seconds and HTTP-dates (RFC 9110 section 10.2.3). A date is
// taken relative to the answer's own Date, so that a clock that differs from
// ours costs nothing, and relative to now when there is no usable Date.
//
// Zero, negative and fractional numbers, past dates and garbage count as absent:
// a 429 with "Retry-After: 0" must not mean no wait at all. A number of digits
// too large to represent is a long wait, not garbage. Of several fields the
// longest wait counts, since a proxy may add its own.
func ParseRetryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	var longest time.Duration
	for _, value := range h.Values("Retry-After") {
		longest = max(longest, retryDelay(strings.Trim(value, " \t"), h, now))
	}
	return longest, longest > 0
}

func retryDelay(value string, h http.Header, now time.Time) time.Duration {
	if value != "" && strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 32)
		if err != nil { // only digits, so it is out of range
			return MaxRetryAfter
		}
		return min(time.Duration(seconds)*time.Second, MaxRetryAfter)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	from := now
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		from = date
	}
	// Capped before it is rounded: Sub saturates, and the sum would overflow.
	wait := min(at.Sub(from), MaxRetryAfter)
	return (wait + time.Second - 1).Truncate(time.Second)
}
