// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"maps"
	"sync"
	"time"
)

// replays remembers the client assertions that were accepted, each until it
// would be refused as expired anyhow (RFC 7523, section 3, item 7).
type replays struct {
	mu   sync.Mutex
	seen map[assertionID]time.Time
}

// assertionID is a jti, which is unique within its issuer alone.
type assertionID struct {
	client clientKey
	jti    string
}

func newReplays() *replays { return &replays{seen: map[assertionID]time.Time{}} }

// first notes the assertion; false means that it was there before.
func (r *replays) first(id assertionID, expires, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.seen, func(_ assertionID, until time.Time) bool { return !now.Before(until) })
	if _, seen := r.seen[id]; seen {
		return false
	}
	r.seen[id] = expires
	return true
}
