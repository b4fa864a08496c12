// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"sync"
	"time"
)

// Dated is a cache whose callers say what time it is.
type Dated[E any] struct {
	*Cache[E]
	mu  sync.Mutex
	now time.Time
}

// NewDated returns a cache that New made, with a clock that each call sets.
func NewDated[E any](l Limits) *Dated[E] {
	d := &Dated[E]{}
	d.Cache = New[E](l, stopped{&d.now})
	return d
}

type stopped struct{ at *time.Time }

func (s stopped) Now() time.Time { return *s.at }

// at sets the clock until the function that is returned is called.
func (d *Dated[E]) at(now time.Time) (done func()) {
	d.mu.Lock()
	d.now = now
	return d.mu.Unlock
}

// Admit is Cache.Admit at that time.
func (d *Dated[E]) Admit(r Request, now time.Time, forced bool) Verdict[E] {
	defer d.at(now)()
	return d.Cache.Admit(r, forced)
}

// Enter is Cache.Enter at that time.
func (d *Dated[E]) Enter(r Request, now time.Time, forced bool) Verdict[E] {
	defer d.at(now)()
	return d.Cache.Enter(r, forced)
}

// Remember is Cache.Remember at that time.
func (d *Dated[E]) Remember(r Request, f Failure[E], now time.Time) Verdict[E] {
	defer d.at(now)()
	return d.Cache.Remember(r, f)
}

// Succeeded is Cache.Succeeded at that time.
func (d *Dated[E]) Succeeded(r Request, now time.Time) {
	defer d.at(now)()
	d.Cache.Succeeded(r)
}

// List is Cache.List at that time.
func (d *Dated[E]) List(now time.Time) []Entry[E] {
	defer d.at(now)()
	return d.Cache.List()
}

// Snapshot is Cache.Snapshot at that time.
func (d *Dated[E]) Snapshot(now time.Time) ([]Entry[E], uint64) {
	defer d.at(now)()
	return d.Cache.Snapshot()
}

// Restore is Cache.Restore at that time.
func (d *Dated[E]) Restore(entries []Entry[E], now time.Time) {
	defer d.at(now)()
	d.Cache.Restore(entries)
}

// Latest is the latest time that the cache has seen.
func (c *Cache[E]) Latest() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.latest
}
