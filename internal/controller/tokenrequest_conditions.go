// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// conditions edits a list of conditions; an entry's transition time moves only with its status.
type conditions struct {
	list       []metav1.Condition
	generation int64
	now        time.Time
}

func (c *conditions) set(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&c.list, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message,
		ObservedGeneration: c.generation, LastTransitionTime: metav1.NewTime(c.now),
	})
}

// issued tells the outcome of the last acquisition. Suspending is none: what was said before stands.
func (c *conditions) issued(a *attempt, o outcome, f *failure) {
	before := meta.FindStatusCondition(c.list, stsv1alpha1.ConditionIssued)
	switch {
	case f != nil:
		c.set(stsv1alpha1.ConditionIssued, metav1.ConditionFalse, f.reason, f.message)
	case o.kind == suspended && before != nil:
		c.set(stsv1alpha1.ConditionIssued, before.Status, before.Reason, before.Message)
	case o.kind == suspended && !a.content.Intact:
		c.set(stsv1alpha1.ConditionIssued, metav1.ConditionFalse, stsv1alpha1.ReasonSuspended,
			"spec.suspend is true: no token has been asked for.")
	default:
		c.set(stsv1alpha1.ConditionIssued, metav1.ConditionTrue, stsv1alpha1.ReasonTokenIssued, issuedMessage(a))
	}
}

// issuedMessage names the issuer as the spec does: a settled request, which knows nothing of
// discovery, must not say it in other words and so cost a write.
func issuedMessage(a *attempt) string {
	if a.issuer == nil {
		return "A token was issued."
	}
	return fmt.Sprintf("%s issued a token to client %s.", host(declaredBy(a.issuer)), a.clientName())
}

// ready tells whether a pod that mounts the Secret has what the spec asks for.
func (c *conditions) ready(a *attempt, o outcome, f *failure) {
	name := a.request.SecretName()
	switch {
	case a.valid():
		c.set(stsv1alpha1.ConditionReady, metav1.ConditionTrue, stsv1alpha1.ReasonTokenValid, validMessage(a, f))
	case o.kind == suspended && a.content.Intact && !a.expired():
		c.set(stsv1alpha1.ConditionReady, metav1.ConditionFalse, stsv1alpha1.ReasonSuspended,
			fmt.Sprintf("Secret %s still holds the token of the spec before, and spec.suspend is true. Set it to false to have the spec followed.", name))
	case o.kind == suspended:
		c.set(stsv1alpha1.ConditionReady, metav1.ConditionFalse, stsv1alpha1.ReasonSuspended,
			fmt.Sprintf("Secret %s holds no valid token, and spec.suspend is true. Set it to false to have a token issued.", name))
	case a.matches() && a.expired() && f != nil:
		c.set(stsv1alpha1.ConditionReady, metav1.ConditionFalse, stsv1alpha1.ReasonTokenExpired,
			fmt.Sprintf("The token in Secret %s has expired. %s", name, f.message))
	case a.content.Intact && f != nil:
		c.set(stsv1alpha1.ConditionReady, metav1.ConditionFalse, f.reason,
			fmt.Sprintf("%s Secret %s still holds the token of the spec before.", f.message, name))
	case f != nil:
		c.set(stsv1alpha1.ConditionReady, metav1.ConditionFalse, f.reason, f.message+a.untilRenamed())
	}
}

// validMessage is Ready's while the token is good. It changes once when the token nears its end and
// nothing replaces it, and holds the one instant that a message may: it stays the same.
func validMessage(a *attempt, f *failure) string {
	name := a.request.SecretName()
	switch {
	case a.request.Spec.Suspend && a.expiring():
		return fmt.Sprintf("Secret %s holds a token that expires at %s, and isn't refreshed until spec.suspend is false.", name, a.expiry())
	case a.request.Spec.Suspend:
		return fmt.Sprintf("Secret %s holds a valid token. It isn't refreshed until spec.suspend is false.", name)
	case f != nil && a.expiring():
		return fmt.Sprintf("Secret %s holds a token that expires at %s, and its refresh is failing: see the condition Issued.", name, a.expiry())
	default:
		return fmt.Sprintf("Secret %s holds a valid token.", name)
	}
}

// expiring says that the token in the Secret nears its end.
func (a *attempt) expiring() bool {
	near := nearExpiry(a.content.Record.ExpiresAt, lifetime(a.content.Record))
	return !near.IsZero() && !a.now.Before(near)
}

func (a *attempt) expiry() string { return a.content.Record.ExpiresAt.Format(time.RFC3339) }

// untilRenamed says what becomes of the Secret under the name that the spec had before.
func (a *attempt) untilRenamed() string {
	if a.formerSecret() == "" {
		return ""
	}
	return fmt.Sprintf(" Until then Secret %s stays as it is, and its token isn't renewed.", a.formerSecret())
}

// throttled is there while the STS has asked for no more calls, under one reason whatever Issued says.
func (c *conditions) throttled(f *failure) {
	if f == nil || f.throttled == "" {
		meta.RemoveStatusCondition(&c.list, stsv1alpha1.ConditionThrottled)
		return
	}
	c.set(stsv1alpha1.ConditionThrottled, metav1.ConditionTrue, stsv1alpha1.ReasonThrottled, f.throttled)
}

// interactionRequired is there while a person has to act. An invitation to sign in stands, whatever
// else goes wrong meanwhile.
func (c *conditions) interactionRequired(a *attempt, f *failure) {
	if a.polling() {
		c.set(stsv1alpha1.ConditionInteractionRequired, metav1.ConditionTrue, stsv1alpha1.ReasonAuthorizationPending, a.invitation())
		return
	}
	c.present(stsv1alpha1.ConditionInteractionRequired, f != nil && f.interaction, f)
}

// present keeps a condition that is there only while it holds.
func (c *conditions) present(kind string, holds bool, f *failure) {
	if !holds {
		meta.RemoveStatusCondition(&c.list, kind)
		return
	}
	c.set(kind, metav1.ConditionTrue, f.reason, f.message)
}

// kstatus says, for tools that know nothing of tokens, what becomes of a token that is owed. While
// the old one is valid nothing is owed to them: an outage of the STS must not fail a rollout.
// The promise says how what isn't permanent ends.
func (c *conditions) kstatus(valid bool, f *failure, promise string) {
	owed := f != nil && !valid
	c.present(stsv1alpha1.ConditionStalled, owed && f.permanent, f)
	if owed && !f.permanent {
		c.set(stsv1alpha1.ConditionReconciling, metav1.ConditionTrue, stsv1alpha1.ReasonRetryScheduled, promise)
		return
	}
	meta.RemoveStatusCondition(&c.list, stsv1alpha1.ConditionReconciling)
}
