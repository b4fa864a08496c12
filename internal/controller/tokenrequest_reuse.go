// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/flight"
	"tokenrequest.dev/operator/internal/schedule"
	"tokenrequest.dev/operator/internal/sts"
)

// Shelf keeps tokens for other requests that ask for the very same; the key is that of a flight, so
// that no other domain, credential or trust root ever shares one.
type Shelf = flight.Shelf[string, *sts.Token]

// reuse publishes a token that another request was given for the very same.
func (r *Reconciler) reuse(ctx context.Context, a *attempt) (outcome, error) {
	token, there := r.shelved(a)
	if !there {
		return outcome{}, nil
	}
	return r.share(ctx, a, token)
}

// shelved is a token that another request was given for the very same, where that is newer than
// what this one has ever had and not due itself. Who asks by annotation is given one of its own: he
// may know that the one before was revoked. For the same reason somebody who deletes the Secret to
// have another token doesn't get the old one again.
func (r *Reconciler) shelved(a *attempt) (*sts.Token, bool) {
	if a.chained() || a.forced() != "" {
		return nil, false
	}
	token, there := r.Shelf.Get(a.domain(), a.flight(), a.now)
	return token, there && a.welcomes(token)
}

// share publishes a token of another's.
func (r *Reconciler) share(ctx context.Context, a *attempt, token *sts.Token) (outcome, error) {
	o, err := r.publish(ctx, a, token)
	if o.kind == issued {
		o.called = false
		r.Shelf.Used()
	}
	return o, err
}

// welcomes says that a token is newer than what this request has ever had, and wouldn't be due as soon
// as it is there.
func (a *attempt) welcomes(token *sts.Token) bool {
	return token.IssuedAt.After(a.lastIssued()) && !a.dueAtOnce(token)
}

// dueAtOnce says that another token would be asked for as soon as this one was published: it nears its
// end, or is of a time that the clock has been set back from.
func (a *attempt) dueAtOnce(token *sts.Token) bool {
	record := a.record(token)
	return schedule.Decide(schedule.Facts{
		SecretFound: true, Intact: true, Matches: true,
		IssuedAt: record.IssuedAt, RefreshAt: record.RefreshAt, ExpiresAt: record.ExpiresAt,
	}, a.now).Due
}

// lastIssued is when the newest token was asked for that this request may have had. A status without one
// doesn't tell of what was there before: somebody may have suspended the request, or have met an outage,
// when he deleted the Secret. Nothing older comes back than the moment when that was seen.
func (a *attempt) lastIssued() time.Time {
	last := a.content.Record.IssuedAt
	if told := a.request.Status.Token; told != nil && told.IssuedAt != nil && told.IssuedAt.After(last) {
		last = told.IssuedAt.Time
	}
	ready := meta.FindStatusCondition(a.request.Status.Conditions, stsv1alpha1.ConditionReady)
	if ready != nil && ready.Status == metav1.ConditionFalse && ready.LastTransitionTime.After(last) {
		last = ready.LastTransitionTime.Time
	}
	return last
}

// longestShelved bounds the memory that one token on the shelf takes. Entra's have some 2 KiB, and
// with many group claims up to 20.
const longestShelved = 16 << 10

// shelve keeps a token for others, for as long as it is known to live.
func (r *Reconciler) shelve(a *attempt, token *sts.Token) {
	if !a.chained() && token != nil && len(token.AccessToken) <= longestShelved {
		r.Shelf.Put(a.domain(), a.flight(), token, token.ExpiresAt, r.Clock.Now())
	}
}
