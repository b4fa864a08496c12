// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"tokenrequest.dev/operator/internal/credential"
	"tokenrequest.dev/operator/internal/oautherr"
)

// outcomeKind is the closed set of what one reconcile can come to.
type outcomeKind int

const (
	// goOn is no outcome: the next phase has its turn.
	goOn outcomeKind = iota
	// settled: the Secret holds a valid token that isn't due.
	settled
	// issued: a new token is in the Secret.
	issued
	// pending: the STS is being asked; the answer wakes the request.
	pending
	// waiting: the last attempt failed, and its retry isn't due.
	waiting
	// failed: the STS refused, throttled, or couldn't be reached, now or for another who asked the
	// same.
	failed
	// blocked: the operator found by itself that no call makes sense.
	blocked
	// awaiting: a person is to sign in, and the STS is asked at intervals whether that was done.
	awaiting
	// suspended: the spec says so.
	suspended
	// gone: the request or its namespace is being deleted; nothing is to be done or written.
	gone
)

// outcome is what one reconcile came to. An STS's refusal is an outcome and not an error:
// controller-runtime drops RequeueAfter when an error is returned.
type outcome struct {
	kind outcomeKind

	// failed: what the STS said, when the gate opens, how many failures in a row, whether the call
	// was this request's own.
	err      *oautherr.Error
	since    time.Time
	until    time.Time
	attempts int
	called   bool

	// blocked, awaiting: a reason of api/v1alpha1, a sentence that says what to do, and whether a
	// person has to do it at the STS. A blocked one has an err where the STS's refusal led to it.
	reason      string
	message     string
	interaction bool

	// retry is when to look again, for the kinds that don't say so otherwise.
	retry time.Time
}

// blockedBy is the outcome of a credential that can't be used.
func blockedBy(p *credential.Problem) outcome {
	return outcome{kind: blocked, reason: p.Reason, message: p.Message}
}

// Bounds of the time until a live object is looked at again. There is no way to end in "requeue
// after 0", which is never (slurm-operator#240).
const (
	soonest = time.Second
	// recheck is when a blocked request is looked at though nothing that it waits for was seen to
	// change. Nothing is written then unless something did change.
	recheck = 10 * time.Minute
)

// result is the only maker of a ctrl.Result for an attempt. next is the instant of the next step.
func (o outcome) result(a *attempt, next time.Time) ctrl.Result {
	if o.kind == gone {
		return ctrl.Result{}
	}
	now := a.now
	after := recheck
	if !next.IsZero() {
		after = next.Sub(now)
	}
	after = max(after, soonest)
	return ctrl.Result{RequeueAfter: after, Priority: new(a.urgency(now.Add(after)))}
}
