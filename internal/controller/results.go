// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"maps"
	"sync"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// Results count what attempts came to, by the reason that the condition Issued shows. Its zero value is
// ready. It is safe for concurrent use.
type Results struct {
	mu     sync.Mutex
	counts map[string]uint64
}

// Counts are a copy of the counts so far.
func (r *Results) Counts() map[string]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.counts)
}

// count takes in an outcome. One that makes no call because something is missing or wrong here is found
// again at each look, and counts when it is new.
func (r *Results) count(a *attempt, o outcome) {
	var reason string
	switch o.kind {
	case issued:
		reason = stsv1alpha1.ReasonTokenIssued
	case failed:
		reason = string(o.err.Reason)
	case blocked:
		if before := conditionOf(a.request.Status.Conditions, stsv1alpha1.ConditionIssued); before.Reason != o.reason {
			reason = o.reason
		}
	default:
	}
	if reason == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[string]uint64{}
	}
	r.counts[reason]++
}
