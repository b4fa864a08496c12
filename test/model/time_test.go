// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"sync"
	"testing/synctest"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

// timeline tells three times apart. The wall clock is what the operator reads, and what somebody may set. True time is what
// passes, in a controller's queue and for whoever waits for an answer. Credited time is what a gate has to hold for: true
// time and the forward jumps of the wall clock, which no program can tell from it; a backward jump takes nothing away.
type timeline struct {
	wall *clocktesting.FakePassiveClock

	mu      sync.Mutex
	elapsed time.Duration // true
	credit  time.Duration
	lastSet time.Duration // the true time at which the wall clock was last set back
	times   int           // that it was set
}

func newTimeline() *timeline {
	return &timeline{wall: clocktesting.NewFakePassiveClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))}
}

// pass lets true time pass. Whoever waits for an answer notices at the end of it.
func (l *timeline) pass(d time.Duration) {
	if d <= 0 {
		return
	}
	l.mu.Lock()
	l.elapsed += d
	l.credit += d
	l.mu.Unlock()
	l.wall.SetTime(l.wall.Now().Add(d))
	<-time.NewTimer(d).C
	synctest.Wait()
}

// set moves the wall clock alone.
func (l *timeline) set(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times++
	if d > 0 {
		l.credit += d
	} else {
		l.lastSet = l.elapsed
	}
	l.wall.SetTime(l.wall.Now().Add(d))
}

// trueTime is how much true time has passed, credited how much credited time, and setBack when the wall clock was last set
// back, in true time.
func (l *timeline) trueTime() time.Duration { return l.read(&l.elapsed) }
func (l *timeline) credited() time.Duration { return l.read(&l.credit) }
func (l *timeline) setBack() time.Duration  { return l.read(&l.lastSet) }

func (l *timeline) read(d *time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return *d
}

// sets is how often the wall clock was set.
func (l *timeline) sets() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.times
}
