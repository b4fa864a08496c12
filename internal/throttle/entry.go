// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Entry is one gate with what shuts it, fit to be stored and to be read by people. Its JSON holds no secret: what only has
// to be told apart (credential, account, claims) is in it as one digest.
type Entry[E any] struct {
	Kind     Kind     `json:"kind"`
	Domain   string   `json:"domain"`
	Endpoint string   `json:"endpoint"`
	Client   string   `json:"client"`
	Scopes   []string `json:"scopes,omitempty"`
	// Context is a digest of trust root, credential, account and claims, for Refused of the other inputs too. Empty for Rate.
	Context string `json:"context,omitempty"`
	// Since is when the gate was shut, Until when it opens, in whole seconds.
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// Attempts counts the failures in a row.
	Attempts int `json:"attempts"`
	// Remembered is what the caller handed to Remember.
	Remembered E `json:"remembered"`
}

// Key returns the name of the gate: its kind in lower case, a hyphen and 32 hexadecimal digits, fit as a key of a ConfigMap.
// Two entries have the same key exactly when they are the same gate; times, counts and what is remembered aren't part of it.
func (e Entry[E]) Key() string {
	kind := "unknown"
	if e.Kind.known() {
		kind = strings.ToLower(string(e.Kind))
	}
	fields := append([]string{string(e.Kind), e.Domain, e.Endpoint, e.Client, e.Context}, canonical(e.Scopes)...)
	return kind + "-" + digest(fields...)
}

// verdict returns the entry as the answer for a request that it holds back.
func (e Entry[E]) verdict() Verdict[E] {
	return Verdict[E]{Kind: e.Kind, Until: e.Until, Since: e.Since, Attempts: e.Attempts, Remembered: e.Remembered}
}

// settled returns the entry as it may hold on the present clock, under the rule of the two timestamps: an entry that was made
// in the future was made by another clock, or by this one before it went back. It keeps its length, counted from now; by its
// own instant it could hold for ever, and without it a call would leave before Retry-After has passed. No entry holds for
// longer than an hour from now.
func (e Entry[E]) settled(now time.Time) Entry[E] {
	if e.Since.After(now) {
		length := min(e.Until.Sub(e.Since), longest)
		e.Since, e.Until = floorSecond(now), ceilSecond(now.Add(length))
	}
	if limit := ceilSecond(now.Add(longest)); e.Until.After(limit) {
		e.Until = limit
	}
	return e
}

// byUntil orders entries by when they open, then by what they are, so that a choice among equals is always the same.
func byUntil[E any](a, b Entry[E]) int {
	return cmp.Or(
		a.Until.Compare(b.Until), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Domain, b.Domain),
		strings.Compare(a.Endpoint, b.Endpoint), strings.Compare(a.Client, b.Client), strings.Compare(a.Context, b.Context),
		slices.Compare(a.Scopes, b.Scopes),
	)
}
