// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

const (
	// reasonThrottleNotDurable is the event for a gate that could not be stored.
	reasonThrottleNotDurable = "ThrottleNotDurable"
	// reasonTokenExpiring is the event for a token that nears its end while its refresh fails.
	reasonTokenExpiring = "TokenExpiring"
	// actionAcquire is the action of every event about a token.
	actionAcquire = "AcquireToken"
	// longestNote is what the events API allows.
	longestNote = 1024
)

// announce tells people of a change: a failure, another failure, a recovery, and the end of what
// somebody asked for. An ordinary issue or refresh is no news.
func (r *Reconciler) announce(ctx context.Context, a *attempt, o outcome, after stsv1alpha1.TokenRequestStatus) {
	if o.kind == failed && o.called {
		logRefusal(ctx, a, o)
	}
	r.announceAcquisition(a, o, after)
	r.announceExpiry(a, after)
}

// logRefusal is for whoever opens a ticket with the STS's operators: the ids are theirs.
func logRefusal(ctx context.Context, a *attempt, o outcome) {
	logger := log.FromContext(ctx).WithValues("why", a.decision.Why, "host", a.subject().Host, "reason", o.err.Reason,
		"class", o.err.Class, "httpStatus", o.err.HTTPStatus, "correlationID", o.err.CorrelationID, "attempts", o.attempts)
	if o.err.TraceID != "" {
		logger = logger.WithValues("traceID", o.err.TraceID)
	}
	if len(o.err.Codes) > 0 {
		logger = logger.WithValues("codes", o.err.Codes)
	}
	logger.Info("STS gave no token")
}

func (r *Reconciler) announceAcquisition(a *attempt, o outcome, after stsv1alpha1.TokenRequestStatus) {
	before, now := transition(a.request.Status.Conditions, after.Conditions, stsv1alpha1.ConditionIssued)
	failing := now.Status == metav1.ConditionFalse && o.kind != suspended
	switch {
	case failing && (before.Status != now.Status || before.Reason != now.Reason):
		r.warn(a, now.Reason, now.Message)
	case failing:
	case before.Status == metav1.ConditionFalse && before.Reason != stsv1alpha1.ReasonSuspended && now.Status == metav1.ConditionTrue:
		r.note(a, now.Reason, "The failure is over: "+now.Message)
	case o.kind == issued && after.LastHandledRefreshAt != a.request.Status.LastHandledRefreshAt:
		r.note(a, now.Reason, "The token was refreshed as the annotation asked: "+now.Message)
	}
}

// announceExpiry is the last call: a token that nears its end, or has met it, and no refresh comes.
func (r *Reconciler) announceExpiry(a *attempt, after stsv1alpha1.TokenRequestStatus) {
	before, now := transition(a.request.Status.Conditions, after.Conditions, stsv1alpha1.ConditionReady)
	late := a.request.Spec.Suspend || !isIssued(after)
	switch {
	case now.Status == metav1.ConditionTrue && late && a.expiring() && before.Message != now.Message:
		r.warn(a, reasonTokenExpiring, now.Message)
	case now.Status == metav1.ConditionFalse && late && a.matches() && a.expired() && before.Status != metav1.ConditionFalse:
		r.warn(a, stsv1alpha1.ReasonTokenExpired, now.Message)
	}
}

func isIssued(s stsv1alpha1.TokenRequestStatus) bool {
	return meta.IsStatusConditionTrue(s.Conditions, stsv1alpha1.ConditionIssued)
}

// transition is a condition before and after.
func transition(before, after []metav1.Condition, kind string) (was, is metav1.Condition) {
	return conditionOf(before, kind), conditionOf(after, kind)
}

// conditionOf is a condition, or its zero value.
func conditionOf(conditions []metav1.Condition, kind string) metav1.Condition {
	if c := meta.FindStatusCondition(conditions, kind); c != nil {
		return *c
	}
	return metav1.Condition{}
}

func (r *Reconciler) warn(a *attempt, reason, message string) {
	r.Events.Eventf(a.request, nil, corev1.EventTypeWarning, reason, actionAcquire, "%s", bounded(message))
}

func (r *Reconciler) note(a *attempt, reason, message string) {
	r.Events.Eventf(a.request, nil, corev1.EventTypeNormal, reason, actionAcquire, "%s", bounded(message))
}

// bounded cuts a message to what an event's note may be, at the edge of a rune.
func bounded(message string) string {
	if len(message) <= longestNote {
		return message
	}
	cut := longestNote
	for !utf8.RuneStart(message[cut]) {
		cut--
	}
	return message[:cut]
}
