// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"tokenrequest.dev/operator/internal/oautherr"
)

// remembering says what an answer has the operator keep in mind.
type remembering int

const (
	// nothing: it was a token.
	nothing remembering = iota
	// aRateLimit: 429, or a Retry-After on anything but a token and a refusal.
	aRateLimit
	// anOutage: 5xx, timeouts, connections, what isn't OAuth.
	anOutage
	// aRefusal: 400, 401, 403. With a Retry-After it is a rate limit as well.
	aRefusal
)

// answer is what a token service says once, and what that obliges the operator to, as the table below has it and not as the
// operator reads it.
type answer struct {
	// name is the same for the same failure. It doesn't say how long to wait.
	name     string
	remember remembering
	// wait is how long a rate limit, or a refusal with a Retry-After, asks to be left alone.
	wait time.Duration
	// propagating refusals may end by themselves and are asked again soon.
	propagating bool

	// lifetime and refreshIn are of a token, in seconds; 0 is not said.
	lifetime, refreshIn time.Duration

	status int
	header http.Header
	body   string // %s stands for the ids of this one answer
	broken error  // no answer came
}

// err is the failure as the operator's own client would return it.
func (a answer) err(id string, now time.Time) *oautherr.Error {
	if a.broken != nil {
		e := oautherr.FromTransport(a.broken)
		e.CorrelationID = id
		return e
	}
	body := a.body
	if strings.Contains(body, "%s") {
		body = fmt.Sprintf(body, idsOf(id, now))
	}
	e := oautherr.FromResponse(oautherr.Response{Status: a.status, Header: a.header, Body: []byte(body)}, now)
	if e.CorrelationID == "" {
		e.CorrelationID = id
	}
	return e
}

// idsOf are the members with which Entra tells one answer from the next.
func idsOf(id string, now time.Time) string {
	stamp := now.UTC().Format("2006-01-02 15:04:05Z")
	return fmt.Sprintf(`Trace ID: %[1]s Correlation ID: %[1]s Timestamp: %[2]s","correlation_id":%[1]q,"trace_id":%[1]q,"timestamp":%[2]q`, id, stamp)
}

// waitUnsaid is how long a 429 holds that says nothing usable.
const waitUnsaid = time.Minute

// longestWait is the most that a Retry-After may ask for.
const longestWait = time.Hour

func token(lifetime, refreshIn time.Duration) answer {
	return answer{name: "a token", lifetime: lifetime, refreshIn: refreshIn}
}

func refused(status int, code string, number int) answer {
	description := "What happened. "
	if number != 0 {
		description = fmt.Sprintf("AADSTS%d: What happened. ", number)
	}
	return answer{
		name: fmt.Sprint("HTTP ", status, " ", code, " ", number), remember: aRefusal, status: status,
		body: fmt.Sprintf(`{"error":%q,"error_description":"%s%%s}`, code, description),
	}
}

func propagating(a answer) answer {
	a.propagating = true
	return a
}

func limited(status int, wait time.Duration, retryAfter ...string) answer {
	return answer{name: fmt.Sprint("HTTP ", status, ", a rate limit"), remember: aRateLimit, wait: wait, status: status,
		header: http.Header{"Retry-After": retryAfter}, body: "slow down"}
}

// until is a rate limit whose Retry-After is a date, by a server whose clock is hours off.
func until(wait time.Duration, off time.Duration) answer {
	date := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(off)
	a := limited(http.StatusTooManyRequests, wait, date.Add(wait).Format(http.TimeFormat))
	a.header.Set("Date", date.Format(http.TimeFormat))
	return a
}

func unusable(status int, body string) answer {
	return answer{name: fmt.Sprint("HTTP ", status, " ", body), remember: anOutage, status: status, body: body}
}

func cutOff(err error) answer {
	return answer{name: err.Error(), remember: anOutage, broken: err}
}

// timedOut is the answer of a service that gave none.
func timedOut() answer { return cutOff(context.DeadlineExceeded) }

func tokens() []answer {
	return []answer{
		token(0, 0), token(30*time.Second, 0), token(5*time.Minute, 0), token(time.Hour, 0), token(time.Hour, 20*time.Minute),
		token(24*time.Hour, 12*time.Hour), token(90*24*time.Hour, 0),
	}
}

func rateLimits() []answer {
	const status = http.StatusTooManyRequests
	return []answer{
		limited(status, time.Second, "1"), limited(status, 7*time.Second, "7"), limited(status, time.Minute, "60"),
		limited(status, 20*time.Minute, "1200"), limited(status, time.Hour, "3600"), limited(status, 2*time.Minute, "5", "120"),
		limited(status, waitUnsaid), limited(status, waitUnsaid, "0"), limited(status, waitUnsaid, "-5"), limited(status, waitUnsaid, "soon"),
		limited(status, longestWait, "86400"), limited(status, longestWait, "99999999999999999999"),
		until(45*time.Second, 0), until(3*time.Minute, -7*time.Hour), until(10*time.Minute, 30*time.Hour),
		limited(http.StatusServiceUnavailable, 40*time.Second, "40"), limited(http.StatusInternalServerError, 11*time.Second, "11"),
		numbered(90055, waitUnsaid), numbered(50196, 5*time.Minute), // which is a client that loops
		waiting(refused(http.StatusUnauthorized, "invalid_client", 7000222), time.Second),
		waiting(refused(http.StatusForbidden, "access_denied", 0), 90*time.Second),
		waiting(refused(http.StatusBadRequest, "invalid_scope", 0), 30*time.Minute),
	}
}

// numbered is a rate limit that Entra tells by a number alone.
func numbered(number int, wait time.Duration) answer {
	a := refused(http.StatusBadRequest, "invalid_grant", number)
	a.remember, a.wait = aRateLimit, wait
	return a
}

// waiting adds a Retry-After.
func waiting(a answer, wait time.Duration) answer {
	a.name, a.wait = a.name+", with a Retry-After", wait
	a.header = http.Header{"Retry-After": {fmt.Sprint(int(wait.Seconds()))}}
	return a
}

func outages() []answer {
	return []answer{
		unusable(http.StatusServiceUnavailable, ""), unusable(http.StatusServiceUnavailable, `{"error":"temporarily_unavailable"}`),
		unusable(http.StatusInternalServerError, `{"error":"server_error","error_description":"%s}`),
		unusable(http.StatusBadGateway, "<html>Bad gateway</html>"), unusable(http.StatusOK, "<html>Sign in</html>"),
		unusable(http.StatusOK, `{"access_token":`), unusable(http.StatusNotFound, "<html>Not here</html>"),
		timedOut(), cutOff(os.NewSyscallError("connect", syscall.ECONNREFUSED)), cutOff(os.NewSyscallError("read", syscall.ECONNRESET)),
		cutOff(&net.DNSError{Err: "no such host", Name: "sts.example", IsNotFound: true}), cutOff(io.ErrUnexpectedEOF),
	}
}

func refusals() []answer {
	return []answer{
		refused(http.StatusUnauthorized, "invalid_client", 0), refused(http.StatusUnauthorized, "invalid_client", 7000222),
		propagating(refused(http.StatusUnauthorized, "invalid_client", 7000215)),
		propagating(refused(http.StatusBadRequest, "unauthorized_client", 700016)),
		refused(http.StatusBadRequest, "invalid_scope", 0), refused(http.StatusForbidden, "access_denied", 0),
	}
}

// weather is how a token service is at times: the odds, in hundredths, of each sort of answer.
type weather struct {
	name                              string
	tokens, limits, outages, refusals int
}

func weathers() []weather {
	return []weather{
		{"fair", 85, 5, 5, 5}, {"throttling", 10, 85, 3, 2}, {"down", 5, 5, 85, 5}, {"refusing", 5, 5, 5, 85}, {"mixed", 25, 25, 25, 25},
	}
}

func (w weather) answer(random *rand.Rand) answer {
	n := random.IntN(w.tokens + w.limits + w.outages + w.refusals)
	for _, sort := range []struct {
		odds    int
		answers []answer
	}{{w.tokens, tokens()}, {w.limits, rateLimits()}, {w.outages, outages()}, {w.refusals, refusals()}} {
		if n < sort.odds {
			return one(random, sort.answers)
		}
		n -= sort.odds
	}
	panic("odds that add up to less than themselves")
}

// one of a list, at random.
func one[T any](random *rand.Rand, list []T) T { return list[random.IntN(len(list))] }
