// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"slices"
	"strings"
	"time"
)

// Version grows whenever something changed that must survive a restart. It starts at zero.
func (c *Cache[E]) Version() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version
}

// Snapshot returns what must survive a restart, the rate and error gates that are shut, in the order of their keys, together
// with the version that they are. There are never more than twice Limits.Total.
func (c *Cache[E]) Snapshot() (entries []Entry[E], version uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return shutEntries(c.observe(), c.rate, c.unavailable), c.version
}

// Restore merges stored entries into the cache; of two for one gate the one that opens later wins, with the larger count of
// failures. Whatever was stored, no gate holds for more than an hour from now, nor beyond its own length when it was made
// in the future. Entries that have opened, open before they were shut, or aren't of a rate or error gate are left out.
// Restoring what a Snapshot gave doesn't change the Version, but for what had to be cut.
func (c *Cache[E]) Restore(entries []Entry[E]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.observe()
	c.rate.purge(now)
	c.unavailable.purge(now)
	// The last to open come last, so that they evict the others where there is too much.
	for _, stored := range slices.SortedFunc(slices.Values(entries), byUntil[E]) {
		if !stored.Kind.persisted() || !stored.Until.After(stored.Since) {
			continue
		}
		e := stored.settled(now)
		if !e.Until.After(now) {
			continue
		}
		e.Scopes = canonical(e.Scopes)
		e.Since, e.Until = floorSecond(e.Since), ceilSecond(e.Until)
		e.Attempts = min(max(e.Attempts, 1), mostAttempts)
		if !e.Until.Equal(stored.Until) {
			c.version++
		}
		c.merge(e)
	}
}

// merge puts e into its store, unless what is there opens as late.
func (c *Cache[E]) merge(e Entry[E]) {
	s, key := c.storeOf(e.Kind), e.Key()
	if old, ok := s.get(e.Domain, key); ok {
		attempts := max(e.Attempts, old.Attempts)
		if !e.Until.After(old.Until) {
			e = old
		}
		e.Attempts = attempts
	}
	s.put(key, e)
}

// shutEntries returns the entries of the stores whose gates are shut, in the order of their keys.
func shutEntries[E any](now time.Time, stores ...*store[E]) []Entry[E] {
	var items []*item[E]
	for _, s := range stores {
		for _, sh := range s.shares {
			for _, it := range sh.queue {
				if it.Until.After(now) {
					items = append(items, it)
				}
			}
		}
	}
	slices.SortFunc(items, func(a, b *item[E]) int { return strings.Compare(a.key, b.key) })
	entries := make([]Entry[E], 0, len(items))
	for _, it := range items {
		e := it.Entry
		e.Scopes = slices.Clone(e.Scopes)
		entries = append(entries, e)
	}
	return entries
}
