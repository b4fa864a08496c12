// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package throttle answers one question: may this request be sent to the token service now? It remembers what the service
// answered in three separate stores, so that many short-lived entries of one sort never evict another's:
//
//   - the rate gate (429, Retry-After) of a client and its scopes, which nothing opens before its time, and which grows when a
//     server asks again and again;
//   - the error gate (5xx, timeouts, connections) of a client with one credential and account, growing exponentially;
//   - the negative cache (400, 401, 403) of one whole request, growing until the credential or the inputs change.
//
// Every entry belongs to a tenancy domain, and no domain can shut, fill or evict another's. Time is an argument. Nothing
// here is a token, a secret or a response body; what a caller wants to see again is a value of its own type.
package throttle

import (
	"slices"
	"sync"
	"time"
)

// Clock tells the time. The PassiveClock of k8s.io/utils/clock is one.
type Clock interface {
	Now() time.Time
}

// rewindTolerance is how far behind the latest time the clock may be without having been set back: NTP slews.
const rewindTolerance = time.Second

// Limits bounds each of the three stores. A field of zero or less takes its default: 256 entries per domain, 1024 in all.
type Limits struct {
	// PerDomain is the number of entries that one tenancy domain may hold in a store.
	PerDomain int
	// Total is the number of entries that a store may hold. As long as a domain holds no more than its even share of it,
	// no other domain evicts its entries.
	Total int
}

// Failure is what the caller learnt from one failed request.
type Failure[E any] struct {
	// Kind selects the gate. A value that isn't one of the three counts as Unavailable.
	Kind Kind
	// RetryAfter is what the server asked for; more than an hour counts as one hour. Zero or less: not said. With a refusal it
	// shuts the rate gate as well.
	RetryAfter time.Duration
	// Propagating marks a refusal that directories give for some minutes after a change, of a credential that changed
	// recently: it is asked again after 5 to 60 s instead of 1 to 10 min.
	Propagating bool
	// Attempts counts the failures in a row that the caller already knew of before this one, for example from a status
	// after a restart. The larger of this and what is remembered counts.
	Attempts int
	// Remember is handed back by every Verdict of the gate. It is written to storage as JSON, hence holds no secret.
	Remember E
}

// Verdict is the answer for one request at one time.
type Verdict[E any] struct {
	// Open says that the request may be sent. All other fields are zero then.
	Open bool
	// Kind is the gate that is shut; of several, the one that opens last.
	Kind Kind
	// Until is when that gate opens, Since when it was shut, both in whole seconds, UTC. Until is exact: who waits with
	// others behind one gate adds a spread of its own.
	Until, Since time.Time
	// Attempts counts the failures in a row, at least one.
	Attempts int
	// Remembered is what the failure that shut the gate brought along.
	Remembered E
	// Trial is set by Enter alone, when the gate has opened and another call tries whether it may stay so. It is closed when
	// that call has ended; who waited asks again. The other fields tell of the gate, whose Until has passed.
	Trial <-chan struct{}
}

// Cache holds the gates. Create it with New; its methods may be called by any number of goroutines. A caller asks Admit
// before it mints an assertion and Enter when the call leaves, and reports how the call ended with Remember, Succeeded or
// Abandon:
//
//	v := cache.Enter(request, forced)
//	for v.Trial != nil {
//		<-v.Trial
//		v = cache.Enter(request, forced)
//	}
//	if !v.Open {
//		return v.Remembered, v.Until
//	}
//	token, failure := send(request)
//	if failure != nil {
//		return cache.Remember(request, *failure)
//	}
//	cache.Succeeded(request)
type Cache[E any] struct {
	clock       Clock
	mu          sync.Mutex
	rate        *store[E]
	unavailable *store[E]
	refused     *store[E]
	trials      map[string]*trial // by the keys of gates that have opened
	latest      time.Time         // the latest time seen
	version     uint64
}

// New returns an empty Cache, all of whose gates are open. It reads the clock under its own lock: an instant that a caller
// read before would be older than what another has stored meanwhile, and couldn't be told from a clock that was set back,
// which moves all gates.
func New[E any](l Limits, clock Clock) *Cache[E] {
	if l.PerDomain <= 0 {
		l.PerDomain = 256
	}
	if l.Total <= 0 {
		l.Total = 1024
	}
	return &Cache[E]{clock: clock, rate: newStore[E](l), unavailable: newStore[E](l), refused: newStore[E](l), trials: map[string]*trial{}}
}

// Admit says whether the request may be sent now. A forced request passes over the error gate and the negative cache, never
// over the rate gate: a Retry-After binds even an impatient owner.
func (c *Cache[E]) Admit(r Request, forced bool) Verdict[E] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.admit(r, c.observe(), forced)
}

func (c *Cache[E]) admit(r Request, now time.Time, forced bool) Verdict[E] {
	shut := c.rate.holding(newEntry[E](Rate, r), now)
	if !forced {
		for _, s := range []struct {
			kind  Kind
			store *store[E]
		}{{Unavailable, c.unavailable}, {Refused, c.refused}} {
			e := newEntry[E](s.kind, r)
			if found, ok := s.store.get(e.Domain, e.Key()); ok && found.Until.After(now) {
				shut = append(shut, found)
			}
		}
	}
	if len(shut) == 0 {
		return Verdict[E]{Open: true}
	}
	return slices.MaxFunc(shut, byUntil).verdict()
}

// Remember shuts the gate that the failure belongs to and returns it; a refusal with Retry-After shuts two, and the one that
// opens last counts. A failure that arrives while the gate is shut was admitted before, and is the same outage: it may prolong
// the gate, never shorten it, and doesn't make it grow.
func (c *Cache[E]) Remember(r Request, f Failure[E]) Verdict[E] {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.observe()
	if !f.Kind.known() {
		f.Kind = Unavailable
	}
	c.endTrials(r)
	if f.Kind != Refused {
		return c.shut(r, f, now).verdict()
	}
	// A definite no is an answer: the server is there, and patient again unless it says otherwise.
	c.forgetOpened(r, now, Rate)
	c.forgetOpened(r, now, Unavailable)
	last := c.shut(r, f, now).verdict()
	if f.RetryAfter > 0 {
		f.Kind, f.Attempts = Rate, 0 // what the caller knew of were refusals
		if rate := c.shut(r, f, now); rate.Until.After(last.Until) {
			last.Kind, last.Since, last.Until = Rate, rate.Since, rate.Until
		}
	}
	return last
}

// shut shuts the gate of the failure's kind.
func (c *Cache[E]) shut(r Request, f Failure[E], now time.Time) Entry[E] {
	s := c.storeOf(f.Kind)
	s.purge(now)
	e := newEntry[E](f.Kind, r)
	key := e.Key()
	old, known := s.get(e.Domain, key)
	attempts := min(max(f.Attempts, 0), mostAttempts-1) + 1
	if known && old.Until.After(now) {
		attempts = max(attempts, old.Attempts)
	} else if known {
		attempts = max(attempts, min(old.Attempts, mostAttempts-1)+1)
	}
	e.Since, e.Until = floorSecond(now), ceilSecond(now.Add(f.window(attempts)))
	e.Remembered = f.Remember
	if known && old.Until.After(e.Until) {
		e = old
	}
	e.Attempts = attempts
	s.put(key, e)
	if f.Kind.persisted() {
		c.version++
	}
	return e
}

// Succeeded forgets the failures of the request's error gate and of its negative entry, so that the next ones start from
// the smallest window. A rate gate that is shut stays so until its time: a token that was on its way when the server asked
// for patience takes nothing back.
func (c *Cache[E]) Succeeded(r Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.observe()
	c.endTrials(r)
	c.forgetOpened(r, now, Rate)
	c.forget(r, now, Unavailable)
	c.forget(r, now, Refused)
}

// forget drops the gate and its count of failures.
func (c *Cache[E]) forget(r Request, now time.Time, k Kind) {
	e := newEntry[E](k, r)
	s, key := c.storeOf(k), e.Key()
	found, ok := s.get(e.Domain, key)
	s.drop(e.Domain, key)
	if ok && found.Until.After(now) && k.persisted() {
		c.version++
	}
}

// forgetOpened drops the gate's count of failures, unless it is shut.
func (c *Cache[E]) forgetOpened(r Request, now time.Time, k Kind) {
	e := newEntry[E](k, r)
	if found, ok := c.storeOf(k).get(e.Domain, e.Key()); ok && !found.Until.After(now) {
		c.forget(r, now, k)
	}
}

// List returns every entry whose gate is shut now, the negative cache's too, in the order of their keys.
func (c *Cache[E]) List() []Entry[E] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return shutEntries(c.observe(), c.rate, c.unavailable, c.refused)
}

// observe reads the clock. It keeps the latest time and, when the clock was set back, puts entries from the future on the
// present clock. The monotonic reading is stripped: by that no clock is ever set back.
func (c *Cache[E]) observe() time.Time {
	now := c.clock.Now().Round(0)
	if now.After(c.latest.Add(-rewindTolerance)) {
		c.latest = laterOf(c.latest, now)
		return now
	}
	c.latest = now
	for _, s := range []*store[E]{c.rate, c.unavailable, c.refused} {
		s.rewind(now)
	}
	return now
}

// storeOf returns the store of a known kind.
func (c *Cache[E]) storeOf(k Kind) *store[E] {
	switch k {
	case Rate:
		return c.rate
	case Refused:
		return c.refused
	default:
		return c.unavailable
	}
}
