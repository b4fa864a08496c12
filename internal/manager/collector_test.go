// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestTheCollectorHasRoom(t *testing.T) {
	for live, want := range map[uint64]int{
		0:        mostPercent, // before the first collection
		4 << 20:  mostPercent,
		20 << 20: 100,
		25 << 20: 60,
		40 << 20: leastPercent,
		1 << 30:  leastPercent,
	} {
		if got := roomFor(live); got != want {
			t.Errorf("%d bytes are live: %d %%, want %d %%", live, got, want)
		}
	}
}

func TestTheRoomFollowsTheHeap(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	keepRoom()
	ballast := make([]byte, 256<<20)
	deadline := time.Now().Add(time.Minute)
	for percent() != leastPercent {
		if time.Now().After(deadline) {
			t.Fatalf("the collector has %d %% for a heap of 256 MiB", percent())
		}
		runtime.GC()
	}
	runtime.KeepAlive(ballast)
}

// percent is what the collector may let be garbage.
func percent() int {
	p := debug.SetGCPercent(-1)
	debug.SetGCPercent(p)
	return p
}
