// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// What the collector may let be garbage. Go's 100 % is too little for an operator with few requests, which
// spends a fifth of its processor time on collections, and too much for one with many, whose heap is caches
// that stay (docs/benchmarks).
const (
	heapGoal     = 40 << 20 // bytes, with which all of the operator stays below 100 MiB
	leastPercent = 30       // of a heap that is large even so
	mostPercent  = 150      // of a small one
)

// roomFor is the collector's percentage for a heap of which so many bytes are live: the one by which it
// grows to heapGoal, within bounds.
func roomFor(live uint64) int {
	return int(min(mostPercent, max(leastPercent, (max(heapGoal, live)-live)*100/max(live, 1))))
}

// keepRoom gives the collector its room, anew after each collection for as long as the process lives. GOGC in
// the environment is somebody's wish for another room, of which this knows nothing.
func keepRoom() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	debug.SetGCPercent(roomFor(live[0].Value.Uint64()))
	// It is garbage at once, and so the next collection ends in another look.
	runtime.AddCleanup(new([64]byte), func(struct{}) { keepRoom() }, struct{}{})
}
