// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package soak_test

import (
	"encoding/json"
	"strings"
	"time"

	"tokenrequest.dev/operator/test/stssim"
)

// answer is how the operator has to take what the STS did.
type answer int

const (
	granted     answer = iota // a token came all the same
	unavailable               // no usable answer: backoff from 5 s, doubled up to 5 min
	rated                     // a call for patience: Retry-After, else one minute
	refused                   // a definite no: one minute, doubled up to 10 min
)

// fault is one way for an STS to go wrong.
type fault struct {
	name   string
	taken  answer
	action stssim.Action
	told   time.Duration // what Retry-After says, as the operator may take it
	weight int           // how often it is dealt, against the others
	lasts  bool          // may be an episode of a whole tenant
}

// timeout is what every issuer gives a call.
const timeout = 2 * time.Second

// faults are all that the simulator knows to do to a call. Each must be met in every run.
func faults() []fault {
	const long = stssim.Duration(4 * timeout)
	refusal := func(status int, code string) stssim.Action {
		return stssim.Action{Status: status, Error: &stssim.ErrorBody{Error: code, Description: "soaked"}}
	}
	body := func(text, kind string) stssim.Action {
		return stssim.Action{Status: 200, Body: text, ContentType: kind}
	}
	set := func(member, value string) stssim.Action {
		return stssim.Action{Set: map[string]json.RawMessage{member: json.RawMessage(value)}}
	}
	return []fault{
		{"500", unavailable, stssim.Action{Status: 500}, 0, 3, true},
		{"502 as a proxy says it", unavailable, stssim.Action{Status: 502, Body: "<html>Bad Gateway</html>", ContentType: "text/html"}, 0, 3, true},
		{"503", unavailable, stssim.Action{Status: 503}, 0, 3, true},
		{"503 with Retry-After", rated, stssim.Action{Status: 503, RetryAfter: "3"}, 3 * time.Second, 2, true},
		{"503 with a date", rated, stssim.Action{Status: 503, RetryAfterDate: stssim.Duration(4 * time.Second)}, 5 * time.Second, 2, true},
		{"503 with nonsense as Retry-After", unavailable, stssim.Action{Status: 503, RetryAfter: "soon"}, 0, 2, false},
		{"504 after a while", unavailable, stssim.Action{Status: 504, Latency: stssim.Duration(timeout / 4)}, 0, 2, true},
		{"429 with seconds", rated, stssim.Action{Status: 429, Body: "Too Many Requests", ContentType: "text/plain", RetryAfter: "4"}, 4 * time.Second, 3, true},
		{"429 with a date", rated, stssim.Action{Status: 429, RetryAfterDate: stssim.Duration(5 * time.Second)}, 6 * time.Second, 2, true},
		{"429 without a header", rated, stssim.Action{Status: 429}, 0, 1, false},
		{"429 with a date of the past", rated, stssim.Action{Status: 429, RetryAfterDate: -long}, 0, 1, false},

		{"garbage", unavailable, body("\x00\xff{]", "application/json"), 0, 2, true},
		{"JSON cut short", unavailable, body(`{"access_token":"eyJ`, "application/json"), 0, 2, true},
		{"nothing", unavailable, stssim.Action{Status: 200}, 0, 2, true},
		{"null", unavailable, body("null", "application/json"), 0, 2, false},
		{"a list", unavailable, body("[]", "application/json"), 0, 2, false},
		{"a page", unavailable, body("<html>Sign in</html>", "text/html"), 0, 2, true},
		{"half of the body", unavailable, stssim.Action{Truncate: true}, 0, 2, true},
		{"a body without end", unavailable, stssim.Action{Padding: 4 << 20}, 0, 1, false},
		{"another charset", unavailable, stssim.Action{ContentType: "application/json; charset=utf-16"}, 0, 1, false},
		{"compressed unasked", unavailable, stssim.Action{Gzip: true}, 0, 1, false},
		{"an error with status 200", refused, refusal(200, "invalid_request"), 0, 1, false},

		{"a reset connection", unavailable, stssim.Action{Reset: true}, 0, 3, true},
		{"silence beyond the timeout", unavailable, stssim.Action{Latency: long}, 0, 3, true},
		{"slow, but in time", granted, stssim.Action{Latency: stssim.Duration(timeout / 4)}, 0, 2, true},
		{"a redirect", unavailable, stssim.Action{Status: 307, Headers: map[string]string{"Location": "https://127.0.0.1:9/"}}, 0, 2, true},

		{"no token", unavailable, stssim.Action{Drop: []string{"access_token"}}, 0, 2, true},
		{"no token_type", unavailable, stssim.Action{Drop: []string{"token_type"}}, 0, 2, true},
		{"an empty token", unavailable, set("access_token", `""`), 0, 2, true},
		{"a token that is a number", unavailable, set("access_token", "12"), 0, 1, false},
		{"a token with a line break", unavailable, set("access_token", `"stssim\r\nSet-Cookie: a"`), 0, 2, true},
		{"a token with a NUL", unavailable, set("access_token", `"stssim\u0000"`), 0, 1, false},
		{"a token beyond ASCII", unavailable, set("access_token", `"st\u200bssim\u202e"`), 0, 1, false},
		{"a token beyond bounds", unavailable, set("access_token", `"`+strings.Repeat("a", 300<<10)+`"`), 0, 1, false},
		// Of these but the string the operator takes the JWT's own exp. A number that is merely a lie nobody can tell.
		{"no expires_in", granted, stssim.Action{Drop: []string{"expires_in"}}, 0, 2, false},
		{"expires_in null", granted, set("expires_in", "null"), 0, 1, false},
		{"expires_in a word", granted, set("expires_in", `"soon"`), 0, 1, false},
		{"expires_in a number in a string", granted, stssim.Action{Lifetime: stssim.Duration(20 * time.Second), Set: map[string]json.RawMessage{"expires_in": json.RawMessage(`"20"`)}}, 0, 1, false},
		{"expires_in absurd", granted, set("expires_in", "1e400"), 0, 1, false},
		{"expires_in negative", granted, set("expires_in", "-1"), 0, 1, false},
		{"refresh_in of one second", granted, set("refresh_in", "1"), 0, 1, false},
		{"a hostile scope", granted, set("scope", `"a\u0000\u202eb"`), 0, 1, false},

		{"invalid_client", refused, refusal(401, "invalid_client"), 0, 1, false},
		{"401 without a word", refused, stssim.Action{Status: 401}, 0, 1, false},
		{"invalid_grant", refused, refusal(400, "invalid_grant"), 0, 1, false},
		{"invalid_scope", refused, refusal(400, "invalid_scope"), 0, 1, false},
		{"slow_down", refused, refusal(400, "slow_down"), 0, 1, false},
		{"an error of no standard", refused, refusal(400, "out_of_coffee"), 0, 1, false},
		{"404", unavailable, stssim.Action{Status: 404}, 0, 1, false},
		{"temporarily_unavailable", unavailable, refusal(400, "temporarily_unavailable"), 0, 2, true},
		{"server_error", unavailable, refusal(400, "server_error"), 0, 2, true},
	}
}

// spoils says that the STS issues a token all the same, which nobody can use.
func (f fault) spoils() bool {
	a := f.action
	return f.taken != granted && a.Status == 0 && a.Error == nil && a.Body == "" && !a.Reset && a.Latency == 0
}

// hold is for how long a failure, the n-th in a row, lawfully keeps its request from asking again.
func (f fault) hold(n int) time.Duration {
	switch {
	case f.taken == granted:
		return 0
	case f.taken == refused:
		return max(f.told, doubled(time.Minute, 10*time.Minute, n))
	case f.told > 0:
		return f.told
	case f.taken == rated:
		return time.Minute
	default:
		return doubled(5*time.Second, 5*time.Minute, n)
	}
}

// doubled is first for the first in a row, doubled with each up to last.
func doubled(first, last time.Duration, n int) time.Duration {
	window := first
	for i := 1; i < n && window < last; i++ {
		window *= 2
	}
	return min(window, last)
}
