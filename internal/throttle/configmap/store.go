// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package configmap keeps the gates of a throttle.Cache in one ConfigMap, so that a Retry-After outlives the process that
// received it. Many reconciles close gates at once; their writes are grouped, and each of them returns when its own gate is
// stored.
package configmap

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokenrequest.dev/operator/internal/throttle"
)

// requestTimeout bounds one Load and one write with all its repetitions: an API server that hangs must not hold back those
// who wait for longer, and the gate is shut in memory anyway.
const requestTimeout = 10 * time.Second

// Store loads and saves a cache. Create it with New; its methods may be called by any number of goroutines. Only the leader
// writes: it calls Load once it has won its lease and before it admits the first request, then Sync after each failure that
// it remembered and before a status that shows it.
//
// What is stored is a copy: the cache is never read back but by Load and after a conflict with another writer. A ConfigMap
// that somebody deletes comes back, whole, with the next change.
type Store[E any] struct {
	client    client.Client
	key       types.NamespacedName
	cache     *throttle.Cache[E]
	clock     clock.PassiveClock
	onGarbage func(Problem)
	flush     sync.Once
	flushed   chan struct{} // closed by the first Flush: no write rests any more

	mu      sync.Mutex
	seen    metav1.ObjectMeta // of the ConfigMap, as last read or written; without a resourceVersion there is none
	durable uint64            // the version of the cache that the ConfigMap holds
	opens   time.Time         // when the first gate in the ConfigMap opens; zero when it holds none
	stale   bool              // it shows a gate that has opened
	rested  <-chan time.Time  // when the next write may begin; nil for at once
	running *commit
	queued  *commit
}

// commit is one write and all who wait for it.
type commit struct {
	done    chan struct{} // closed at the end
	err     error         // set before done is closed
	taken   bool          // the snapshot is taken; what changes from here on is for the next write
	version uint64        // of the snapshot
	opens   time.Time     // when its first gate opens
}

// holds says whether the commit will store the version.
func (c *commit) holds(version uint64) bool { return !c.taken || c.version >= version }

// New returns a Store of the cache in the ConfigMap of that name, which needn't exist. The client has to read live, past any
// informer cache, or a new leader would start with the gates of a while ago. onGarbage hears of each data key that can't be
// used; it may be called from several goroutines and must not call the Store.
func New[E any](
	c client.Client, key types.NamespacedName, cache *throttle.Cache[E], clock clock.PassiveClock, onGarbage func(problem Problem),
) *Store[E] {
	return &Store[E]{client: c, key: key, cache: cache, clock: clock, onGarbage: onGarbage, flushed: make(chan struct{})}
}

// Load restores the stored gates into the cache, with one read. A ConfigMap that doesn't exist holds none. Data that can't be
// used is reported and otherwise left alone: a gate that is lost costs one call, an operator that doesn't start costs every
// token. The error is the API server's; nothing was restored then.
func (s *Store[E]) Load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return s.read(ctx)
}

// Sync returns once everything that the cache held when it was called is stored; at once and without a request when it
// already is. However many callers there are, at most one write is under way and one queued behind it, which takes
// along all that came meanwhile. After a large one the next begins up to half a second later. A write belongs to all who wait
// for it: the end of ctx ends the wait, not the write.
//
// An error says that the gates hold in memory alone; the next Sync tries again.
func (s *Store[E]) Sync(ctx context.Context) error {
	c := s.join(ctx)
	if c == nil {
		return nil
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return fmt.Errorf("waiting for ConfigMap %s to be written: %w", s.key, ctx.Err())
	}
}

// Flush is Sync for the end of the process: from now on no write waits for its turn.
func (s *Store[E]) Flush(ctx context.Context) error {
	s.flush.Do(func() { close(s.flushed) })
	return s.Sync(ctx)
}

// Tidy writes the ConfigMap anew when it shows a gate that has opened meanwhile, so that it goes on answering who has to wait
// though nobody fails any more. Otherwise it makes no request.
func (s *Store[E]) Tidy(ctx context.Context) error {
	s.mu.Lock()
	s.stale = s.stale || !s.opens.IsZero() && !s.clock.Now().Before(s.opens)
	s.mu.Unlock()
	return s.Sync(ctx)
}

// join returns the commit that will store the cache's present version, started or queued; nil when there is nothing to store.
func (s *Store[E]) join(ctx context.Context) *commit {
	s.mu.Lock()
	defer s.mu.Unlock()
	version := s.cache.Version()
	switch {
	case s.durable >= version && !s.stale:
		return nil
	case s.running == nil:
		s.running = &commit{done: make(chan struct{})}
		go s.run(context.WithoutCancel(ctx), s.running)
		return s.running
	case s.running.holds(version) && !s.stale:
		return s.running
	case s.queued == nil:
		s.queued = &commit{done: make(chan struct{})}
	}
	return s.queued
}

// run writes the commit, then the one that was queued meanwhile, until there is none.
func (s *Store[E]) run(ctx context.Context, c *commit) {
	for c != nil {
		s.rest()
		c = s.finish(c, s.write(ctx, c))
	}
}

// finish hands the outcome to all who wait and returns the next commit, nil when none is queued.
func (s *Store[E]) finish(c *commit, err error) *commit {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.durable = max(s.durable, c.version)
		s.opens = c.opens
	}
	c.err = err
	close(c.done)
	s.running, s.queued = s.queued, nil
	return s.running
}
