// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package flight

import (
	"slices"
	"time"
)

// A lane is a domain's calls to one service, for which its tenants take turns. Many may share a domain,
// since a service that hangs takes the domain's slots once and not for each of them. In each round a tenant
// starts one call, and first does whose call is needed first: after an outage many have one.
type lane[K, W comparable, R any] struct {
	service string
	tenants []*tenant[K, W, R] // those that have something queued
	round   int
	running int
	ready   bool // stands in domain.turns
}

// A tenant holds what is queued for one for whom a lane's calls are made.
type tenant[K, W comparable, R any] struct {
	name   string
	round  int                // in which it has had its turn, or has come
	queued []*flight[K, W, R] // in the order in which they are to start
}

// enter queues a flight for the tenant, where it isn't yet. One that had nothing queued waits for the
// next round: it may have had its turn in this one.
func (l *lane[K, W, R]) enter(f *flight[K, W, R], name string) {
	at := slices.IndexFunc(l.tenants, func(t *tenant[K, W, R]) bool { return t.name == name })
	if at < 0 {
		at = len(l.tenants)
		l.tenants = append(l.tenants, &tenant[K, W, R]{name: name, round: l.round})
	}
	if t := l.tenants[at]; !slices.Contains(f.tenants, t) {
		f.tenants = append(f.tenants, t)
		t.enter(f)
	}
}

// leave takes a queued flight out, and each tenant of whom it was the last.
func (l *lane[K, W, R]) leave(f *flight[K, W, R]) {
	for _, t := range f.tenants {
		t.leave(f)
	}
	f.tenants = nil
	l.tenants = slices.DeleteFunc(l.tenants, func(t *tenant[K, W, R]) bool { return len(t.queued) == 0 })
}

// next takes out the first flight of the tenant whose turn it is.
func (l *lane[K, W, R]) next() *flight[K, W, R] {
	t := l.first()
	if t == nil {
		l.round++
		t = l.first()
	}
	t.round = l.round
	f := t.queued[0]
	l.leave(f)
	return f
}

// first is the tenant whose call is needed first of those that have yet to have their turn; nil where all have had it.
func (l *lane[K, W, R]) first() *tenant[K, W, R] {
	var first *tenant[K, W, R]
	for _, t := range l.tenants {
		if t.round < l.round && (first == nil || t.queued[0].needed.Before(first.queued[0].needed)) {
			first = t
		}
	}
	return first
}

// enter gives a flight its place: behind those that are needed before it, or as soon. After an outage
// many ask at once, and who asks first isn't whose token ends first.
func (t *tenant[K, W, R]) enter(f *flight[K, W, R]) {
	at, _ := slices.BinarySearchFunc(t.queued, f, func(other, f *flight[K, W, R]) int {
		if other.needed.After(f.needed) {
			return 1
		}
		return -1
	})
	t.queued = slices.Insert(t.queued, at, f)
}

// leave takes a flight out.
func (t *tenant[K, W, R]) leave(f *flight[K, W, R]) {
	t.queued = slices.DeleteFunc(t.queued, func(q *flight[K, W, R]) bool { return q == f })
}

// join has a queued flight start in the tenant's turn as well, and as early as it is needed there.
func (f *flight[K, W, R]) join(name string, needed time.Time) {
	f.lane.enter(f, name)
	if needed.Before(f.needed) {
		f.hasten(needed)
	}
}

// hasten has a queued flight start as early as somebody needs it who has joined. Its tenants keep their turns
// meanwhile, be it the only flight there.
func (f *flight[K, W, R]) hasten(needed time.Time) {
	for _, t := range f.tenants {
		t.leave(f)
	}
	f.needed = needed
	for _, t := range f.tenants {
		t.enter(f)
	}
}
