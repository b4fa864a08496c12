// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package throttle_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/throttle"
)

const never = time.Duration(-1)

func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func request() throttle.Request {
	return throttle.Request{
		Domain: "ns/payments", Endpoint: "https://login.example/token", ClientID: "client", Scopes: []string{"read", "write"},
		Trust: "trust", Credential: "uid/1", Account: "alice", Claims: "{}", Inputs: "inputs",
	}
}

func newCache() *throttle.Dated[string] { return throttle.NewDated[string](throttle.Limits{}) }

// opensAfter returns how long after start the gate opens for r, or never when it is open at now.
func opensAfter(c *throttle.Dated[string], r throttle.Request, now time.Time) time.Duration {
	v := c.Admit(r, now, false)
	if v.Open {
		return never
	}
	return v.Until.Sub(start())
}

// A gateway may put Retry-After on every answer: it holds for everybody, and doesn't make a refusal worth repeating sooner.
func TestARefusalWithRetryAfterShutsTwoGates(t *testing.T) {
	corrected := request()
	corrected.Credential = "corrected"
	for _, test := range []struct {
		name            string
		retryAfter      time.Duration
		same, corrected time.Duration // when each may ask
	}{
		{"a short one", 2 * time.Second, time.Minute, 2 * time.Second},
		{"a long one", 20 * time.Minute, 20 * time.Minute, 20 * time.Minute},
		{"none", 0, time.Minute, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCache()
			v := c.Remember(request(), throttle.Failure[string]{Kind: throttle.Refused, RetryAfter: test.retryAfter, Attempts: 3, Remember: "no"}, start())
			if v.Until.Before(start().Add(test.same)) || v.Attempts != 4 || v.Remembered != "no" {
				t.Errorf("the verdict is %+v", v)
			}
			for who, may := range map[string]struct {
				request throttle.Request
				after   time.Duration
			}{"the same request": {request(), v.Until.Sub(start())}, "a corrected one": {corrected, test.corrected}} {
				if may.after > 0 && c.Admit(may.request, start().Add(may.after-time.Second), false).Open {
					t.Errorf("%s may ask before %s", who, may.after)
				}
				if !c.Admit(may.request, start().Add(may.after), false).Open {
					t.Errorf("%s may not ask after %s", who, may.after)
				}
			}
		})
	}
	t.Run("behind a gate that holds for longer", func(t *testing.T) {
		c := newCache()
		c.Remember(request(), throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: time.Hour, Remember: "wait"}, start())
		v := c.Remember(request(), throttle.Failure[string]{Kind: throttle.Refused, RetryAfter: time.Second, Attempts: 2, Remember: "no"}, start())
		if v.Kind != throttle.Rate || v.Until.Sub(start()) != time.Hour || v.Attempts != 3 || v.Remembered != "no" {
			t.Errorf("the verdict is %+v", v)
		}
	})
}

func TestOneFailureShutsItsGateFor(t *testing.T) {
	tests := []struct {
		name    string
		failure throttle.Failure[string]
		want    time.Duration
	}{
		{"a 429 as long as Retry-After says", throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: 7 * time.Second}, 7 * time.Second},
		{"a 429 without Retry-After 60 s", throttle.Failure[string]{Kind: throttle.Rate}, 60 * time.Second},
		{"a 429 with a Retry-After of the past 60 s", throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: -3 * time.Second}, 60 * time.Second},
		{"a 429 with a Retry-After of ten years one hour", throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: 87600 * time.Hour}, time.Hour},
		{"a fourth 429 after a restart as long as Retry-After says", throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: time.Second, Attempts: 3}, time.Second},
		{"a tenth 429 after a restart 160 s", throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: time.Second, Attempts: 9}, 160 * time.Second},
		{"a tenth 429 without Retry-After 160 s", throttle.Failure[string]{Kind: throttle.Rate, Attempts: 9}, 160 * time.Second},
		{"a tenth 429 with a long Retry-After as long as it says", throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: 20 * time.Minute, Attempts: 9}, 20 * time.Minute},
		{"a 429 after a hand-edited count five minutes", throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: time.Second, Attempts: 1 << 62}, 5 * time.Minute},
		{"a 503 five seconds", throttle.Failure[string]{Kind: throttle.Unavailable}, 5 * time.Second},
		{"a 503 as long as Retry-After says", throttle.Failure[string]{Kind: throttle.Unavailable, RetryAfter: 90 * time.Second, Attempts: 3}, 90 * time.Second},
		{"a 503 with a Retry-After of a day one hour", throttle.Failure[string]{Kind: throttle.Unavailable, RetryAfter: 24 * time.Hour}, time.Hour},
		{"a third 503 after a restart 20 s", throttle.Failure[string]{Kind: throttle.Unavailable, Attempts: 2}, 20 * time.Second},
		{"a 503 after a hand-edited count five minutes", throttle.Failure[string]{Kind: throttle.Unavailable, Attempts: 1 << 62}, 5 * time.Minute},
		{"a 503 after a negative count five seconds", throttle.Failure[string]{Kind: throttle.Unavailable, Attempts: -5}, 5 * time.Second},
		{"a failure of no known kind five seconds", throttle.Failure[string]{Kind: "Strange"}, 5 * time.Second},
		{"a refusal one minute", throttle.Failure[string]{Kind: throttle.Refused}, time.Minute},
		{"a refusal with a short Retry-After one minute", throttle.Failure[string]{Kind: throttle.Refused, RetryAfter: time.Second}, time.Minute},
		{"a refusal with a long Retry-After as long as it says", throttle.Failure[string]{Kind: throttle.Refused, RetryAfter: 20 * time.Minute}, 20 * time.Minute},
		{"a refusal of a new credential five seconds", throttle.Failure[string]{Kind: throttle.Refused, Propagating: true}, 5 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newCache()
			shut := c.Remember(request(), test.failure, start())
			if got := shut.Until.Sub(start()); got != test.want || shut.Open {
				t.Errorf("gate shut for %v, want %v", got, test.want)
			}
			opens := start().Add(test.want)
			if c.Admit(request(), opens.Add(-1), false).Open {
				t.Error("open one instant early")
			}
			if !c.Admit(request(), opens, false).Open {
				t.Error("shut at its own instant")
			}
		})
	}
}

func TestAGateOpensOnAWholeSecondAndNeverEarly(t *testing.T) {
	for _, fraction := range []time.Duration{1, time.Millisecond, 999_999_999} {
		c := newCache()
		now := start().Add(fraction)
		v := c.Remember(request(), throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: 2 * time.Second}, now)
		if v.Until.Before(now.Add(2*time.Second)) || !v.Until.Before(now.Add(3*time.Second)) || v.Until.Nanosecond() != 0 {
			t.Errorf("asked at .%09d to wait 2 s, opens %v later", fraction, v.Until.Sub(now))
		}
		if v.Since.After(now) || v.Since.Nanosecond() != 0 {
			t.Errorf("shut since %v, asked at %v", v.Since, now)
		}
	}
}

func TestGatesGrowWithEveryFailureInARow(t *testing.T) {
	tests := []struct {
		name    string
		failure throttle.Failure[string]
		want    []time.Duration
	}{
		{"5xx double to five minutes", throttle.Failure[string]{Kind: throttle.Unavailable},
			[]time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 300 * time.Second, 300 * time.Second}},
		{"refusals double to ten minutes", throttle.Failure[string]{Kind: throttle.Refused},
			[]time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 10 * time.Minute, 10 * time.Minute}},
		{"refusals of a new credential double to one minute", throttle.Failure[string]{Kind: throttle.Refused, Propagating: true},
			[]time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, 60 * time.Second, 60 * time.Second}},
		{"429 do what Retry-After says four times, then double from five seconds to five minutes", throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: time.Second},
			[]time.Duration{time.Second, time.Second, time.Second, time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second,
				80 * time.Second, 160 * time.Second, 300 * time.Second, 300 * time.Second}},
		{"429 never come below Retry-After", throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: 30 * time.Second},
			[]time.Duration{30 * time.Second, 30 * time.Second, 30 * time.Second, 30 * time.Second, 30 * time.Second, 30 * time.Second, 30 * time.Second, 40 * time.Second}},
		{"429 that ask for long stay as they are", throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: 10 * time.Minute},
			slices.Repeat([]time.Duration{10 * time.Minute}, 20)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newCache()
			now := start()
			for i, want := range test.want {
				v := c.Remember(request(), test.failure, now)
				if got := v.Until.Sub(now); got != want || v.Attempts != i+1 {
					t.Fatalf("failure %d: attempts %d, shut for %v, want %v", i+1, v.Attempts, got, want)
				}
				// The next attempt comes when the gate has opened and those behind it are spread over another tenth.
				now = v.Until.Add(want / 10).Truncate(time.Second)
			}
		})
	}
}

// An honest service that throttles again and again gives tokens between, and is taken at its word each time.
func TestATokenEndsARowOf429(t *testing.T) {
	c := newCache()
	now := start()
	for round := range 20 {
		v := c.Remember(request(), throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: time.Second}, now)
		if got := v.Until.Sub(now); got != time.Second {
			t.Fatalf("round %d: shut for %v, want 1 s", round+1, got)
		}
		now = v.Until
		c.Succeeded(request(), now)
	}
}

// How often a request was refused says nothing of how often its client was asked to wait.
func TestARowOfRefusalsIsNoRowOf429(t *testing.T) {
	c := newCache()
	c.Remember(request(), throttle.Failure[string]{Kind: throttle.Refused, RetryAfter: time.Second, Attempts: 9}, start())
	if v := c.Admit(request(), start(), true); v.Open || v.Until.Sub(start()) != time.Second || v.Attempts != 1 {
		t.Errorf("rate gate %+v, want one of a second, the first in a row", v)
	}
}

func TestAFailureOfCallsThatWereOnTheirWayIsTheSameOutage(t *testing.T) {
	c := newCache()
	outage := throttle.Failure[string]{Kind: throttle.Unavailable}
	for range 100 {
		if v := c.Remember(request(), outage, start()); v.Attempts != 1 || v.Until.Sub(start()) != 5*time.Second {
			t.Fatalf("one of a hundred concurrent failures: attempts %d, shut for %v", v.Attempts, v.Until.Sub(start()))
		}
	}
}

func TestAShorterWaitNeverReplacesALongerOne(t *testing.T) {
	c := newCache()
	c.Remember(request(), throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: time.Minute, Remember: "long"}, start())
	v := c.Remember(request(), throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: time.Second, Remember: "short"}, start().Add(time.Second))
	want := throttle.Verdict[string]{Kind: throttle.Rate, Since: start(), Until: start().Add(time.Minute), Attempts: 1, Remembered: "long"}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
}

func TestACountIsForgottenSomeTimeAfterItsGateOpened(t *testing.T) {
	c := newCache()
	outage := throttle.Failure[string]{Kind: throttle.Unavailable}
	v := c.Remember(request(), outage, start())
	if got := c.Remember(request(), outage, v.Until.Add(14*time.Minute)).Attempts; got != 2 {
		t.Errorf("after 14 minutes: attempt %d, want the second", got)
	}
	v = c.Admit(request(), start().Add(14*time.Minute+5*time.Second), false)
	if got := c.Remember(request(), outage, v.Until.Add(15*time.Minute)).Attempts; got != 1 {
		t.Errorf("after 15 minutes: attempt %d, want the first", got)
	}
}

func TestSuccess(t *testing.T) {
	tests := []struct {
		name       string
		kind       throttle.Kind
		wantOpen   bool // at once
		wantGrowth int  // attempts of the next failure
	}{
		{"opens and resets an error gate", throttle.Unavailable, true, 1},
		{"opens and resets a negative entry", throttle.Refused, true, 1},
		{"leaves a rate gate shut", throttle.Rate, false, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newCache()
			failure := throttle.Failure[string]{Kind: test.kind}
			v := c.Remember(request(), failure, start())
			c.Succeeded(request(), start())
			if got := c.Admit(request(), start(), false).Open; got != test.wantOpen {
				t.Errorf("open at once: %v", got)
			}
			c.Succeeded(request(), v.Until)
			if got := c.Remember(request(), failure, v.Until).Attempts; got != test.wantGrowth {
				t.Errorf("next failure is attempt %d, want %d", got, test.wantGrowth)
			}
		})
	}
}

func TestAForcedRequest(t *testing.T) {
	for kind, want := range map[throttle.Kind]bool{throttle.Rate: false, throttle.Unavailable: true, throttle.Refused: true} {
		c := newCache()
		c.Remember(request(), throttle.Failure[string]{Kind: kind}, start())
		if got := c.Admit(request(), start(), true).Open; got != want {
			t.Errorf("behind a gate of kind %s it is admitted: %v, want %v", kind, got, want)
		}
	}
}

func TestOfSeveralGatesTheOneThatOpensLastAnswers(t *testing.T) {
	c := newCache()
	c.Remember(request(), throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: 30 * time.Second, Remember: "rate"}, start())
	c.Remember(request(), throttle.Failure[string]{Kind: throttle.Refused, Remember: "refused"}, start())
	c.Remember(request(), throttle.Failure[string]{Kind: throttle.Unavailable, Remember: "unavailable"}, start())
	want := throttle.Verdict[string]{Kind: throttle.Refused, Since: start(), Until: start().Add(time.Minute), Attempts: 1, Remembered: "refused"}
	if diff := cmp.Diff(want, c.Admit(request(), start(), false)); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(throttle.Verdict[string]{Open: true}, c.Admit(request(), start().Add(time.Minute), false)); diff != "" {
		t.Errorf("verdict of the open gate (-want +got):\n%s", diff)
	}
}

func TestWhichRequestsAGateHoldsBack(t *testing.T) {
	type gates struct{ Rate, Unavailable, Refused bool }
	tests := []struct {
		name string
		edit func(r *throttle.Request)
		want gates
	}{
		{"the same", func(*throttle.Request) {}, gates{true, true, true}},
		{"the same scopes in another order", func(r *throttle.Request) { r.Scopes = []string{"write", "read"} }, gates{true, true, true}},
		{"the same scopes, one twice", func(r *throttle.Request) { r.Scopes = []string{"write", "read", "write"} }, gates{true, true, true}},
		{"another domain", func(r *throttle.Request) { r.Domain = "ns/other" }, gates{}},
		{"another endpoint", func(r *throttle.Request) { r.Endpoint += "2" }, gates{}},
		{"another client", func(r *throttle.Request) { r.ClientID += "2" }, gates{}},
		{"other scopes", func(r *throttle.Request) { r.Scopes = []string{"read"} }, gates{}},
		{"no scopes", func(r *throttle.Request) { r.Scopes = nil }, gates{}},
		{"a rotated credential", func(r *throttle.Request) { r.Credential = "uid/2" }, gates{Rate: true}},
		{"another trust root", func(r *throttle.Request) { r.Trust = "" }, gates{Rate: true}},
		{"another user", func(r *throttle.Request) { r.Account = "bob" }, gates{Rate: true}},
		{"new claims", func(r *throttle.Request) { r.Claims = `{"access_token":{}}` }, gates{Rate: true}},
		{"no claims", func(r *throttle.Request) { r.Claims = "" }, gates{Rate: true}},
		{"other inputs", func(r *throttle.Request) { r.Inputs = "" }, gates{Rate: true, Unavailable: true}},
	}
	shut := func(kind throttle.Kind, r throttle.Request) bool {
		c := newCache()
		c.Remember(request(), throttle.Failure[string]{Kind: kind}, start())
		return !c.Admit(r, start(), false).Open
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := request()
			test.edit(&r)
			got := gates{shut(throttle.Rate, r), shut(throttle.Unavailable, r), shut(throttle.Refused, r)}
			if got != test.want {
				t.Errorf("held back: %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestTheCallersScopesAreLeftAsTheyAre(t *testing.T) {
	r := request()
	r.Scopes = []string{"write", "read", "write"}
	c := newCache()
	c.Remember(r, throttle.Failure[string]{Kind: throttle.Rate}, start())
	c.Admit(r, start(), false)
	if diff := cmp.Diff([]string{"write", "read", "write"}, r.Scopes); diff != "" {
		t.Errorf("scopes (-want +got):\n%s", diff)
	}
}

func TestTwoThrottledScopesThrottleTheirClient(t *testing.T) {
	scoped := func(scopes ...string) throttle.Request {
		r := request()
		r.Scopes = scopes
		return r
	}
	throttled := func(c *throttle.Dated[string], r throttle.Request, retryAfter, at time.Duration) {
		c.Remember(r, throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: retryAfter}, start().Add(at))
	}
	c := newCache()
	throttled(c, scoped("a"), 10*time.Second, 0)
	if got := opensAfter(c, scoped("c"), start()); got != never {
		t.Errorf("with one scope throttled, a third opens after %v", got)
	}
	throttled(c, scoped("b"), 30*time.Second, 0)
	for scope, want := range map[string]time.Duration{"a": 10 * time.Second, "b": 30 * time.Second, "c": 10 * time.Second} {
		if got := opensAfter(c, scoped(scope), start()); got != want {
			t.Errorf("with a and b throttled, %s opens after %v, want %v", scope, got, want)
		}
	}
	throttled(c, scoped("d"), 20*time.Second, 0)
	if got := opensAfter(c, scoped("a"), start()); got != 20*time.Second {
		t.Errorf("with b and d throttled longer, a opens after %v", got)
	}
	for what, edit := range map[string]func(r *throttle.Request){
		"domain":   func(r *throttle.Request) { r.Domain = "ns/other" },
		"endpoint": func(r *throttle.Request) { r.Endpoint = "https://other.example/token" },
		"client":   func(r *throttle.Request) { r.ClientID = "other" },
	} {
		other := scoped("c")
		edit(&other)
		if got := opensAfter(c, other, start()); got != never {
			t.Errorf("another %s is throttled too, until %v", what, got)
		}
	}
	if got := opensAfter(c, scoped("c"), start().Add(20*time.Second)); got != never {
		t.Errorf("with b alone still throttled, c opens after %v", got)
	}
}

func TestACacheIsSafeForConcurrentUse(t *testing.T) {
	c := throttle.NewDated[string](throttle.Limits{PerDomain: 8, Total: 32})
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 60 {
				r := request()
				r.Domain, r.ClientID = fmt.Sprint("ns/", worker%6), fmt.Sprint(i%20)
				now := start().Add(time.Duration(i) * time.Second)
				kind := []throttle.Kind{throttle.Rate, throttle.Unavailable, throttle.Refused}[i%3]
				if c.Admit(r, now, i%5 == 0).Open {
					c.Remember(r, throttle.Failure[string]{Kind: kind}, now)
				} else {
					c.Succeeded(r, now)
				}
				entries, _ := c.Snapshot(now)
				c.Restore(entries, now)
				if len(c.List(now)) > 3*32 {
					t.Error("more entries than the limit")
				}
			}
		})
	}
	all.Wait()
}

// ticking moves on by a second with each look. It isn't safe for concurrent use: whoever shares it has to read it in turn.
type ticking struct{ now time.Time }

func (c *ticking) Now() time.Time {
	c.now = c.now.Add(time.Second)
	return c.now
}

// A caller that read the clock and then waited long for its turn would look like a clock that was set back, and have all
// gates open earlier than their servers said.
func TestTheClockIsReadInTurn(t *testing.T) {
	clock := &ticking{now: start()}
	c := throttle.New[string](throttle.Limits{}, clock)
	shut := c.Remember(request(), throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: time.Hour, Remember: "wait"})
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			other := request()
			other.Domain = fmt.Sprint("ns/", worker)
			for range 60 {
				c.Remember(other, throttle.Failure[string]{Kind: throttle.Unavailable})
				if v := c.Admit(request(), true); v != shut {
					t.Errorf("the gate is %+v, and was %+v", v, shut)
				}
			}
		})
	}
	all.Wait()
	if looks := clock.now.Sub(start()); looks != (1+8*60*2)*time.Second {
		t.Errorf("%v looks at the clock", looks.Seconds())
	}
}

// By its monotonic reading no clock is ever set back.
func TestTheMonotonicReadingIsStripped(t *testing.T) {
	c := throttle.New[string](throttle.Limits{}, &wall{now: time.Now()})
	v := c.Remember(request(), throttle.Failure[string]{Kind: throttle.Rate})
	if text := v.Until.String() + c.Latest().String(); strings.Contains(text, "m=") {
		t.Errorf("kept: %s", text)
	}
}
