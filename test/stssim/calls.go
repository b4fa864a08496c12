// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Call is what is remembered of a request and its answer. It holds no secret,
// assertion or token; of parameters other than those below only the names.
type Call struct {
	// Number counts from 1 since the start and isn't reset.
	Number int       `json:"number"`
	At     time.Time `json:"at"`
	Kind   Kind      `json:"kind"`
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Tenant string    `json:"tenant,omitempty"`

	ClientID  string `json:"clientID,omitempty"`
	Scope     string `json:"scope,omitempty"`
	GrantType string `json:"grantType,omitempty"`
	// Claims is the claims parameter, which asks for something and holds no secret.
	Claims string `json:"claims,omitempty"`
	// AuthMethod is client_secret_basic, client_secret_post, private_key_jwt,
	// tls_client_auth or none, in the words of the OAuth parameters registry; empty
	// for discovery.
	AuthMethod string `json:"authMethod,omitempty"`
	// Parameters are the names in the form, sorted.
	Parameters []string `json:"parameters,omitempty"`
	// Headers has those of the request that tell of the client's library.
	Headers map[string]string `json:"headers,omitempty"`

	// Rule is the name of the rule that acted on the call.
	Rule string `json:"rule,omitempty"`
	// Violation is set when a throttle had told the caller to wait.
	Violation bool `json:"violation,omitempty"`

	// Finished turns true just before the answer is written, so that one who has
	// read an answer finds its call finished.
	Finished bool `json:"finished"`
	// Status is the answer's, and 0 when the connection ended without one.
	Status int `json:"status,omitempty"`
	// Error is the OAuth error that was answered.
	Error string `json:"error,omitempty"`
}

// Filter selects calls; an empty field matches anything. Tenants and client IDs
// are compared without regard to case, scopes without regard to order.
type Filter struct {
	Kind     Kind
	Path     string
	Tenant   string
	ClientID string
	Scope    string
	// Status matches finished calls alone.
	Status int
	// Finished leaves out the calls that are still being answered.
	Finished bool
	// After leaves out the calls up to this Number.
	After int
}

// Counter is how many finished calls had the same properties.
type Counter struct {
	Kind     Kind   `json:"kind"`
	Tenant   string `json:"tenant,omitempty"`
	ClientID string `json:"clientID,omitempty"`
	Scope    string `json:"scope,omitempty"`
	Status   int    `json:"status"`
	Count    int    `json:"count"`
}

// Calls lists the matching calls in the order of their arrival.
func (s *Server) Calls(filter Filter) []Call { return s.calls.list(filter) }

// Counters counts the finished calls, ordered by their properties.
func (s *Server) Counters() []Counter { return s.calls.counters() }

// WaitCalls returns when there are n matching calls, without polling. When ctx
// ends before, it returns those there are and an error that wraps ctx's.
func (s *Server) WaitCalls(ctx context.Context, filter Filter, n int) ([]Call, error) {
	return s.calls.wait(ctx, filter, n)
}

// loggedHeaders are safe to show: no credential travels in them.
var loggedHeaders = []string{
	"Accept", "Accept-Encoding", "Client-Request-Id", "Content-Type",
	"Return-Client-Request-Id", "User-Agent", "X-Ms-Lib-Capability",
}

func (q *request) call() Call {
	headers := map[string]string{}
	for _, name := range loggedHeaders {
		if value := q.http.Header.Get(name); value != "" {
			headers[name] = value
		}
	}
	return Call{
		At:         q.arrived,
		Kind:       q.kind,
		Method:     q.http.Method,
		Path:       q.http.URL.Path,
		Tenant:     q.tenant,
		ClientID:   q.clientID,
		Scope:      q.scope,
		GrantType:  q.form.Get("grant_type"),
		Claims:     q.form.Get("claims"),
		AuthMethod: q.authMethod(),
		Parameters: slices.Sorted(maps.Keys(q.form)),
		Headers:    headers,
	}
}

func (f Filter) matches(call Call) bool {
	return call.Number > f.After &&
		(f.Kind == "" || f.Kind == call.Kind) &&
		(f.Path == "" || f.Path == call.Path) &&
		(f.Status == 0 || call.Finished && f.Status == call.Status) &&
		(!f.Finished || call.Finished) &&
		matchesIdentity(f.Tenant, f.ClientID, f.Scope, call.Tenant, call.ClientID, call.Scope)
}

// callLog keeps the calls; changed is closed and replaced at every change.
type callLog struct {
	mu      sync.Mutex
	numbers int
	calls   []Call
	changed chan struct{}
}

func newCallLog() *callLog { return &callLog{changed: make(chan struct{})} }

// begin logs an arrival and returns its number.
func (l *callLog) begin(call Call) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.numbers++
	call.Number = l.numbers
	l.calls = append(l.calls, call)
	l.announce()
	return call.Number
}

// finish logs the answer, unless the call was forgotten meanwhile.
func (l *callLog) finish(number int, result answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, found := slices.BinarySearchFunc(l.calls, number, func(call Call, number int) int {
		return cmp.Compare(call.Number, number)
	})
	if !found {
		return
	}
	l.calls[i].Finished, l.calls[i].Status, l.calls[i].Error = true, result.status, result.oauth
	l.announce()
}

func (l *callLog) announce() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *callLog) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = nil
}

func (l *callLog) list(filter Filter) []Call {
	list, _ := l.look(filter)
	return list
}

// look returns the matching calls and a channel that is closed at the next
// change.
func (l *callLog) look(filter Filter) ([]Call, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := []Call{}
	for _, call := range l.calls {
		if filter.matches(call) {
			list = append(list, call)
		}
	}
	return list, l.changed
}

func (l *callLog) wait(ctx context.Context, filter Filter, n int) ([]Call, error) {
	for {
		list, changed := l.look(filter)
		if len(list) >= n {
			return list, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return list, fmt.Errorf("waiting for %d calls, there are %d: %w", n, len(list), ctx.Err())
		}
	}
}

func (l *callLog) counters() []Counter {
	counts := map[Counter]int{}
	for _, call := range l.list(Filter{Finished: true}) {
		counts[Counter{
			Kind: call.Kind, Tenant: call.Tenant, ClientID: call.ClientID, Scope: call.Scope, Status: call.Status,
		}]++
	}
	list := []Counter{}
	for counter, count := range counts {
		counter.Count = count
		list = append(list, counter)
	}
	slices.SortFunc(list, func(a, b Counter) int {
		return cmp.Or(
			strings.Compare(string(a.Kind), string(b.Kind)),
			strings.Compare(a.Tenant, b.Tenant),
			strings.Compare(a.ClientID, b.ClientID),
			strings.Compare(a.Scope, b.Scope),
			cmp.Compare(a.Status, b.Status),
		)
	})
	return list
}
