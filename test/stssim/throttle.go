// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Throttle closes the token endpoint for a client until an instant. Calls are
// answered 429 "Too Many Requests" in plain text, as Entra answers a client
// that asks too often, with the time that remains in Retry-After.
type Throttle struct {
	// Tenant and Scope narrow the throttle down; empty matches any. ClientID is
	// required.
	Tenant   string `json:"tenant,omitempty"`
	ClientID string `json:"clientID"`
	Scope    string `json:"scope,omitempty"`
	// For is how long it lasts from now, and must be positive.
	For Duration `json:"for"`
	// HTTPDate sends Retry-After as a date in place of seconds. Both are rounded
	// up to whole seconds: one who heeds them is never early.
	HTTPDate bool `json:"httpDate,omitempty"`
}

// Violation is a call that came although its client had been told to wait.
type Violation struct {
	// At is when the call arrived, Until the instant that it should have waited
	// for.
	At       time.Time `json:"at"`
	Until    time.Time `json:"until"`
	Tenant   string    `json:"tenant"`
	ClientID string    `json:"clientID"`
	Scope    string    `json:"scope"`
}

// ThrottleState is a throttle, with what it has seen.
type ThrottleState struct {
	Throttle
	Until time.Time `json:"until"`
	// Announced is false until a caller has been told.
	Announced bool `json:"announced"`
	// Refused counts the calls answered 429, violations included.
	Refused int `json:"refused"`
}

// SetThrottle begins a throttle, in place of one of the same tenant, client and
// scope.
func (s *Server) SetThrottle(throttle Throttle) error { return s.throttles.set(throttle, s.clock()) }

// ClearThrottles ends all throttles. Violations stay until Reset.
func (s *Server) ClearThrottles() { s.throttles.clear() }

// Throttles lists the throttles, those that ran out included.
func (s *Server) Throttles() []ThrottleState { return s.throttles.list() }

// ThrottleViolations lists the calls that arrived before a throttle's end
// although a 429 had announced it. The first 429 and those under way with it
// are no violations, since nobody could know. A caller that has several gates
// for one client and scope (one for each namespace, say) learns and so counts
// once per gate too many.
func (s *Server) ThrottleViolations() []Violation { return s.throttles.listViolations() }

// throttleKey is what SetThrottle replaces by.
type throttleKey struct {
	clientKey
	scope string
}

func (t Throttle) key() throttleKey {
	return throttleKey{keyOf(t.Tenant, t.ClientID), normalScope(t.Scope)}
}

type throttles struct {
	mu         sync.Mutex
	states     []*ThrottleState
	violations []Violation
}

func (t *throttles) set(throttle Throttle, now time.Time) error {
	if throttle.ClientID == "" {
		return errors.New("setting throttle: clientID is required")
	}
	if throttle.For <= 0 {
		return errors.New("setting throttle: for must be positive")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.states = slices.DeleteFunc(t.states, func(other *ThrottleState) bool { return other.key() == throttle.key() })
	t.states = append(t.states, &ThrottleState{Throttle: throttle, Until: now.Add(time.Duration(throttle.For))})
	return nil
}

// admit returns the throttle that refuses the call, or nil. When two do, it is
// the one that lasts longer.
func (t *throttles) admit(req *request) (refusing *ThrottleState, violated bool) {
	if req.kind != KindToken {
		return nil, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, state := range t.states {
		if req.arrived.Before(state.Until) &&
			matchesIdentity(state.Tenant, state.ClientID, state.Scope, req.tenant, req.clientID, req.scope) &&
			(refusing == nil || refusing.Until.Before(state.Until)) {
			refusing = state
		}
	}
	if refusing == nil {
		return nil, false
	}
	refusing.Refused++
	if refusing.Announced {
		t.violations = append(t.violations, Violation{
			At: req.arrived, Until: refusing.Until,
			Tenant: req.tenant, ClientID: req.clientID, Scope: req.scope,
		})
	}
	return refusing, refusing.Announced
}

// refuse is the answer to a refused call. From here on the throttle counts as
// announced: before the caller can have read it, so that its next call can't
// outrun the count.
func (t *throttles) refuse(state *ThrottleState, now time.Time) answer {
	t.mu.Lock()
	defer t.mu.Unlock()
	state.Announced = true
	wait := max(time.Second, state.Until.Sub(now)+time.Second-time.Nanosecond)
	value := strconv.FormatInt(int64(wait/time.Second), 10)
	if state.HTTPDate {
		value = httpDate(state.Until)
	}
	no := textAnswer(http.StatusTooManyRequests, "Too Many Requests")
	no.header.Set("Retry-After", value)
	return no
}

func (t *throttles) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.states = nil
}

func (t *throttles) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.states, t.violations = nil, nil
}

func (t *throttles) list() []ThrottleState {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := []ThrottleState{}
	for _, state := range t.states {
		list = append(list, *state)
	}
	slices.SortFunc(list, func(a, b ThrottleState) int {
		return strings.Compare(a.Tenant+" "+a.ClientID+" "+a.Scope, b.Tenant+" "+b.ClientID+" "+b.Scope)
	})
	return list
}

func (t *throttles) listViolations() []Violation {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Violation{}, t.violations...)
}
