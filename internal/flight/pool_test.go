// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package flight_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/flight"
)

// answer is what the calls of these tests return.
type answer struct {
	Text string
	Err  error
}

type ask = flight.Ask[string, string, answer]

// stepClock is a clock that moves when it is told to.
type stepClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *stepClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *stepClock) Step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// harness is a running pool, its clock and a record of what it did.
type harness struct {
	*flight.Pool[string, string, answer]
	clock *stepClock
	stop  context.CancelFunc
	ended chan error

	mu      sync.Mutex
	started []string
	woken   []string
	gates   map[string]chan answer
}

func roomy() flight.Limits {
	return flight.Limits{Total: 100, PerDomain: 100, PerService: 100, Keep: time.Minute, Unread: 100, Results: 100}
}

// idle returns a pool that doesn't run yet.
func idle(l flight.Limits) *harness {
	h := &harness{
		clock: &stepClock{now: time.Unix(1_800_000_000, 0)},
		ended: make(chan error, 1),
		gates: map[string]chan answer{},
	}
	h.Pool = flight.New[string, string, answer](l, h.clock, func(w string, _ time.Time) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.woken = append(h.woken, w)
	})
	return h
}

// running returns a pool that runs until the test ends.
func running(t *testing.T, l flight.Limits) *harness {
	t.Helper()
	h := idle(l)
	h.run(t)
	return h
}

func (h *harness) run(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	h.stop = stop
	go func() { h.ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		synctest.Wait()
	})
	synctest.Wait()
}

// asks makes one ask whose call hangs until the test lands it. The domain is
// what stands before the slash of the key, and the service what stands before a second one.
func (h *harness) asks(waiter, key string) (answer, flight.State) {
	domain, rest, _ := strings.Cut(key, "/")
	service, _, several := strings.Cut(rest, "/")
	if !several {
		service = ""
	}
	r, s := h.Ask(ask{Key: key, Domain: domain, Service: service, Waiter: waiter, Timeout: time.Hour, Do: h.call(key)})
	synctest.Wait()
	return r, s
}

// call returns a call that records its start and then hangs until the test
// lands it, or until its context ends.
func (h *harness) call(key string) func(context.Context) answer {
	return func(ctx context.Context) answer {
		gate := make(chan answer)
		h.mu.Lock()
		h.started = append(h.started, key)
		h.gates[key] = gate
		h.mu.Unlock()
		select {
		case a := <-gate:
			return a
		case <-ctx.Done():
			return answer{Err: ctx.Err()}
		}
	}
}

// lands lets the call under way for the key return the text.
func (h *harness) lands(key, text string) {
	h.mu.Lock()
	gate := h.gates[key]
	h.mu.Unlock()
	gate <- answer{Text: text}
	synctest.Wait()
}

// begun are the keys of the calls that have started, in their order.
func (h *harness) begun() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.started)
}

func (h *harness) wantStarted(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, h.begun()); diff != "" {
		t.Errorf("calls started (-want +got):\n%s", diff)
	}
}

func (h *harness) wantWoken(t *testing.T, want ...string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if diff := cmp.Diff(want, h.woken); diff != "" {
		t.Errorf("waiters woken (-want +got):\n%s", diff)
	}
}

// wantEmpty fails when the pool holds anything.
func (h *harness) wantEmpty(t *testing.T) {
	t.Helper()
	if diff := cmp.Diff(flight.Stats{Domains: map[string]flight.DomainStats{}}, h.Stats()); diff != "" {
		t.Errorf("stats of an empty pool (-want +got):\n%s", diff)
	}
}

// wants asks and expects the result; the empty text stands for Pending.
func (h *harness) wants(t *testing.T, waiter, key, want string) {
	t.Helper()
	got, state := h.asks(waiter, key)
	if want == "" {
		if state != flight.Pending || got != (answer{}) {
			t.Errorf("%s asking for %s: got %v in state %v, want nothing, pending", waiter, key, got, state)
		}
		return
	}
	if state != flight.Done || got.Text != want {
		t.Errorf("%s asking for %s: got %v in state %v, want %q, done", waiter, key, got, state, want)
	}
}

// wantCollected collects as w and expects the result; the empty text stands for
// Pending.
func (h *harness) wantCollected(t *testing.T, key, want string) {
	t.Helper()
	got, state := h.Collect(key, "w")
	if got.Text != want || (state == flight.Done) != (want != "") {
		t.Errorf("w collecting %s: got %v in state %v, want %q", key, got, state, want)
	}
}

func TestPoolDelivers(t *testing.T) {
	tests := map[string]func(*testing.T, *harness){
		"a waiter is pending, is woken once and then gets the result": func(t *testing.T, h *harness) {
			h.wants(t, "w", "a/k", "")
			h.wantWoken(t)
			h.lands("a/k", "token")
			h.wantWoken(t, "w")
			h.wants(t, "w", "a/k", "token")
			h.wantStarted(t, "a/k")
		},
		"one who has come by it meanwhile is spared the call": func(t *testing.T, h *harness) {
			_, state := h.Ask(ask{Key: "a/k", Domain: "a", Waiter: "w", Timeout: time.Hour, Do: h.call("a/k"), Spared: func() bool { return true }})
			synctest.Wait()
			if state != flight.Spared {
				t.Errorf("state %v, want spared", state)
			}
			h.wantStarted(t)
			h.wantEmpty(t)
		},
		"one who hasn't makes it": func(t *testing.T, h *harness) {
			h.Ask(ask{Key: "a/k", Domain: "a", Waiter: "w", Timeout: time.Hour, Do: h.call("a/k"), Spared: func() bool { return false }})
			synctest.Wait()
			h.lands("a/k", "token")
			h.wants(t, "w", "a/k", "token")
		},
		"one who joins isn't asked whether he needs it": func(t *testing.T, h *harness) {
			h.wants(t, "v", "a/k", "")
			h.Ask(ask{Key: "a/k", Domain: "a", Waiter: "w", Timeout: time.Hour, Do: h.call("a/k"), Spared: func() bool { return true }})
			h.lands("a/k", "token")
			h.wants(t, "w", "a/k", "token")
			h.wantStarted(t, "a/k")
		},
		"asking while the call is under way starts no second one": func(t *testing.T, h *harness) {
			h.wants(t, "w", "a/k", "")
			h.wants(t, "w", "a/k", "")
			h.lands("a/k", "token")
			h.wantWoken(t, "w")
			h.wantStarted(t, "a/k")
		},
		"a result stays the waiter's until it is released": func(t *testing.T, h *harness) {
			h.wants(t, "w", "a/k", "")
			h.lands("a/k", "token")
			h.wants(t, "w", "a/k", "token")
			h.wants(t, "w", "a/k", "token")
			h.Release("w")
			h.wants(t, "w", "a/k", "")
			h.wantStarted(t, "a/k", "a/k")
		},
		"all who ask for the same key share one call, and are woken in the order of their asks": func(t *testing.T, h *harness) {
			for _, w := range []string{"w3", "w1", "w2"} {
				h.wants(t, w, "a/k", "")
			}
			h.lands("a/k", "token")
			h.wantStarted(t, "a/k")
			h.wantWoken(t, "w3", "w1", "w2")
			for _, w := range []string{"w1", "w2", "w3"} {
				h.wants(t, w, "a/k", "token")
			}
		},
		"who asks after the landing gets a call of its own, not the result of others": func(t *testing.T, h *harness) {
			h.wants(t, "early", "a/k", "")
			h.lands("a/k", "first")
			h.wants(t, "late", "a/k", "")
			h.lands("a/k", "second")
			h.wants(t, "early", "a/k", "first")
			h.wants(t, "late", "a/k", "second")
			h.wantStarted(t, "a/k", "a/k")
		},
		"releasing one waiter leaves the result to the others": func(t *testing.T, h *harness) {
			h.wants(t, "w1", "a/k", "")
			h.wants(t, "w2", "a/k", "")
			h.lands("a/k", "token")
			h.Release("w1")
			h.wants(t, "w2", "a/k", "token")
		},
		"collecting starts nothing and joins nothing": func(t *testing.T, h *harness) {
			h.wantCollected(t, "a/k", "")
			h.wantEmpty(t)
			h.wants(t, "other", "a/k", "")
			h.wantCollected(t, "a/k", "")
			h.lands("a/k", "token")
			h.wantCollected(t, "a/k", "")
			h.wantWoken(t, "other")
		},
		"collecting gives the waiter its own result, until it is released": func(t *testing.T, h *harness) {
			h.wants(t, "w", "a/k", "")
			h.wantCollected(t, "a/k", "")
			h.lands("a/k", "token")
			h.wantCollected(t, "a/k", "token")
			h.wantCollected(t, "a/other", "")
			h.wantCollected(t, "a/k", "token")
			h.Release("w")
			h.wantCollected(t, "a/k", "")
		},
		"collecting after the time to keep it gives nothing": func(t *testing.T, h *harness) {
			h.wants(t, "w", "a/k", "")
			h.lands("a/k", "token")
			h.clock.Step(time.Minute)
			h.wantCollected(t, "a/k", "")
		},
		"releasing a stranger does nothing": func(t *testing.T, h *harness) {
			h.Release("nobody")
			h.wants(t, "w", "a/k", "")
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, running(t, roomy())) })
		})
	}
}

func TestPoolAbandons(t *testing.T) {
	tests := map[string]func(*testing.T, *harness){
		"a waiter that asks for another key is not woken for the first": func(t *testing.T, h *harness) {
			h.wants(t, "w", "a/old", "")
			h.wants(t, "w", "a/new", "")
			h.lands("a/old", "stale")
			h.wantWoken(t)
			h.lands("a/new", "fresh")
			h.wantWoken(t, "w")
			h.wants(t, "w", "a/new", "fresh")
		},
		"a waiter that asks for another key loses the result of the first": func(t *testing.T, h *harness) {
			h.wants(t, "w", "a/old", "")
			h.lands("a/old", "stale")
			h.wants(t, "w", "a/new", "")
			h.wants(t, "w", "a/old", "")
			h.wantStarted(t, "a/old", "a/new", "a/old")
		},
		"a waiter released during the call is not woken": func(t *testing.T, h *harness) {
			h.wants(t, "w", "a/k", "")
			h.Release("w")
			h.lands("a/k", "token")
			h.wantWoken(t)
		},
		"a call that all have left leaves nothing behind": func(t *testing.T, h *harness) {
			h.wants(t, "w", "a/k", "")
			h.Release("w")
			h.lands("a/k", "token")
			h.wantEmpty(t)
		},
		"a call that all have left goes on, and can be joined again": func(t *testing.T, h *harness) {
			h.wants(t, "w1", "a/k", "")
			h.Release("w1")
			h.wants(t, "w2", "a/k", "")
			h.lands("a/k", "token")
			h.wantStarted(t, "a/k")
			h.wants(t, "w2", "a/k", "token")
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, running(t, roomy())) })
		})
	}
}

func TestPoolWithdrawsWhatHasNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := roomy()
		limits.PerDomain = 1
		h := running(t, limits)
		withdraws := func(waiter string, want bool) {
			t.Helper()
			if got := h.Withdraw(waiter); got != want {
				t.Errorf("withdrawing what %s asked: a result is there or to come: %t, want %t", waiter, got, want)
			}
		}
		withdraws("nobody", false)
		h.wants(t, "first", "a/k", "")
		h.wants(t, "second", "a/queued", "")
		withdraws("first", true)
		withdraws("second", false)
		h.lands("a/k", "token")
		withdraws("first", true)
		h.wants(t, "first", "a/k", "token")
		h.wantStarted(t, "a/k")
		h.wantWoken(t, "first")
		h.clock.Step(limits.Keep)
		withdraws("first", false)
		h.wantEmpty(t)
	})
}

func TestPoolMakesWayForAnotherCallOfTheWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := roomy()
		limits.PerDomain = 1
		h := running(t, limits)
		supersedes := func(key, waiter string, want bool) {
			t.Helper()
			if got := h.Supersede(key, waiter); got != want {
				t.Errorf("%s may ask for %s: %t, want %t", waiter, key, got, want)
			}
		}
		supersedes("a/k", "nobody", true)
		h.wants(t, "w", "a/k", "")
		h.wants(t, "late", "a/queued", "")
		supersedes("a/k", "w", true)
		supersedes("a/another", "w", false)
		supersedes("a/another", "late", true)
		h.wantStarted(t, "a/k")
		h.lands("a/k", "token")
		h.wantWoken(t, "w")
		h.wantStarted(t, "a/k")
		supersedes("a/k", "w", true)
		h.wants(t, "w", "a/k", "token")
		supersedes("a/another", "w", true)
		h.wantEmpty(t)
	})
}

func TestPoolBounds(t *testing.T) {
	limits := func(total, perDomain, perService int) flight.Limits {
		return flight.Limits{Total: total, PerDomain: perDomain, PerService: perService, Keep: time.Minute, Unread: 100, Results: 100}
	}
	tests := map[string]struct {
		limits flight.Limits
		test   func(*testing.T, *harness)
	}{
		"a domain whose calls all hang costs another domain nothing": {limits(4, 2, 2), func(t *testing.T, h *harness) {
			for i := range 10 {
				h.wants(t, fmt.Sprint("w", i), fmt.Sprint("dead/", i), "")
			}
			h.wants(t, "w", "alive/k", "")
			h.wantStarted(t, "dead/0", "dead/1", "alive/k")
			h.lands("alive/k", "token")
			h.wants(t, "w", "alive/k", "token")
		}},
		"no more calls run than the total": {limits(2, 2, 2), func(t *testing.T, h *harness) {
			for i := range 5 {
				h.wants(t, fmt.Sprint("w", i), fmt.Sprint("d", i, "/k"), "")
			}
			h.wantStarted(t, "d0/k", "d1/k")
		}},
		"a service whose calls all hang costs another of its domain nothing": {limits(9, 3, 2), func(t *testing.T, h *harness) {
			for i := range 10 {
				h.wants(t, fmt.Sprint("w", i), fmt.Sprint("a/dead/", i), "")
			}
			h.wants(t, "w", "a/alive/k", "")
			h.wantStarted(t, "a/dead/0", "a/dead/1", "a/alive/k")
			h.lands("a/alive/k", "token")
			h.wants(t, "w", "a/alive/k", "token")
			h.lands("a/dead/1", "token")
			h.wantStarted(t, "a/dead/0", "a/dead/1", "a/alive/k", "a/dead/2")
		}},
		"a domain's services share its slots": {limits(9, 3, 2), func(t *testing.T, h *harness) {
			for i := range 4 {
				h.wants(t, fmt.Sprint("w", i), fmt.Sprint("a/s", i, "/k"), "")
			}
			h.wantStarted(t, "a/s0/k", "a/s1/k", "a/s2/k")
			h.lands("a/s1/k", "token")
			h.wantStarted(t, "a/s0/k", "a/s1/k", "a/s2/k", "a/s3/k")
		}},
		"services take turns, whoever queued more": {limits(1, 1, 1), func(t *testing.T, h *harness) {
			for _, key := range []string{"a/x/1", "a/x/2", "a/x/3", "a/y/1", "b/z/1", "a/y/2"} {
				h.wants(t, key, key, "")
			}
			for _, key := range []string{"a/x/1", "b/z/1", "a/y/1", "a/x/2", "a/y/2", "a/x/3"} {
				h.lands(key, "token")
			}
			h.wantStarted(t, "a/x/1", "b/z/1", "a/y/1", "a/x/2", "a/y/2", "a/x/3")
		}},
		"a queued call to a service that nobody waits for any more is never made": {limits(1, 1, 1), func(t *testing.T, h *harness) {
			for _, key := range []string{"a/x/1", "a/y/1", "a/z/1"} {
				h.wants(t, key, key, "")
			}
			h.Release("a/y/1")
			h.lands("a/x/1", "token")
			h.wantStarted(t, "a/x/1", "a/z/1")
		}},
		"domains take turns, whoever queued more": {limits(1, 1, 1), func(t *testing.T, h *harness) {
			for _, key := range []string{"a/1", "a/2", "a/3", "b/1", "c/1", "b/2"} {
				h.wants(t, key, key, "")
			}
			for _, key := range []string{"a/1", "b/1", "c/1", "a/2", "b/2", "a/3"} {
				h.lands(key, "token")
			}
			h.wantStarted(t, "a/1", "b/1", "c/1", "a/2", "b/2", "a/3")
		}},
		"a slot that a landing frees goes to the domain's next call": {limits(10, 1, 1), func(t *testing.T, h *harness) {
			h.wants(t, "w1", "a/1", "")
			h.wants(t, "w2", "a/2", "")
			h.wantStarted(t, "a/1")
			h.lands("a/1", "token")
			h.wantStarted(t, "a/1", "a/2")
		}},
		"a queued call that nobody waits for any more is never made": {limits(1, 1, 1), func(t *testing.T, h *harness) {
			for _, key := range []string{"a/1", "b/1", "b/2", "c/1"} {
				h.wants(t, key, key, "")
			}
			h.Release("b/1")
			h.Release("c/1")
			h.lands("a/1", "token")
			h.wantStarted(t, "a/1", "b/2")
			h.lands("b/2", "token")
			h.wantStarted(t, "a/1", "b/2")
		}},
		"a queued call that somebody still waits for is made": {limits(1, 1, 1), func(t *testing.T, h *harness) {
			h.wants(t, "w", "a/1", "")
			h.wants(t, "w1", "b/1", "")
			h.wants(t, "w2", "b/1", "")
			h.Release("w1")
			h.lands("a/1", "token")
			h.lands("b/1", "token")
			h.wantWoken(t, "w", "w2")
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tc.test(t, running(t, tc.limits)) })
		})
	}
}

func TestPoolStartsFirstWhatIsNeededFirst(t *testing.T) {
	one := flight.Limits{Total: 1, PerDomain: 1, PerService: 1, Keep: time.Minute, Unread: 100, Results: 100}
	tests := map[string]struct {
		asks []string // waiter, key, and in how many seconds it is needed
		want []string
	}{
		"a token that is missing before one that lasts": {[]string{"1 a/lasts 60", "2 a/missing 0"}, []string{"a/missing", "a/lasts"}},
		"of those that last the one that ends first":    {[]string{"1 a/x 90", "2 a/y 30", "3 a/z 60"}, []string{"a/y", "a/z", "a/x"}},
		"in the order of the asks where all is equal":   {[]string{"1 a/x 0", "2 a/y 0", "3 a/z 0"}, []string{"a/x", "a/y", "a/z"}},
		"one that somebody joins who needs it sooner":   {[]string{"1 a/x 60", "2 a/y 90", "3 a/y 30"}, []string{"a/y", "a/x"}},
		"and not one that somebody joins who can wait":  {[]string{"1 a/x 60", "2 a/y 30", "3 a/x 90"}, []string{"a/y", "a/x"}},
		"another domain's turn comes all the same":      {[]string{"1 a/x 0", "2 a/y 0", "3 b/z 90"}, []string{"a/x", "b/z", "a/y"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := idle(one)
				for _, text := range test.asks {
					f := strings.Fields(text)
					in, err := strconv.Atoi(f[2])
					if err != nil {
						t.Fatal(err)
					}
					domain, _, _ := strings.Cut(f[1], "/")
					a := ask{Key: f[1], Domain: domain, Waiter: f[0], Timeout: time.Hour, Do: h.call(f[1])}
					if in > 0 {
						a.Needed = h.clock.Now().Add(time.Duration(in) * time.Second)
					}
					h.Ask(a)
				}
				h.run(t)
				for _, key := range test.want {
					h.lands(key, "token")
				}
				h.wantStarted(t, test.want...)
				for _, text := range test.asks {
					h.Release(strings.Fields(text)[0])
				}
				h.wantEmpty(t)
			})
		})
	}
}

// queues asks with each text: waiter, key, tenant ("-" is none), and in how many seconds it is needed.
func (h *harness) queues(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		f := strings.Fields(text)
		in, err := strconv.Atoi(f[3])
		if err != nil {
			t.Fatal(err)
		}
		domain, rest, _ := strings.Cut(f[1], "/")
		service, _, _ := strings.Cut(rest, "/")
		a := ask{Key: f[1], Domain: domain, Service: service, Tenant: strings.Trim(f[2], "-"), Waiter: f[0], Timeout: time.Hour, Do: h.call(f[1])}
		if in > 0 {
			a.Needed = h.clock.Now().Add(time.Duration(in) * time.Second)
		}
		h.Ask(a)
	}
}

// landsAll lands each call as it starts, and releases who waited for it.
func (h *harness) landsAll() {
	for i := 0; i < len(h.begun()); i++ {
		h.lands(h.begun()[i], "token")
	}
	h.mu.Lock()
	woken := slices.Clone(h.woken)
	h.mu.Unlock()
	for _, w := range woken {
		h.Release(w)
	}
}

// One namespace's two thousand requests without a token went before every refresh of the others that share its
// ClusterTokenIssuer, until their good tokens had ended.
func TestPoolHasTenantsOfAServiceTakeTurns(t *testing.T) {
	one := flight.Limits{Total: 1, PerDomain: 1, PerService: 1, Keep: time.Minute, Unread: 100, Results: 100}
	tests := map[string]struct {
		asks  []string
		leave []string // waiters that are gone before anything starts
		want  []string
	}{
		"who can wait, beside one with many that can't": {
			[]string{"1 d/s/a1 a 0", "2 d/s/a2 a 0", "3 d/s/a3 a 0", "4 d/s/a4 a 0", "5 d/s/b1 b 600"}, nil,
			[]string{"d/s/a1", "d/s/b1", "d/s/a2", "d/s/a3", "d/s/a4"},
		},
		"three of them, whoever queued more": {
			[]string{"1 d/s/a1 a 0", "2 d/s/a2 a 0", "3 d/s/a3 a 0", "4 d/s/b1 b 0", "5 d/s/b2 b 0", "6 d/s/c1 c 0"}, nil,
			[]string{"d/s/a1", "d/s/b1", "d/s/c1", "d/s/a2", "d/s/b2", "d/s/a3"},
		},
		"each with what it needs first": {
			[]string{"1 d/s/a1 a 90", "2 d/s/a2 a 30", "3 d/s/b1 b 60", "4 d/s/b2 b 0", "5 d/s/b3 b 0"}, nil,
			[]string{"d/s/b2", "d/s/a2", "d/s/b3", "d/s/a1", "d/s/b1"},
		},
		"with one each, as after an outage, by when it is needed": {
			[]string{"1 d/s/a1 a 90", "2 d/s/b1 b 60", "3 d/s/c1 c 0", "4 d/s/d1 d 30"}, nil,
			[]string{"d/s/c1", "d/s/d1", "d/s/b1", "d/s/a1"},
		},
		"who has no name is one like any other": {
			[]string{"1 d/s/a1 a 0", "2 d/s/a2 a 0", "3 d/s/n1 - 60", "4 d/s/n2 - 30"}, nil,
			[]string{"d/s/a1", "d/s/n2", "d/s/a2", "d/s/n1"},
		},
		"another service's turn comes all the same": {
			[]string{"1 d/s/a1 a 0", "2 d/s/b1 b 0", "3 d/s/c1 c 0", "4 d/other/a a 0"}, nil,
			[]string{"d/s/a1", "d/other/a", "d/s/b1", "d/s/c1"},
		},
		"a tenant of one domain isn't that of another": {
			[]string{"1 d/s/a1 a 0", "2 d/s/b1 b 0", "3 e/s/a1 a 90", "4 e/s/a2 a 0"}, nil,
			[]string{"d/s/a1", "e/s/a2", "d/s/b1", "e/s/a1"},
		},
		"who joins hastens it among its tenant's alone": {
			[]string{"1 d/s/a1 a 0", "2 d/s/b1 b 60", "3 d/s/b2 b 90", "4 d/s/b2 c 0"}, nil,
			[]string{"d/s/a1", "d/s/b2", "d/s/b1"},
		},
		"one that is hastened keeps the turn of its tenant": {
			[]string{"1 d/s/a1 a 90", "2 d/s/b1 b 60", "3 d/s/b2 b 90", "4 d/s/a1 b 0"}, nil,
			[]string{"d/s/a1", "d/s/b1", "d/s/b2"},
		},
		"a hastened one that nobody waits for any more": {
			[]string{"1 d/s/a1 a 0", "2 d/s/a2 a 90", "3 d/s/a2 b 0", "4 d/s/b1 b 0"}, []string{"2", "3"},
			[]string{"d/s/a1", "d/s/b1"},
		},
		"one that only the other tenant still waits for": {
			[]string{"1 d/s/a1 a 0", "2 d/s/a2 a 0", "3 d/s/a1 b 0", "4 d/s/b1 b 0"}, []string{"1"},
			[]string{"d/s/a1", "d/s/b1", "d/s/a2"},
		},
		"one that another shares, in the turn of whoever's comes first": {
			[]string{"1 d/s/a1 a 0", "2 d/s/a2 a 0", "3 d/s/a3 a 0", "4 d/s/shared a 0", "5 d/s/shared b 60", "6 d/s/b1 b 90"}, nil,
			[]string{"d/s/a1", "d/s/shared", "d/s/a2", "d/s/b1", "d/s/a3"},
		},
		"one that several share and have left": {
			[]string{"1 d/s/a1 a 0", "2 d/s/shared a 0", "3 d/s/shared b 0", "4 d/s/shared c 0", "5 d/s/c1 c 0"}, []string{"3", "2", "4"},
			[]string{"d/s/a1", "d/s/c1"},
		},
		"who has left and comes again is the last": {
			[]string{"1 d/s/a1 a 0", "2 d/s/b1 b 0", "1 d/s/a2 a 0"}, nil,
			[]string{"d/s/b1", "d/s/a2"},
		},
		"all have left": {[]string{"1 d/s/a1 a 0", "2 d/s/a2 a 0", "3 d/s/b1 b 0"}, []string{"2", "3", "1"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := idle(one)
				h.queues(t, test.asks...)
				for _, w := range test.leave {
					h.Release(w)
				}
				h.run(t)
				h.landsAll()
				h.wantStarted(t, test.want...)
				h.wantEmpty(t)
			})
		})
	}
}

// Whichever of the queued calls goes away, before any has started or while one is under way, the others keep their order.
func TestPoolKeepsTheTurnsOfTenantsWhoeverLeaves(t *testing.T) {
	one := flight.Limits{Total: 1, PerDomain: 1, PerService: 1, Keep: time.Minute, Unread: 100, Results: 100}
	turns := []string{"d/s/a1", "d/s/b1", "d/s/c1", "d/s/a2", "d/s/b2", "d/s/c2", "d/s/a3", "d/s/b3", "d/s/c3"}
	// Without one of them the later ones of its tenant move up by a round.
	without := func(gone string) []string {
		calls := map[byte][]string{}
		for _, key := range turns {
			if key != gone {
				calls[key[4]] = append(calls[key[4]], key)
			}
		}
		var left []string
		for round := range 3 {
			for _, tenant := range []byte("abc") {
				if round < len(calls[tenant]) {
					left = append(left, calls[tenant][round])
				}
			}
		}
		return left
	}
	for _, gone := range turns {
		for _, under := range []bool{false, true} {
			t.Run(fmt.Sprint(gone, " with one under way ", under), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h, want := idle(one), without(gone)
					if under {
						h.queues(t, "first d/s/first z 0")
						h.run(t)
						want = append([]string{"d/s/first"}, want...)
					}
					for _, key := range turns {
						h.queues(t, fmt.Sprint(key, " ", key, " ", string(key[4]), " 0"))
					}
					h.Release(gone)
					if !under {
						h.run(t)
					}
					h.landsAll()
					h.wantStarted(t, want...)
					h.wantEmpty(t)
				})
			})
		}
	}
}

// Else who asks for one after the other, each needed at once, would go before who waits.
func TestPoolHasANewTenantWaitForTheNextRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := idle(flight.Limits{Total: 1, PerDomain: 1, PerService: 1, Keep: time.Minute, Unread: 100, Results: 100})
		h.queues(t, "1 d/s/a1 a 0", "2 d/s/a2 a 60", "3 d/s/b1 b 600")
		h.run(t)
		h.wantStarted(t, "d/s/a1")
		h.queues(t, "4 d/s/c1 c 0")
		h.landsAll()
		h.wantStarted(t, "d/s/a1", "d/s/b1", "d/s/c1", "d/s/a2")
		h.wantEmpty(t)
	})
}

// In an outage's recovery, tokens came twice as fast as they could be written, and lay there for a minute while others
// expired that had yet to be asked for.
func TestPoolStartsNoMoreThanIsLookedAt(t *testing.T) {
	one := flight.Limits{Total: 1, PerDomain: 1, PerService: 1, Keep: time.Minute, Unread: 2, Results: 100}
	tests := map[string]struct {
		room func(*harness)
		want bool // that the third starts
	}{
		"as long as nobody looks":           {func(*harness) {}, false},
		"one was collected":                 {func(h *harness) { h.Collect("a/1", "a/1") }, true},
		"one was asked for again":           {func(h *harness) { h.asks("a/2", "a/2") }, true},
		"somebody came for one":             {func(h *harness) { h.Attend("a/1") }, true},
		"somebody came for the third":       {func(h *harness) { h.Attend("a/3") }, false},
		"one was released unseen":           {func(h *harness) { h.Release("a/1") }, true},
		"who waited for one asks otherwise": {func(h *harness) { h.asks("a/1", "b/1") }, true},
		"one isn't collected by a stranger": {func(h *harness) { h.Collect("a/1", "w") }, false},
		"they lie there":                    {func(h *harness) { h.clock.Step(1500*time.Millisecond - 1); h.Stats() }, false},
		"nobody seems to come for them":     {func(h *harness) { h.clock.Step(1500 * time.Millisecond); h.Stats() }, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := running(t, one)
				keys := []string{"a/1", "a/2", "a/3"}
				for _, key := range keys {
					h.wants(t, key, key, "")
				}
				h.lands("a/1", "token")
				h.lands("a/2", "token")
				h.wantStarted(t, "a/1", "a/2")
				test.room(h)
				synctest.Wait()
				if started := slices.Contains(h.begun(), "a/3"); started != test.want {
					t.Errorf("the third started: %v, want %v", started, test.want)
				}
				for _, key := range keys {
					h.Release(key)
				}
			})
		})
	}
}

func TestPoolCountsAFlightOnceHoweverManyWaitForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := running(t, flight.Limits{Total: 9, PerDomain: 9, PerService: 9, Keep: time.Minute, Unread: 2, Results: 100})
		for i := range 20 {
			h.wants(t, fmt.Sprint("w", i), "a/shared", "")
		}
		h.lands("a/shared", "token")
		h.wants(t, "w", "b/k", "")
		h.wantStarted(t, "a/shared", "b/k")
	})
}

func TestPoolTellsWhoIsWokenHowSoonItIsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		woken := map[string]time.Time{}
		pool := flight.New[string, string, string](roomy(), &stepClock{}, func(w string, needed time.Time) { woken[w] = needed })
		want := map[string]time.Time{"soon": time.Unix(1_800_000_000, 0), "later": time.Unix(1_800_000_060, 0), "now": {}}
		for w, needed := range want {
			pool.Ask(flight.Ask[string, string, string]{Key: "k", Domain: "a", Waiter: w, Needed: needed, Timeout: time.Hour, Do: func(context.Context) string { return "token" }})
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- pool.Run(ctx) }()
		synctest.Wait()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(want, woken); diff != "" {
			t.Errorf("woken (-want +got):\n%s", diff)
		}
	})
}

func TestPoolKeeps(t *testing.T) {
	tests := map[string]struct {
		results int
		test    func(*testing.T, *harness)
	}{
		"a result is there until just before its time is up": {10, func(t *testing.T, h *harness) {
			h.wants(t, "w", "a/k", "")
			h.lands("a/k", "token")
			h.clock.Step(time.Minute - 1)
			h.wants(t, "w", "a/k", "token")
		}},
		"a result that is looked at again and again stays": {10, func(t *testing.T, h *harness) {
			h.wants(t, "w", "a/k", "")
			h.lands("a/k", "token")
			for range 3 {
				h.clock.Step(time.Minute - 1)
				h.wants(t, "w", "a/k", "token")
			}
		}},
		"a result that nobody released in time is gone, and a new call is made": {10, func(t *testing.T, h *harness) {
			h.wants(t, "w", "a/k", "")
			h.lands("a/k", "token")
			h.clock.Step(time.Minute)
			h.wants(t, "w", "a/k", "")
			h.wantStarted(t, "a/k", "a/k")
		}},
		"a landing after an expiry in the same domain keeps its own result": {10, func(t *testing.T, h *harness) {
			h.wants(t, "w1", "a/1", "")
			h.wants(t, "w2", "a/2", "")
			h.lands("a/1", "first")
			h.clock.Step(time.Minute)
			h.lands("a/2", "second")
			h.wants(t, "w2", "a/2", "second")
			want := flight.Stats{Results: 1, Domains: map[string]flight.DomainStats{"a": {Results: 1}}}
			if diff := cmp.Diff(want, h.Stats()); diff != "" {
				t.Errorf("stats (-want +got):\n%s", diff)
			}
		}},
		"beyond the bound the oldest result goes": {2, func(t *testing.T, h *harness) {
			for _, key := range []string{"a/1", "a/2", "a/3"} {
				h.wants(t, key, key, "")
				h.lands(key, "token")
			}
			h.wants(t, "a/2", "a/2", "token")
			h.wants(t, "a/3", "a/3", "token")
			h.wants(t, "a/1", "a/1", "")
		}},
		"beyond the bound the domain that keeps the most loses, not the oldest": {3, func(t *testing.T, h *harness) {
			for _, key := range []string{"small/1", "greedy/1", "greedy/2", "greedy/3"} {
				h.wants(t, key, key, "")
				h.lands(key, "token")
			}
			h.wants(t, "small/1", "small/1", "token")
			h.wants(t, "greedy/2", "greedy/2", "token")
			h.wants(t, "greedy/1", "greedy/1", "")
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tc.test(t, running(t, flight.Limits{Total: 9, PerDomain: 9, PerService: 9, Keep: time.Minute, Unread: 99, Results: tc.results}))
			})
		})
	}
}

func TestPoolDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := running(t, flight.Limits{Total: 1, PerDomain: 1, PerService: 1, Keep: time.Hour, Unread: 9, Results: 9})
		for _, key := range []string{"a/1", "a/2"} {
			h.Ask(ask{Key: key, Domain: "a", Waiter: key, Timeout: 20 * time.Second, Do: h.call(key)})
		}
		synctest.Wait()
		// The bubble's own clock passes only when everything in it blocks.
		<-time.NewTimer(20 * time.Second).C
		synctest.Wait()
		h.wantWoken(t, "a/1")
		h.wantStarted(t, "a/1", "a/2")
		if got, _ := h.asks("a/1", "a/1"); !errors.Is(got.Err, context.DeadlineExceeded) {
			t.Errorf("a call at its deadline returned %v, want %v", got.Err, context.DeadlineExceeded)
		}
		// The second one's time began when it left the queue.
		<-time.NewTimer(20*time.Second - 1).C
		synctest.Wait()
		h.wantWoken(t, "a/1")
		<-time.NewTimer(1).C
		synctest.Wait()
		h.wantWoken(t, "a/1", "a/2")
	})
}

func TestPoolRun(t *testing.T) {
	t.Run("what is asked before Run starts with it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := idle(roomy())
			h.wants(t, "w1", "a/1", "")
			h.wants(t, "w2", "a/2", "")
			h.wantStarted(t)
			h.run(t)
			if got := h.Stats().Running; got != 2 {
				t.Errorf("%d calls run, want 2", got)
			}
			h.lands("a/1", "first")
			h.lands("a/2", "second")
			h.wants(t, "w1", "a/1", "first")
			h.wants(t, "w2", "a/2", "second")
		})
	})
	t.Run("what is released before Run leaves nothing behind", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := idle(roomy())
			h.wants(t, "w", "a/k", "")
			h.Release("w")
			h.wantEmpty(t)
		})
	})
	t.Run("a shutdown cancels calls under way, and wakes nobody with what they return", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := running(t, flight.Limits{Total: 2, PerDomain: 2, PerService: 2, Keep: time.Minute, Unread: 9, Results: 9})
			for _, key := range []string{"a/1", "a/2", "a/3"} {
				h.wants(t, key, key, "")
			}
			h.lands("a/1", "token")
			h.stop()
			synctest.Wait()
			h.wantWoken(t, "a/1")
			h.wantStarted(t, "a/1", "a/2", "a/3")
			if err := <-h.ended; err != nil {
				t.Errorf("Run returned %v, want nil", err)
			}
			h.wantEmpty(t)
		})
	})
	t.Run("Run returns only after calls that ignore their context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := running(t, roomy())
			stubborn := make(chan struct{})
			h.Ask(ask{Key: "k", Waiter: "w", Timeout: time.Hour, Do: func(context.Context) answer {
				<-stubborn
				return answer{Text: "late"}
			}})
			h.stop()
			synctest.Wait()
			select {
			case err := <-h.ended:
				t.Errorf("Run returned %v while a call was under way", err)
			default:
			}
			close(stubborn)
			synctest.Wait()
			if err := <-h.ended; err != nil {
				t.Errorf("Run returned %v, want nil", err)
			}
			h.wantWoken(t)
		})
	})
	t.Run("nothing starts after the end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := running(t, roomy())
			h.stop()
			synctest.Wait()
			h.wants(t, "w", "a/k", "")
			h.wantStarted(t)
			h.wantEmpty(t)
		})
	})
	t.Run("nothing starts between the cancellation and the end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := running(t, roomy())
			h.stop() // Run hasn't been scheduled since
			h.Ask(ask{Key: "k", Waiter: "w", Timeout: time.Hour, Do: h.call("k")})
			synctest.Wait()
			h.wantStarted(t)
		})
	})
	t.Run("a pool runs once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := running(t, roomy())
			if err := h.Run(t.Context()); err == nil {
				t.Error("a second Run returned nil, want an error")
			}
		})
	})
}

func TestPoolStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := running(t, flight.Limits{Total: 3, PerDomain: 2, PerService: 2, Keep: time.Minute, Unread: 9, Results: 9})
		for _, key := range []string{"a/1", "a/2", "a/3", "b/1", "b/2"} {
			h.wants(t, key, key, "")
		}
		h.wants(t, "another", "b/1", "")
		want := flight.Stats{Running: 3, Queued: 2, Domains: map[string]flight.DomainStats{
			"a": {Running: 2, Queued: 1}, "b": {Running: 1, Queued: 1},
		}}
		if diff := cmp.Diff(want, h.Stats()); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
		h.lands("b/1", "token")
		h.lands("a/1", "token")
		for _, w := range []string{"a/2", "a/3", "b/2"} {
			h.Release(w)
		}
		want = flight.Stats{Running: 3, Results: 3, Domains: map[string]flight.DomainStats{
			"a": {Running: 2, Results: 1}, "b": {Running: 1, Results: 2},
		}}
		if diff := cmp.Diff(want, h.Stats()); diff != "" {
			t.Errorf("stats after the landings (-want +got):\n%s", diff)
		}
		for _, key := range []string{"a/2", "a/3", "b/2"} {
			h.lands(key, "token")
		}
		for _, w := range []string{"a/1", "b/1", "another"} {
			h.Release(w)
		}
		h.wantEmpty(t)
	})
}

// TestPoolCrowd has many workers ask, collect and leave at the same time: each
// gets the result of its own key, and nothing stays behind.
func TestPoolCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wakes := map[int]chan struct{}{}
		for w := range 200 {
			wakes[w] = make(chan struct{}, 1)
		}
		clock := &stepClock{now: time.Unix(1_800_000_000, 0)}
		pool := flight.New[int, int, int](flight.Limits{Total: 8, PerDomain: 3, PerService: 3, Keep: time.Minute, Unread: 5, Results: 1000},
			clock, func(w int, _ time.Time) { wakes[w] <- struct{}{} })
		ctx, stop := context.WithCancel(t.Context())
		var pooled, workers sync.WaitGroup
		pooled.Go(func() { _ = pool.Run(ctx) })
		for w := range 200 {
			workers.Go(func() {
				key := w % 50
				a := flight.Ask[int, int, int]{Key: key, Domain: fmt.Sprint(key % 5), Tenant: fmt.Sprint(w % 4), Waiter: w, Timeout: time.Hour,
					Do: func(context.Context) int { return key * key }}
				got, state := pool.Ask(a)
				for state == flight.Pending {
					<-wakes[w]
					got, state = pool.Ask(a)
				}
				if got != key*key {
					t.Errorf("waiter %d got %d, want %d", w, got, key*key)
				}
				pool.Release(w)
			})
		}
		workers.Wait()
		if diff := cmp.Diff(flight.Stats{Domains: map[string]flight.DomainStats{}}, pool.Stats()); diff != "" {
			t.Errorf("stats of an empty pool (-want +got):\n%s", diff)
		}
		stop()
		pooled.Wait()
	})
}

func TestNewRefusesLimitsThatWouldWaitForEver(t *testing.T) {
	tests := map[string]flight.Limits{
		"no flight in all":     {PerDomain: 1, PerService: 1, Keep: 1, Unread: 1, Results: 1},
		"no flight per domain": {Total: 1, PerService: 1, Keep: 1, Unread: 1, Results: 1},
		"none per service":     {Total: 1, PerDomain: 1, Keep: 1, Unread: 1, Results: 1},
		"no time to collect":   {Total: 1, PerDomain: 1, PerService: 1, Unread: 1, Results: 1},
		"no result unread":     {Total: 1, PerDomain: 1, PerService: 1, Keep: 1, Results: 1},
		"no place for results": {Total: 1, PerDomain: 1, PerService: 1, Keep: 1, Unread: 1},
	}
	for name, limits := range tests {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("New returned, want a panic")
				}
			}()
			flight.New[string, string, answer](limits, &stepClock{}, func(string, time.Time) {})
		})
	}
}
