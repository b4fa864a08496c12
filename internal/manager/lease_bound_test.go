// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"
)

// partitioned is a lease on an API server that stops answering.
type partitioned struct {
	resourcelock.Interface
	cut bool
}

func (p *partitioned) ask(ctx context.Context) error {
	if p.cut {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (p *partitioned) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	return nil, nil, p.ask(ctx)
}

func (p *partitioned) Create(ctx context.Context, _ resourcelock.LeaderElectionRecord) error {
	return p.ask(ctx)
}

func (p *partitioned) Update(ctx context.Context, _ resourcelock.LeaderElectionRecord) error {
	return p.ask(ctx)
}

// What it takes when the leader is cut off; the test's clock stands still but for waits.
func TestALeaderThatIsCutOffAsksForNoLongerThanItsDeadline(t *testing.T) {
	record := resourcelock.LeaderElectionRecord{}
	for name, ask := range map[string]func(*boundLock, context.Context) error{
		"reading": func(l *boundLock, ctx context.Context) error { _, _, err := l.Get(ctx); return err },
		"writing": func(l *boundLock, ctx context.Context) error { return l.Update(ctx, record) },
		"making":  func(l *boundLock, ctx context.Context) error { return l.Create(ctx, record) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &partitioned{}
				l := &boundLock{Interface: server, clock: clock.RealClock{}, deadline: 10 * time.Second}
				if err := l.Create(t.Context(), record); err != nil {
					t.Fatal(err)
				}
				<-time.After(8 * time.Second)
				if err := l.Update(t.Context(), record); err != nil {
					t.Fatal(err)
				}
				server.cut = true
				cut := time.Now()
				for range 3 {
					if err := ask(l, t.Context()); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("%v, want that the deadline has passed", err)
					}
				}
				if took := time.Since(cut); took != 10*time.Second {
					t.Errorf("asked for %s, want 10s in all", took)
				}
			})
		})
	}
}

func TestWhoNeverHeldTheLeaseAsksForAsLongAsItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &boundLock{Interface: &partitioned{cut: true}, clock: clock.RealClock{}, deadline: 10 * time.Second}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		asked := time.Now()
		if _, _, err := l.Get(ctx); err == nil || time.Since(asked) != time.Minute {
			t.Errorf("%v after %s, want to wait for the minute that it was given", err, time.Since(asked))
		}
	})
}
