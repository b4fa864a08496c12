// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package flight

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// State says what came of an Ask.
type State int

const (
	// Pending means that the call is queued or under way; the waiter is woken
	// when it has a result to collect. It is the zero value.
	Pending State = iota
	// Done means that the result which came with it is the waiter's.
	Done
	// Spared means that the waiter needs no call any more, as Ask.Spared has said.
	Spared
)

// Clock tells the time. The PassiveClock of k8s.io/utils/clock is one.
type Clock interface {
	Now() time.Time
}

// Limits bound a Pool. Every member must be positive.
type Limits struct {
	// Total is the number of flights that run at the same time.
	Total int
	// PerDomain is the number of them that one domain may take.
	PerDomain int
	// PerService is the number of them that one domain may have with one service.
	PerService int
	// Keep is how long a result waits for its waiter, counted anew with each look at
	// it until it is released. It is dropped at the first use of the pool after that,
	// and the next Ask starts a new flight.
	Keep time.Duration
	// Unread is the number of flights with which no more start that have landed, and
	// whose result nobody has looked at yet. Calls that outrun those who take their
	// results in make these old, and have what is asked later and needed sooner wait
	// behind them. A flight counts for a fortieth of Keep at most: who asked may be gone.
	// However many wait for it, it counts once.
	Unread int
	// Results is the number of kept results, each waiter's counted. Beyond it
	// the one of the domain that keeps the most is dropped that wasn't looked at for longest.
	Results int
}

// Ask is what one waiter wants.
type Ask[K, W comparable, R any] struct {
	// Key identifies the call: asks with equal keys share one flight, so it
	// has to hold whatever may change the result, the domain included.
	Key K
	// Domain is whose slots the call takes and whose share of the results its own
	// counts in: that of one tenant, or of several who share what is behind it.
	Domain string
	// Service is whom the call goes to. Those of one domain take turns, so that one
	// that hangs costs the others of its domain nothing.
	Service string
	// Tenant is who the call is made for; empty is one like any other. Those of a domain take turns with
	// each service, so that one with much that is needed now doesn't outlast what the others have left. A
	// flight starts in the first turn that comes of those who have asked for it: else whoever has asked for
	// the same before, behind much of its own, would hold it up for all.
	Tenant string
	// Waiter is who gets the result. A waiter waits for one key at a time.
	Waiter W
	// Needed is when the waiter has nothing left to go on with; zero is now. Of a tenant's calls to one service
	// the one that is needed first starts first, and among equals the one that was asked for first. A flight is
	// needed as soon as the first of those who wait for it needs it.
	Needed time.Time
	// Timeout is the flight's deadline, counted from its start and not from the
	// time in the queue. Zero or less is a deadline already passed.
	Timeout time.Duration
	// Spared, where it is set, says that the waiter has meanwhile come by what it would
	// ask for. It is asked before a new flight is queued and must not use the pool.
	// No flight for the key is under way then, so what the last of them left behind
	// is there: one who looked just before it landed, and asks just after, would
	// make its call once more.
	Spared func() bool
	// Do makes the call, on a goroutine of the pool. An ask that joins a flight
	// shares the Do and the Timeout of the ask that began it. The context ends
	// with the deadline or with the pool, never with the asking worker. A panic
	// is not recovered: it ends the process, as it would on the worker.
	Do func(context.Context) R
}

// Pool runs calls outside the workers that want their results. K identifies a
// call, W is whoever waits and R the result. Use [New] to make one; all its
// methods are safe for concurrent use.
type Pool[K, W comparable, R any] struct {
	limits Limits
	clock  Clock
	wake   func(W, time.Time)

	mu sync.Mutex
	// ctx is Run's context; nil until Run is called, before which nothing
	// starts.
	ctx     context.Context
	flights map[K]*flight[K, W, R] // queued or running: what an Ask can join
	waits   map[W]*wait[K, W, R]
	domains map[string]*domain[K, W, R]
	ready   []*domain[K, W, R] // domains that may start a flight, in turn
	kept    *list.List         // *wait with a result, the oldest first
	unread  *list.List         // *news of the flights that have landed, the oldest first
	running int
	ended   bool
	landed  sync.WaitGroup
}

// New returns a pool that calls wake, without holding any lock and in the order
// of the asks, for each waiter that has a result to collect, with its Ask.Needed. A
// wake that blocks delays those behind it on the same flight and the end of Run,
// nothing else. New panics when a limit isn't positive: such a pool would wait for
// ever, or ask for ever.
func New[K, W comparable, R any](l Limits, clk Clock, wake func(waiter W, needed time.Time)) *Pool[K, W, R] {
	if l.Total <= 0 || l.PerDomain <= 0 || l.PerService <= 0 || l.Keep <= 0 || l.Unread <= 0 || l.Results <= 0 {
		panic("flight: every limit must be positive")
	}
	return &Pool[K, W, R]{
		limits:  l,
		clock:   clk,
		wake:    wake,
		flights: map[K]*flight[K, W, R]{},
		waits:   map[W]*wait[K, W, R]{},
		domains: map[string]*domain[K, W, R]{},
		kept:    list.New(),
		unread:  list.New(),
	}
}

// Ask returns the result and Done when the waiter's flight for this key has
// landed, again and again until Release. Otherwise it joins the flight that is
// queued or under way for the key, or queues a new one, and returns the zero
// result and Pending; or Spared, and nothing is queued. Asking with another key than before abandons the former
// wait or result. Once Run has ended nothing starts any more and every answer
// is Pending.
func (p *Pool[K, W, R]) Ask(a Ask[K, W, R]) (R, State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var none R
	if p.ended {
		return none, Pending
	}
	p.tidy()
	if w, ok := p.waits[a.Waiter]; ok {
		if w.key == a.Key {
			return p.read(w)
		}
		p.forget(w)
		p.start()
	}
	f, ok := p.flights[a.Key]
	switch {
	case !ok && a.Spared != nil && a.Spared():
		return none, Spared
	case !ok:
		f = p.queue(a)
	case !f.started:
		f.join(a.Tenant, a.Needed)
	}
	w := &wait[K, W, R]{key: a.Key, waiter: a.Waiter, needed: a.Needed, domain: f.domain, flight: f}
	p.waits[a.Waiter] = w
	f.waits = append(f.waits, w)
	p.start()
	return none, Pending
}

// Collect returns the result of the waiter's flight for this key once it has
// landed, as Ask does, and starts nothing. A caller that has its own grounds not
// to ask again looks here first: the answer to what it asked before may be what
// gave it those grounds.
func (p *Pool[K, W, R]) Collect(key K, waiter W) (R, State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tidy()
	if w, ok := p.waits[waiter]; ok && w.key == key {
		return p.read(w)
	}
	var none R
	return none, Pending
}

// Attend says that somebody has come for the waiter: what has landed for it makes room
// for another flight, whether or not its result can be collected.
func (p *Pool[K, W, R]) Attend(waiter W) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w, ok := p.waits[waiter]; ok && w.state == Done {
		p.strike(w.news)
		p.start()
	}
}

// Withdraw takes back what the waiter asked, unless the call has started. It
// returns whether there is a result for the waiter, or one to come.
func (p *Pool[K, W, R]) Withdraw(waiter W) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tidy()
	w, ok := p.waits[waiter]
	if ok && w.state == Pending && !w.flight.started {
		p.forget(w)
		return false
	}
	return ok
}

// Supersede makes way for a call with this key: what the waiter has of another key is
// dropped, be it queued or landed. It returns false while a call with another key is
// under way, for a waiter whose calls may not overlap; that is woken when it has landed.
func (p *Pool[K, W, R]) Supersede(key K, waiter W) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tidy()
	w, ok := p.waits[waiter]
	switch {
	case !ok || w.key == key:
		return true
	case w.state == Pending && w.flight.started:
		return false
	}
	p.forget(w)
	p.start()
	return true
}

// Release says that the waiter has safely used its result, or is gone: the
// result is dropped, or the wait for it. A call under way goes on, for others
// who may have joined it or still do; a queued one that nobody waits for is
// dropped. Releasing an unknown waiter does nothing.
func (p *Pool[K, W, R]) Release(waiter W) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w, ok := p.waits[waiter]; ok {
		p.forget(w)
		p.start()
	}
}

// Run starts the flights that are queued and those to come, until ctx ends.
// Then running calls are cancelled, and whatever they return is discarded: no
// waiter is woken with a failure that is only our shutdown. Run returns nil
// when the last of them has landed, and an error when the pool has run before.
func (p *Pool[K, W, R]) Run(ctx context.Context) error {
	if err := p.open(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	p.shut()
	p.landed.Wait()
	return nil
}

func (p *Pool[K, W, R]) open(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx != nil {
		return errors.New("running flights: the pool has run before")
	}
	p.ctx = ctx
	p.start()
	return nil
}

// shut forgets all but what is under way, so that no flight starts from here on.
func (p *Pool[K, W, R]) shut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	clear(p.flights)
	clear(p.waits)
	clear(p.domains)
	p.ready = nil
	p.kept.Init()
	p.unread.Init()
}
