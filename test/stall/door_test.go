// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stall_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// door is in the way of reading one Secret: a worker that comes to it while it is shut stands there.
type door struct {
	suffix string // of the path
	mu     sync.Mutex
	opened chan struct{} // nil while it is open
	stands atomic.Bool
}

func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened = make(chan struct{})
}

func (d *door) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.opened)
	d.opened = nil
}

// wrap puts the door in the way of a client.
func (d *door) wrap(next http.RoundTripper) http.RoundTripper { return doorway{d, next} }

type doorway struct {
	*door
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper. It waits in spite of deadlines, as what hangs does.
func (d doorway) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	opened := d.opened
	d.mu.Unlock()
	if opened != nil && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, d.suffix) {
		d.stands.Store(true)
		<-opened
	}
	return d.next.RoundTrip(r)
}

// ahead is the machine's clock, and can be set ahead.
type ahead struct{ by atomic.Int64 }

// Now implements clock.PassiveClock.
func (a *ahead) Now() time.Time { return time.Now().Add(time.Duration(a.by.Load())) }

// Since implements clock.PassiveClock.
func (a *ahead) Since(t time.Time) time.Duration { return a.Now().Sub(t) }
