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
	timeout time.Duration
	do      func(context.Context) R
	started bool
	waits   []*wait[K, W, R] // in the order of the asks
}

// A domain holds what one tenant has queued and how much it has under way.
type domain[K, W comparable, R any] struct {
	name    string
	queued  []*flight[K, W, R]
	running int
	results int
	ready   bool // stands in Pool.ready
}

// queue puts a new flight at the end of its domain's queue.
func (p *Pool[K, W, R]) queue(a Ask[K, W, R]) *flight[K, W, R] {
	d, ok := p.domains[a.Domain]
	if !ok {
		d = &domain[K, W, R]{name: a.Domain}
		p.domains[a.Domain] = d
	}
	f := &flight[K, W, R]{key: a.Key, domain: d, timeout: a.Timeout, do: a.Do}
	d.queued = append(d.queued, f)
	p.flights[a.Key] = f
	p.line(d)
	return f
}

// line gives the domain its place among those that take turns, if it has a
// flight that may start.
func (p *Pool[K, W, R]) line(d *domain[K, W, R]) {
	if d.ready || len(d.queued) == 0 || d.running >= p.limits.PerDomain {
		return
	}
	d.ready = true
	p.ready = append(p.ready, d)
}

// start starts what the limits allow, one flight of each domain in turn.
func (p *Pool[K, W, R]) start() {
	if p.ctx == nil || p.ctx.Err() != nil {
		return
	}
	for p.running < p.limits.Total && len(p.ready) > 0 {
		d := p.ready[0]
		p.ready = slices.Delete(p.ready, 0, 1)
		d.ready = false
		f := d.queued[0]
		d.queued = slices.Delete(d.queued, 0, 1)
		f.started = true
		d.running++
		p.running++
		p.landed.Go(func() { p.fly(f) })
		p.line(d)
	}
}

// fly makes the call and wakes those who wait for it. The context is the
// pool's: the worker that asked has long gone on.
func (p *Pool[K, W, R]) fly(f *flight[K, W, R]) {
	ctx, cancel := context.WithTimeout(p.ctx, f.timeout)
	defer cancel()
	for _, w := range p.land(f, f.do(ctx)) {
		p.wake(w)
	}
}

// land hands the result to those who wait, gives the slot to the next flight
// and returns whom to wake: nobody once the pool's context has ended, since the
// result may then be no more than the echo of our own cancellation.
func (p *Pool[K, W, R]) land(f *flight[K, W, R], result R) []W {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire()
	p.running--
	f.domain.running--
	if p.ctx.Err() != nil {
		return nil
	}
	delete(p.flights, f.key)
	woken := make([]W, 0, len(f.waits))
	for _, w := range f.waits {
		p.keep(w, result)
		woken = append(woken, w.waiter)
	}
	p.line(f.domain)
	p.drop(f.domain)
	p.start()
	return woken
}

// abandon takes the flight's queued call away when nobody waits for it.
func (p *Pool[K, W, R]) abandon(f *flight[K, W, R]) {
	if f.started || len(f.waits) > 0 {
		return
	}
	delete(p.flights, f.key)
	d := f.domain
	d.queued = slices.DeleteFunc(d.queued, func(q *flight[K, W, R]) bool { return q == f })
	if d.ready && len(d.queued) == 0 {
		d.ready = false
		p.ready = slices.DeleteFunc(p.ready, func(r *domain[K, W, R]) bool { return r == d })
	}
	p.drop(d)
}

// drop forgets a domain that holds nothing any more.
func (p *Pool[K, W, R]) drop(d *domain[K, W, R]) {
	if len(d.queued) == 0 && d.running == 0 && d.results == 0 {
		delete(p.domains, d.name)
	}
}
