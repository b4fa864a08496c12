// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package configmap

import "time"

// The whole ConfigMap is written for each gate that shuts, and etcd keeps every revision until it compacts: back to back,
// the writes of a large one fill it.
const (
	// smallBytes is what is written without a pause: some twenty-five gates.
	smallBytes = 16 << 10
	// bytesPerSecond is how fast larger ones are written.
	bytesPerSecond = 256 << 10
	// longestPause is the most that those pay who wait for their gate to be stored: they are workers, whom all tenants share.
	longestPause = 500 * time.Millisecond
)

// pauseAfter returns how long the store rests after a write of so many bytes.
func pauseAfter(bytes int) time.Duration {
	if bytes <= smallBytes {
		return 0
	}
	return min(time.Duration(bytes)*time.Second/bytesPerSecond, longestPause)
}

// wrote begins the rest after a request, whatever came of it. The timer is the machine's: an instant of the clock would be
// far away once that is set back.
func (s *Store[E]) wrote(bytes int) {
	var rested <-chan time.Time
	if pause := pauseAfter(bytes); pause > 0 {
		rested = time.After(pause)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rested = rested
}

// rest waits until the next write may begin. What shuts meanwhile goes with it, since its snapshot isn't taken yet.
func (s *Store[E]) rest() {
	s.mu.Lock()
	rested := s.rested
	s.rested = nil
	s.mu.Unlock()
	if rested == nil {
		return
	}
	select {
	case <-rested:
	case <-s.flushed:
	}
}
