// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package flight

import (
	"container/list"
	"slices"
	"time"
)

// A wait is one waiter's claim on one flight, and then on its result.
type wait[K, W comparable, R any] struct {
	key    K
	waiter W
	needed time.Time
	domain *domain[K, W, R]
	flight *flight[K, W, R] // nil once landed: its Do may hold a credential
	state  State
	result R
	until  time.Time     // when a Done result is dropped, unless somebody looks before
	place  *list.Element // in Pool.kept, of a Done result
	news   *news         // of the flight that has brought it
}

// news is that a flight has landed, until somebody who waits for it has looked.
type news struct {
	until time.Time     // when nobody seems to come any more
	place *list.Element // in Pool.unread; nil once somebody came
}

// keep turns a wait into a result to collect and makes room for it.
func (p *Pool[K, W, R]) keep(w *wait[K, W, R], result R, n *news) {
	w.state, w.result, w.flight, w.news = Done, result, nil, n
	w.until = p.clock.Now().Add(p.limits.Keep)
	w.place = p.kept.PushBack(w)
	w.domain.results++
	if p.kept.Len() > p.limits.Results {
		p.evict()
	}
}

// evict drops the oldest result of the domain that keeps the most, by the last look at it: one
// that doesn't collect its results loses its own and nobody else's.
func (p *Pool[K, W, R]) evict() {
	most := 0
	for _, d := range p.domains {
		most = max(most, d.results)
	}
	for e := p.kept.Front(); e != nil; e = e.Next() {
		if w := e.Value.(*wait[K, W, R]); w.domain.results == most {
			p.forget(w)
			return
		}
	}
}

// read is what a waiter is told. A result that is looked at makes room for another
// flight, and stays: who looks and doesn't release it can't use it yet, and comes again.
func (p *Pool[K, W, R]) read(w *wait[K, W, R]) (R, State) {
	if w.state == Done {
		w.until = p.clock.Now().Add(p.limits.Keep)
		p.kept.MoveToBack(w.place)
		p.strike(w.news)
		p.start()
	}
	return w.result, w.state
}

// announce begins the news of a flight that somebody waits for.
func (p *Pool[K, W, R]) announce() *news {
	n := &news{until: p.clock.Now().Add(p.limits.Keep / 40)}
	n.place = p.unread.PushBack(n)
	return n
}

// strike ends news.
func (p *Pool[K, W, R]) strike(n *news) {
	if n.place != nil {
		p.unread.Remove(n.place)
		n.place = nil
	}
}

// tidy drops the results that nobody has released in time, and ends the news that
// nobody comes for. Either last for equally long, so the lists are in the order of
// their ends.
func (p *Pool[K, W, R]) tidy() {
	now := p.clock.Now()
	for e := p.kept.Front(); e != nil && !now.Before(e.Value.(*wait[K, W, R]).until); e = p.kept.Front() {
		p.forget(e.Value.(*wait[K, W, R]))
	}
	for e := p.unread.Front(); e != nil && !now.Before(e.Value.(*news).until); e = p.unread.Front() {
		p.strike(e.Value.(*news))
	}
	p.start()
}

// forget drops a waiter's wait or result.
func (p *Pool[K, W, R]) forget(w *wait[K, W, R]) {
	delete(p.waits, w.waiter)
	if w.state == Done {
		p.kept.Remove(w.place)
		p.strike(w.news)
		w.domain.results--
		p.drop(w.domain)
		return
	}
	f := w.flight
	f.waits = slices.DeleteFunc(f.waits, func(o *wait[K, W, R]) bool { return o == w })
	p.abandon(f)
}
