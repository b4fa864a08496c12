// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package flight

import (
	"context"
	"slices"
	"time"
)

// A flight is one call, queued or under way, and those who wait for it.
type flight[K, W comparable, R any] struct {
	key     K
	domain  *domain[K, W, R]
	lane    *lane[K, W, R]
	tenants []*tenant[K, W, R] // while it is queued: it starts in the first turn of theirs that comes
	needed  time.Time
	timeout time.Duration
	do      func(context.Context) R
	started bool
	waits   []*wait[K, W, R] // in the order of the asks
}

// A domain holds what is queued in its slots and how much is under way.
type domain[K, W comparable, R any] struct {
	name    string
	lanes   map[string]*lane[K, W, R]
	turns   []*lane[K, W, R] // those that may start a flight, in turn
	queued  int
	running int
	results int
	ready   bool // stands in Pool.ready
}

// queue puts a new flight in its lane.
func (p *Pool[K, W, R]) queue(a Ask[K, W, R]) *flight[K, W, R] {
	d, ok := p.domains[a.Domain]
	if !ok {
		d = &domain[K, W, R]{name: a.Domain, lanes: map[string]*lane[K, W, R]{}}
		p.domains[a.Domain] = d
	}
	l, ok := d.lanes[a.Service]
	if !ok {
		l = &lane[K, W, R]{service: a.Service}
		d.lanes[a.Service] = l
	}
	f := &flight[K, W, R]{key: a.Key, domain: d, lane: l, needed: a.Needed, timeout: a.Timeout, do: a.Do}
	l.enter(f, a.Tenant)
	d.queued++
	p.flights[a.Key] = f
	p.line(d, l)
	return f
}

// line gives the lane its place among those of its domain that take turns, and
// the domain its place among the domains, if they have a flight that may start.
func (p *Pool[K, W, R]) line(d *domain[K, W, R], l *lane[K, W, R]) {
	if !l.ready && len(l.tenants) > 0 && l.running < p.limits.PerService {
		l.ready = true
		d.turns = append(d.turns, l)
	}
	if !d.ready && len(d.turns) > 0 && d.running < p.limits.PerDomain {
		d.ready = true
		p.ready = append(p.ready, d)
	}
}

// start starts what the limits allow: one flight of each domain in turn, of
// a domain's lanes in turn, and of a lane's tenants in turn.
func (p *Pool[K, W, R]) start() {
	if p.ctx == nil || p.ctx.Err() != nil {
		return
	}
	for p.running < p.limits.Total && p.unread.Len() < p.limits.Unread && len(p.ready) > 0 {
		d := p.ready[0]
		p.ready = slices.Delete(p.ready, 0, 1)
		d.ready = false
		l := d.turns[0]
		d.turns = slices.Delete(d.turns, 0, 1)
		l.ready = false
		f := l.next()
		d.queued--
		f.started = true
		p.count(f, 1)
		p.landed.Go(func() { p.fly(f) })
		p.line(d, l)
	}
}

// count adds to what is under way.
func (p *Pool[K, W, R]) count(f *flight[K, W, R], n int) {
	p.running += n
	f.domain.running += n
	f.lane.running += n
}

// fly makes the call and wakes those who wait for it. The context is the
// pool's: the worker that asked has long gone on.
func (p *Pool[K, W, R]) fly(f *flight[K, W, R]) {
	ctx, cancel := context.WithTimeout(p.ctx, f.timeout)
	defer cancel()
	for _, w := range p.land(f, f.do(ctx)) {
		p.wake(w.waiter, w.needed)
	}
}

// land hands the result to those who wait, gives the slot to the next flight
// and returns whom to wake: nobody once the pool's context has ended, since the
// result may then be no more than the echo of our own cancellation.
func (p *Pool[K, W, R]) land(f *flight[K, W, R], result R) []*wait[K, W, R] {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tidy()
	p.count(f, -1)
	if p.ctx.Err() != nil {
		return nil
	}
	delete(p.flights, f.key)
	if len(f.waits) > 0 {
		n := p.announce()
		for _, w := range f.waits {
			p.keep(w, result, n)
		}
	}
	p.line(f.domain, f.lane)
	f.domain.drop(f.lane)
	p.drop(f.domain)
	p.start()
	return f.waits
}

// abandon takes the flight's queued call away when nobody waits for it.
func (p *Pool[K, W, R]) abandon(f *flight[K, W, R]) {
	if f.started || len(f.waits) > 0 {
		return
	}
	delete(p.flights, f.key)
	d, l := f.domain, f.lane
	l.leave(f)
	d.queued--
	if l.ready && len(l.tenants) == 0 {
		l.ready = false
		d.turns = slices.DeleteFunc(d.turns, func(t *lane[K, W, R]) bool { return t == l })
	}
	if d.ready && len(d.turns) == 0 {
		d.ready = false
		p.ready = slices.DeleteFunc(p.ready, func(r *domain[K, W, R]) bool { return r == d })
	}
	d.drop(l)
	p.drop(d)
}

// drop forgets a lane that holds nothing any more.
func (d *domain[K, W, R]) drop(l *lane[K, W, R]) {
	if len(l.tenants) == 0 && l.running == 0 {
		delete(d.lanes, l.service)
	}
}

// drop forgets a domain that holds nothing any more.
func (p *Pool[K, W, R]) drop(d *domain[K, W, R]) {
	if len(d.lanes) == 0 && d.results == 0 {
		delete(p.domains, d.name)
	}
}
