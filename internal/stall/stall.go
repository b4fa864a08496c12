// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package stall notices objects whose time has come and that nobody looks at: work that a queue has
// lost, or that no worker gets to (external-secrets#6053). It goes by what is written down about an
// object and by what the workers tell of their looks, and never by the queue.
package stall

import (
	"sync"
	"time"
)

// Patience is by how much a due time may pass before the object counts as stalled. A queue that works
// is late by a second or two.
const Patience = time.Minute

// Plan is what is written down about an object.
type Plan struct {
	// At is when the next attempt is due; zero: nothing is planned.
	At time.Time
	// Rests says that nothing is due, whatever was planned or promised: the object is suspended, or on
	// its way out.
	Rests bool
}

// Look is what a worker tells of an object.
type Look struct {
	// Covered is the instant up to which plans are dealt with by this look. While a call is under way,
	// which a look started, that lies ahead.
	Covered time.Time
	// Next is when the object is to be looked at again; zero: not by itself.
	Next time.Time
}

// Due says when the object has to be looked at, or to be done with: at a plan that no look has covered, or
// when the last look said, whichever is first. Zero is never. Nobody who begins to watch at an instant is blamed for what
// was due before.
func Due(p Plan, l Look, since time.Time) time.Time {
	due := l.Next
	if p.At.After(l.Covered) && (due.IsZero() || p.At.Before(due)) {
		due = p.At
	}
	if p.Rests || due.IsZero() || since.IsZero() {
		return time.Time{}
	}
	if due.Before(since) {
		return since
	}
	return due
}

// Verdict is what a Watch finds at one moment.
type Verdict[K comparable] struct {
	// Stalled are the objects whose due time passed by more than Patience.
	Stalled []K
	// Worst is by how much that of the one which waits longest has passed; zero when none has.
	Worst time.Duration
}

// Watch knows the looks. Its zero value judges nobody before Start. All methods are safe for concurrent
// use.
type Watch[K comparable] struct {
	mu      sync.Mutex
	since   time.Time
	looks   map[K]Look
	stalled map[K]bool
	stalls  uint64
}

// Start says that work begins: a replica that waits for its turn leaves everything undone, and rightly.
func (w *Watch[K]) Start(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since = now
}

// Started says whether Start was called.
func (w *Watch[K]) Started() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.since.IsZero()
}

// Note takes the place of what was told of the object before.
func (w *Watch[K]) Note(object K, l Look) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.looks == nil {
		w.looks = map[K]Look{}
	}
	w.looks[object] = l
}

// Judge looks at all the objects there are, and remembers nothing.
func (w *Watch[K]) Judge(plans map[K]Plan, now time.Time) Verdict[K] {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.judge(plans, now)
}

func (w *Watch[K]) judge(plans map[K]Plan, now time.Time) Verdict[K] {
	var v Verdict[K]
	for object, plan := range plans {
		due := Due(plan, w.looks[object], w.since)
		if due.IsZero() {
			continue
		}
		late := now.Sub(due)
		v.Worst = max(v.Worst, late)
		if late > Patience {
			v.Stalled = append(v.Stalled, object)
		}
	}
	return v
}

// Advance judges too, forgets what is told of objects that aren't there any more, and returns those that
// have stalled since the last time: each once, until it was looked at.
func (w *Watch[K]) Advance(plans map[K]Plan, now time.Time) (v Verdict[K], begun []K) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for object := range w.looks {
		if _, there := plans[object]; !there {
			delete(w.looks, object)
		}
	}
	v = w.judge(plans, now)
	stalled := make(map[K]bool, len(v.Stalled))
	for _, object := range v.Stalled {
		stalled[object] = true
		if !w.stalled[object] {
			begun = append(begun, object)
		}
	}
	w.stalled = stalled
	w.stalls += uint64(len(begun))
	return v, begun
}

// Stalls counts those that Advance has returned.
func (w *Watch[K]) Stalls() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stalls
}
