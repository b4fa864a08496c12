// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package flight

import (
	"sync"
	"time"
)

// Shelf keeps results for others who ask for the same later, in memory and for as long as they are
// good. It is bounded: when it is full, the domain with the most results gives up the one that ends
// soonest, so that no tenant can push another's out. Use [NewShelf] to make one; it is safe for
// concurrent use.
type Shelf[K comparable, R any] struct {
	mu      sync.Mutex
	most    int
	kept    int
	hits    uint64
	domains map[string]map[K]shelved[R]
}

type shelved[R any] struct {
	result R
	until  time.Time
}

// NewShelf returns a shelf for at most so many results, which must be positive.
func NewShelf[K comparable, R any](most int) *Shelf[K, R] {
	if most <= 0 {
		panic("flight: a shelf must have room")
	}
	return &Shelf[K, R]{most: most, domains: map[string]map[K]shelved[R]{}}
}

// Put keeps a result until the given time, in place of what was kept for the key.
func (s *Shelf[K, R]) Put(domain string, key K, result R, until, now time.Time) {
	if !now.Before(until) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.domains[domain]
	if !ok {
		d = map[K]shelved[R]{}
		s.domains[domain] = d
	}
	if _, there := d[key]; !there {
		if s.kept == s.most {
			s.evict(now)
		}
		s.kept++
	}
	// The eviction may have emptied this very domain.
	s.domains[domain] = d
	d[key] = shelved[R]{result: result, until: until}
}

// Get returns what is kept for the key and still good.
func (s *Shelf[K, R]) Get(domain string, key K, now time.Time) (R, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.domains[domain][key]
	if !ok || !now.Before(found.until) {
		s.take(domain, key)
		var none R
		return none, false
	}
	return found.result, true
}

// Used counts a result that served somebody else than who asked for it.
func (s *Shelf[K, R]) Used() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hits++
}

// Hits is how many results were Used.
func (s *Shelf[K, R]) Hits() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits
}

// evict makes room for one result: it drops what has ended, or else, of the domain that holds the
// most, what ends soonest.
func (s *Shelf[K, R]) evict(now time.Time) {
	fullest := ""
	for name, d := range s.domains {
		for key, kept := range d {
			if !now.Before(kept.until) {
				s.take(name, key)
			}
		}
		if len(d) > len(s.domains[fullest]) || len(d) == len(s.domains[fullest]) && name < fullest {
			fullest = name
		}
	}
	if s.kept < s.most {
		return
	}
	var soonest K
	var until time.Time
	for key, kept := range s.domains[fullest] {
		if until.IsZero() || kept.until.Before(until) {
			soonest, until = key, kept.until
		}
	}
	s.take(fullest, soonest)
}

func (s *Shelf[K, R]) take(domain string, key K) {
	d := s.domains[domain]
	if _, there := d[key]; !there {
		return
	}
	delete(d, key)
	s.kept--
	if len(d) == 0 {
		delete(s.domains, domain)
	}
}
