// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package stall notices objects whose time has come and that nobody looks at: work that a queue has
// lost, or that no worker gets to (external-secrets#6053). It goes by what is written down about an
// object and by what the workers tell of their looks, and never by the queue.
package stall

import (
	"iter"
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
	looks   map[K]noted
	pass    uint64 // counts the calls of Advance
	stalled map[K]bool
	stalls  uint64
}

// noted is a look, in nanoseconds since 1970 of which none are the zero time, and the last pass that has
// found its object. There is one for each object, so it is small, and a pass over all writes down nothing else.
type noted struct {
	covered, next int64
	pass          uint64
}

func note(l Look, pass uint64) noted { return noted{nanoseconds(l.Covered), nanoseconds(l.Next), pass} }

func (n noted) look() Look { return Look{instant(n.covered), instant(n.next)} }

func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

// Start says that work begins: a replica that waits for its turn leaves everything undone, and rightly.
func (w *Watch[K]) Start(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since = now
}

// Note takes the place of what was told of the object before.
func (w *Watch[K]) Note(object K, l Look) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.looks == nil {
		w.looks = map[K]noted{}
	}
	w.looks[object] = note(l, w.pass)
}

// Judge looks at all the objects there are, and remembers nothing. plans may not call the Watch.
func (w *Watch[K]) Judge(plans iter.Seq2[K, Plan], now time.Time) Verdict[K] {
	w.mu.Lock()
	defer w.mu.Unlock()
	var v Verdict[K]
	for object, plan := range plans {
		v.judge(object, Due(plan, w.looks[object].look(), w.since), now)
	}
	return v
}

// judge takes in one object that is due then.
func (v *Verdict[K]) judge(object K, due, now time.Time) {
	if due.IsZero() {
		return
	}
	late := now.Sub(due)
	v.Worst = max(v.Worst, late)
	if late > Patience {
		v.Stalled = append(v.Stalled, object)
	}
}

// Advance judges too, forgets what is told of objects that aren't there any more, and returns those that
// have stalled since the last time: each once, until it was looked at. plans may not call the Watch.
func (w *Watch[K]) Advance(plans iter.Seq2[K, Plan], now time.Time) (v Verdict[K], begun []K) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pass++
	for object, plan := range plans {
		look, known := w.looks[object]
		if known {
			look.pass = w.pass
			w.looks[object] = look
		}
		v.judge(object, Due(plan, look.look(), w.since), now)
	}
	for object, look := range w.looks {
		if look.pass != w.pass {
			delete(w.looks, object)
		}
	}
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
