// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import "container/list"

// lru is a map of at most so many entries that forgets the one that was used the
// longest ago. It isn't safe for concurrent use.
type lru[K comparable, V any] struct {
	most    int
	entries map[K]*list.Element
	order   *list.List // of *lruEntry, the last used first
}

type lruEntry[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](most int) *lru[K, V] {
	return &lru[K, V]{most: most, entries: map[K]*list.Element{}, order: list.New()}
}

func (c *lru[K, V]) get(key K) (V, bool) {
	e, ok := c.entries[key]
	if !ok {
		var none V
		return none, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*lruEntry[K, V]).value, true
}

// put stores the value and returns the one that it forgot for it.
func (c *lru[K, V]) put(key K, value V) (forgotten V, full bool) {
	if e, ok := c.entries[key]; ok {
		e.Value.(*lruEntry[K, V]).value = value
		c.order.MoveToFront(e)
		return forgotten, false
	}
	c.entries[key] = c.order.PushFront(&lruEntry[K, V]{key: key, value: value})
	if c.order.Len() <= c.most {
		return forgotten, false
	}
	oldest := c.order.Remove(c.order.Back()).(*lruEntry[K, V])
	delete(c.entries, oldest.key)
	return oldest.value, true
}
