// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"fmt"
	"testing"
	"time"
)

func begin() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// gate returns a rate gate of one domain that opens after the given time.
func gate(name string, opens time.Duration) (string, Entry[int]) {
	e := newEntry[int](Rate, Request{Domain: "ns/a", ClientID: name})
	e.Since, e.Until, e.Attempts = begin(), begin().Add(opens), 1
	return e.Key(), e
}

// consistent fails the test unless map, heap and count of the store tell the same story, within the limits.
func consistent(t *testing.T, s *store[int]) {
	t.Helper()
	size := 0
	for domain, sh := range s.shares {
		size += len(sh.items)
		if len(sh.items) == 0 || len(sh.items) != len(sh.queue) || len(sh.items) > s.limits.PerDomain {
			t.Fatalf("domain %s: %d in the map, %d in the heap, %d allowed", domain, len(sh.items), len(sh.queue), s.limits.PerDomain)
		}
		for place, it := range sh.queue {
			switch {
			case it.place != place || sh.items[it.key] != it || it.Key() != it.key || it.Domain != domain:
				t.Fatalf("domain %s: entry at %d of the heap isn't the map's", domain, place)
			case place > 0 && sh.queue.Less(place, (place-1)/2):
				t.Fatalf("domain %s: heap order broken at %d", domain, place)
			}
		}
	}
	if size != s.size || size > s.limits.Total {
		t.Fatalf("%d entries, counted as %d, %d allowed", size, s.size, s.limits.Total)
	}
}

// The three tests below are the defects A, B and C of MSAL Python's ExpiringMapping.

func TestAnEntryThatOpensBeforeAllOthersIsIndexedToo(t *testing.T) {
	s := newStore[int](Limits{PerDomain: 2, Total: 2})
	for name, opens := range map[string]time.Duration{"x": 10 * time.Minute, "y": 20 * time.Minute} {
		s.put(gate(name, opens))
	}
	key, soonest := gate("z", time.Second)
	s.put(key, soonest)
	consistent(t, s)
	if _, ok := s.get("ns/a", key); !ok || s.size != 2 {
		t.Errorf("the new entry is there: %v, of %d", ok, s.size)
	}
	if key, _ := gate("x", 0); s.shares["ns/a"].items[key] != nil {
		t.Error("evicted another than the soonest of those that were there")
	}
}

func TestPurgingAFullStoreAfterManyShortEntriesDoesNotRunDry(t *testing.T) {
	s := newStore[int](Limits{PerDomain: 8, Total: 8})
	for i := range 8 {
		s.put(gate(fmt.Sprint("long", i), 24*time.Hour))
	}
	for i := range 100 {
		s.put(gate(fmt.Sprint("short", i), time.Duration(i)*time.Millisecond))
		s.purge(begin().Add(memory + time.Duration(i)*time.Millisecond))
		consistent(t, s)
	}
	s.purge(begin().Add(48 * time.Hour))
	consistent(t, s)
	if s.size != 0 || len(s.shares) != 0 {
		t.Errorf("%d entries in %d domains are left", s.size, len(s.shares))
	}
}

func TestUpdatingAnEntryLeavesNoOrphanToEvictInItsPlace(t *testing.T) {
	s := newStore[int](Limits{PerDomain: 2, Total: 2})
	for i := range 50 {
		s.put(gate("often", time.Duration(50-i)*time.Minute))
		consistent(t, s)
	}
	s.put(gate("second", time.Hour))
	s.put(gate("third", time.Hour))
	consistent(t, s)
	if s.size != 2 {
		t.Errorf("a store of 2 holds %d", s.size)
	}
	if key, _ := gate("often", 0); s.shares["ns/a"].items[key] != nil {
		t.Error("the soonest entry is still there")
	}
}

func TestDroppingWhatIsNotThereChangesNothing(t *testing.T) {
	s := newStore[int](Limits{PerDomain: 2, Total: 2})
	s.put(gate("x", time.Minute))
	s.drop("ns/a", "rate-of-nobody")
	s.drop("ns/nobody", "rate-of-nobody")
	consistent(t, s)
	if s.size != 1 {
		t.Errorf("%d entries are left, want 1", s.size)
	}
}
