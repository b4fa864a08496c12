// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// TokenStates counts requests by the token in their Secret: one that is good, that nears its end
// though its refresh was due, that has met its end, and none. Those without a good token because they
// are suspended are apart: somebody wanted that.
type TokenStates struct {
	Valid, Expiring, Expired, Missing, Suspended int
}

// TokenStates counts the requests in the cache by their namespace, by the clock and not by when somebody
// looked last: a token expires also while nobody reconciles. So many namespaces at most are named, those
// whose eldest requests are the eldest; the requests of all others are counted together.
func (r *Reconciler) TokenStates(most int) (named map[string]TokenStates, others TokenStates) {
	all := map[string]*tenancy{}
	now := r.Clock.Now()
	for request := range r.Requests {
		if all[request.Namespace] == nil {
			all[request.Namespace] = &tenancy{namespace: request.Namespace, since: request.CreationTimestamp.Time}
		}
		all[request.Namespace].add(request, now)
	}
	named = map[string]TokenStates{}
	for i, t := range slices.SortedFunc(maps.Values(all), elder) {
		if i < most {
			named[t.namespace] = t.states
		} else {
			others.join(t.states)
		}
	}
	return named, others
}

// tenancy is what one namespace has.
type tenancy struct {
	namespace string
	since     time.Time
	states    TokenStates
}

func (t *tenancy) add(request *stsv1alpha1.TokenRequest, now time.Time) {
	t.states.add(request, now)
	if created := request.CreationTimestamp.Time; created.Before(t.since) {
		t.since = created
	}
}

// elder orders namespaces so that whoever makes many new ones pushes nobody else's out, whatever their
// names, and each scrape and each leader finds the same.
func elder(a, b *tenancy) int {
	return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.namespace, b.namespace))
}

func (s *TokenStates) join(more TokenStates) {
	s.Valid += more.Valid
	s.Expiring += more.Expiring
	s.Expired += more.Expired
	s.Missing += more.Missing
	s.Suspended += more.Suspended
}

// add counts a request, unless it is being deleted.
func (s *TokenStates) add(request *stsv1alpha1.TokenRequest, now time.Time) {
	if !request.DeletionTimestamp.IsZero() {
		return
	}
	token, ended := request.Status.Token, hasEnded(request.Status.Token, now)
	ready := conditionOf(request.Status.Conditions, stsv1alpha1.ConditionReady)
	matched := ready.Status == metav1.ConditionTrue || ready.Reason == stsv1alpha1.ReasonTokenExpired
	good := ready.Status == metav1.ConditionTrue && !ended
	switch {
	case good && overdue(token, now):
		s.Expiring++
	case good:
		s.Valid++
	case request.Spec.Suspend:
		s.Suspended++
	case ended && matched:
		s.Expired++
	default:
		s.Missing++
	}
}

func hasEnded(token *stsv1alpha1.TokenStatus, now time.Time) bool {
	return token != nil && token.ExpiresAt != nil && !now.Before(token.ExpiresAt.Time)
}

// overdue says that a token nears its end, and should have been replaced by now.
func overdue(token *stsv1alpha1.TokenStatus, now time.Time) bool {
	if token == nil || token.IssuedAt == nil || token.ExpiresAt == nil || token.RefreshAt == nil {
		return false
	}
	near := nearExpiry(token.ExpiresAt.Time, token.ExpiresAt.Sub(token.IssuedAt.Time))
	return !now.Before(near) && !now.Before(token.RefreshAt.Time)
}
