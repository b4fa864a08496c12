// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"sync"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"
)

// boundLock is a lease whose leader spends no time on it once it couldn't renew it within the deadline.
// client-go has such a leader ask for as long again whether it may give the lease back, which it can't
// when the network is partitioned; it would lead on meanwhile, and past the other replica's start.
type boundLock struct {
	resourcelock.Interface
	clock    clock.PassiveClock
	deadline time.Duration

	mu      sync.Mutex
	renewed time.Time // when the last write was asked for that succeeded; zero: the lease was never held
}

// Get bounds the wrapped lock's.
func (l *boundLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	return l.Interface.Get(ctx)
}

// Create bounds the wrapped lock's.
func (l *boundLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.write(ctx, record, l.Interface.Create)
}

// Update bounds the wrapped lock's.
func (l *boundLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.write(ctx, record, l.Interface.Update)
}

func (l *boundLock) write(
	ctx context.Context, record resourcelock.LeaderElectionRecord, do func(context.Context, resourcelock.LeaderElectionRecord) error,
) error {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	asked := l.clock.Now()
	if err := do(ctx, record); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.renewed = asked
	return nil
}

// bound ends the context when the lease is lost. One that was never held isn't.
func (l *boundLock) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.renewed.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, l.renewed.Add(l.deadline).Sub(l.clock.Now()))
}
