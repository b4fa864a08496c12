// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"fmt"
	"net/http"
	"time"

	"tokenrequest.dev/operator/test/stssim"
)

// The instants of an answer's Date and Retry-After, of which only the distance counts.
const (
	answeredAt  = "Sat, 21 Nov 2026 12:00:00 GMT"
	soonAfter   = "Sat, 21 Nov 2026 12:01:30 GMT"
	beforeThat  = "Sat, 21 Nov 2026 11:00:00 GMT"
	inTenYears  = "Sat, 21 Nov 2036 12:00:00 GMT"
	longestWait = time.Hour
)

// throttleRows are 429 and Retry-After in sense and nonsense.
var throttleRows = []row{
	limited("429 with Retry-After in seconds", "Retry-After: 30", 30*time.Second, stssim.Action{RetryAfter: "30"}),
	limited("429 with Retry-After as a date", "a Retry-After 90 seconds after its Date", 90*time.Second, dated(soonAfter)),
	limited("429 without Retry-After", "no Retry-After", throttled, stssim.Action{}),
	limited("429 with Retry-After of 0", "Retry-After: 0", throttled, stssim.Action{RetryAfter: "0"}),
	limited("429 with a negative Retry-After", "Retry-After: -5", throttled, stssim.Action{RetryAfter: "-5"}),
	limited("429 with a fractional Retry-After", "Retry-After: 1.5", throttled, stssim.Action{RetryAfter: "1.5"}),
	limited("429 with garbage for Retry-After", "Retry-After: soon", throttled, stssim.Action{RetryAfter: "soon"}),
	limited("429 with a Retry-After in the past", "a Retry-After an hour before its Date", throttled, dated(beforeThat)),
	limited("429 with a Retry-After of ten years", "Retry-After: 315360000", longestWait, stssim.Action{RetryAfter: "315360000"}),
	limited("429 with a Retry-After in ten years", "a Retry-After ten years after its Date", longestWait, dated(inTenYears)),
	{
		name: "429 with an OAuth error", does: "The STS answers 429 with the JSON of `invalid_request` and Retry-After: 30.",
		act:   stssim.Action{Status: http.StatusTooManyRequests, Error: &stssim.ErrorBody{Error: "invalid_request", Description: "Slow down"}, RetryAfter: "30"},
		calls: 1, wait: 30 * time.Second,
	}, {
		name: "400 with Retry-After", does: "The STS answers 400 `invalid_scope` with Retry-After: 120.",
		act:   stssim.Action{Error: &stssim.ErrorBody{Error: "invalid_scope", Description: "No such scope"}, RetryAfter: "120"},
		calls: 1, wait: 2 * time.Minute,
	}, {
		name: "400 with a Retry-After shorter than a refusal's own wait", does: "The STS answers 400 `invalid_scope` with Retry-After: 2.",
		act:   stssim.Action{Error: &stssim.ErrorBody{Error: "invalid_scope", Description: "No such scope"}, RetryAfter: "2"},
		calls: 1, wait: refused,
	}, {
		name: "503 with Retry-After", does: "The STS answers 503 in HTML with Retry-After: 45.",
		act:   stssim.Action{Status: http.StatusServiceUnavailable, Body: maintenancePage, ContentType: "text/html", RetryAfter: "45"},
		calls: 1, wait: 45 * time.Second,
	}, {
		name: "403 in plain text with Retry-After", does: "A firewall answers 403 in plain text with Retry-After: 45.",
		act:   stssim.Action{Status: http.StatusForbidden, Body: "Rate limit exceeded", ContentType: "text/plain", RetryAfter: "45"},
		calls: 1, wait: 45 * time.Second,
	},
}

// limited is a 429 as Entra gives it to client credentials: in plain text.
func limited(name, said string, wait time.Duration, act stssim.Action) row {
	act.Status, act.Body, act.ContentType = http.StatusTooManyRequests, "Too Many Requests", "text/plain; charset=utf-8"
	return row{name: name, does: fmt.Sprintf("The STS answers 429 in plain text with %s.", said), act: act, calls: 1, wait: wait}
}

func dated(retryAfter string) stssim.Action {
	return stssim.Action{RetryAfter: retryAfter, Headers: map[string]string{"Date": answeredAt}}
}
