// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"container/heap"
	"time"
)

// store is a bounded set of entries of one kind, divided by tenancy domain. It isn't safe for concurrent use.
type store[E any] struct {
	limits Limits
	size   int
	shares map[string]*share[E] // by domain; a share that is empty is removed
}

// share is what one domain holds: the same items in a map by their key and in a heap by when they open. Each item knows its
// place in the heap, so that a changed or removed one leaves no orphan behind (MSAL Python's mapping leaves one per update,
// then evicts the orphan instead of an entry).
type share[E any] struct {
	items map[string]*item[E]
	queue queue[E]
}

type item[E any] struct {
	Entry[E]
	key   string
	place int
}

func newStore[E any](l Limits) *store[E] {
	return &store[E]{limits: l, shares: map[string]*share[E]{}}
}

// get returns the domain's entry of that key, whether its gate is shut or its count merely remembered.
func (s *store[E]) get(domain, key string) (Entry[E], bool) {
	if sh, ok := s.shares[domain]; ok {
		if it, ok := sh.items[key]; ok {
			return it.Entry, true
		}
	}
	return Entry[E]{}, false
}

// holding returns the entries of a rate gate that hold back a request like probe: the one of its own scopes and, once two
// or more sets of scopes of the same client are shut at the same time, the one that ends this state. Two at once are taken
// as the whole client's being throttled.
func (s *store[E]) holding(probe Entry[E], now time.Time) []Entry[E] {
	sh, ok := s.shares[probe.Domain]
	if !ok {
		return nil
	}
	var shut []Entry[E]
	if own, ok := sh.items[probe.Key()]; ok && own.Until.After(now) {
		shut = append(shut, own.Entry)
	}
	if e, ok := sh.secondToLast(probe.Endpoint, probe.Client, now); ok {
		shut = append(shut, e)
	}
	return shut
}

// secondToLast returns the client's shut gate after whose opening only one is left, if there are two or more.
func (sh *share[E]) secondToLast(endpoint, client string, now time.Time) (Entry[E], bool) {
	var last, second *item[E]
	for _, it := range sh.queue {
		if !it.Until.After(now) || it.Endpoint != endpoint || it.Client != client {
			continue
		}
		if last == nil || byUntil(it.Entry, last.Entry) > 0 {
			last, second = it, last
		} else if second == nil || byUntil(it.Entry, second.Entry) > 0 {
			second = it
		}
	}
	if second == nil {
		return Entry[E]{}, false
	}
	return second.Entry, true
}

// put adds the entry, or replaces the one of the same key. What it evicts is never the entry itself (MSAL Python stores a new
// entry that expires before all others without indexing it, and later runs out of index).
func (s *store[E]) put(key string, e Entry[E]) {
	if sh, ok := s.shares[e.Domain]; ok {
		if it, ok := sh.items[key]; ok {
			it.Entry = e
			heap.Fix(&sh.queue, it.place)
			return
		}
	}
	s.makeRoom(e.Domain)
	sh, ok := s.shares[e.Domain]
	if !ok {
		sh = &share[E]{items: map[string]*item[E]{}}
		s.shares[e.Domain] = sh
	}
	it := &item[E]{Entry: e, key: key}
	sh.items[key] = it
	heap.Push(&sh.queue, it)
	s.size++
}

// drop removes the domain's entry of that key, if there is one.
func (s *store[E]) drop(domain, key string) {
	sh, ok := s.shares[domain]
	if !ok {
		return
	}
	it, ok := sh.items[key]
	if !ok {
		return
	}
	heap.Remove(&sh.queue, it.place)
	delete(sh.items, key)
	s.size--
	if len(sh.items) == 0 {
		delete(s.shares, domain)
	}
}

// makeRoom evicts what has to go before the domain gets one entry more: its own when it holds all that it may, otherwise
// one of the domain that holds the most.
func (s *store[E]) makeRoom(domain string) {
	if sh, ok := s.shares[domain]; ok && len(sh.items) >= s.limits.PerDomain {
		s.evict(domain)
	}
	if s.size >= s.limits.Total {
		s.evict(s.fullest(domain))
	}
}

// evict removes the domain's entry that opens, or has opened, before all its others.
func (s *store[E]) evict(domain string) {
	s.drop(domain, s.shares[domain].queue[0].key)
}

// fullest returns the domain that would hold the most entries once the newcomer has one more. Between equals the newcomer
// pays; else whose next entry opens first, since losing that one matters least. The store isn't empty.
func (s *store[E]) fullest(newcomer string) string {
	var best string
	var bestSize int
	if own, ok := s.shares[newcomer]; ok {
		best, bestSize = newcomer, len(own.items)+1
	}
	for domain, sh := range s.shares {
		if domain == newcomer {
			continue
		}
		size := len(sh.items)
		if size > bestSize || size == bestSize && best != newcomer && byUntil(sh.queue[0].Entry, s.shares[best].queue[0].Entry) < 0 {
			best, bestSize = domain, size
		}
	}
	return best
}

// purge removes the entries whose counts are no longer remembered.
func (s *store[E]) purge(now time.Time) {
	for domain, sh := range s.shares {
		for len(sh.queue) > 0 && !sh.queue[0].Until.Add(memory).After(now) {
			s.drop(domain, sh.queue[0].key)
		}
	}
}

// rewind puts entries that were made in the future on the present clock.
func (s *store[E]) rewind(now time.Time) {
	for _, sh := range s.shares {
		for _, it := range sh.queue {
			it.Entry = it.settled(now)
		}
		heap.Init(&sh.queue)
	}
}

// queue is a heap of items, the one that opens first on top.
type queue[E any] []*item[E]

func (q queue[E]) Len() int           { return len(q) }
func (q queue[E]) Less(i, j int) bool { return byUntil(q[i].Entry, q[j].Entry) < 0 }

func (q queue[E]) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push implements heap.Interface.
func (q *queue[E]) Push(x any) {
	it := x.(*item[E])
	it.place = len(*q)
	*q = append(*q, it)
}

// Pop implements heap.Interface.
func (q *queue[E]) Pop() any {
	last := len(*q) - 1
	it := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return it
}
