// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/schedule"
	"tokenrequest.dev/operator/internal/throttle"
)

// freshness is how long after a failure began a refusal may still be an administrator's change on
// its way through the directory: "might lead to failure for a couple of minutes" (azure-workload-identity).
const freshness = 5 * time.Minute

// propagates says that a refusal may still end by itself: it is one that directories give while a
// change is on its way, it began lately, and this credential has never brought a token for this
// request. One that did and is refused now was taken away.
func (a *attempt) propagates(e *oautherr.Error, firstSeen *metav1.Time) bool {
	return e.Propagating && !a.proven() && firstSeen != nil && a.now.Sub(firstSeen.Time) < freshness
}

// lasts says that a failure doesn't end by itself.
func (a *attempt) lasts(e *oautherr.Error, firstSeen *metav1.Time) bool {
	return e.Permanent() || e.Propagating && !a.propagates(e, firstSeen)
}

// lasted says so of the last failure, whose reason is Issued's. While the token was good no condition
// told.
func (a *attempt) lasted(reason string) bool {
	last := a.request.Status.LastError
	return last != nil && a.lasts(recalled(last, reason), last.FirstSeen)
}

// recalled is as much of the last failure as a status keeps; its reason is Issued's.
func recalled(last *stsv1alpha1.TokenError, reason string) *oautherr.Error {
	return oautherr.Recalled(oautherr.Class(last.Class), oautherr.Reason(reason), int(last.HTTPStatus), last.Codes)
}

// failure is why a token wasn't issued, as conditions tell it.
type failure struct {
	reason, message string
	permanent       bool
	interaction     bool
	// throttled is the message of the condition Throttled, empty without one.
	throttled string
}

// nextStatus is the status after an outcome: a pure function of the attempt, the outcome and what
// the status was. It holds no text that changes from one failing attempt to the next but in
// lastError, so that conditions stay as they are while a failure lasts.
func nextStatus(a *attempt, o outcome) stsv1alpha1.TokenRequestStatus {
	s := *a.request.Status.DeepCopy()
	s.ObservedGeneration = a.request.Generation
	s.Token = tokenStatus(a)
	s.LastError = lastError(a, o)
	s.NextAttemptAt = stampOf(nextAttemptAt(a, o))
	if a.credential != nil || o.kind == settled {
		s.DeviceAuthorization = a.deviceStatus()
	}
	if asked := a.forced(); asked != "" && a.acts(o) && !a.request.Spec.Suspend {
		s.LastHandledRefreshAt = asked
	}

	f := failureOf(a, o, s)
	c := conditions{list: s.Conditions, generation: a.request.Generation, now: a.now}
	c.ready(a, o, f)
	c.issued(a, o, f)
	c.throttled(f)
	c.interactionRequired(a, f)
	c.kstatus(a.valid(), f, "The operator tries again by itself at status.nextAttemptAt.")
	s.Conditions = c.list
	s.Bound()
	return s
}

// acts says that an outcome is what somebody gets who wants a new token now: the STS was asked, and not so long ago
// that the token may be the one which he knows to be revoked. One that couldn't be written waits in memory.
func (a *attempt) acts(o outcome) bool {
	if o.kind == issued {
		return a.now.Sub(a.content.Record.IssuedAt) <= a.flightTimeout()
	}
	return o.called
}

// tokenStatus describes the token in the Secret. It is made anew from the Secret's record, so a
// lost status comes back without a call. Until the Secret has a valid token under a new name, it is
// the former one that is described, and known to be dropped later.
func tokenStatus(a *attempt) *stsv1alpha1.TokenStatus {
	if a.formerSecret() != "" && !a.valid() {
		return a.request.Status.Token
	}
	if !a.content.Intact {
		return nil
	}
	record := a.content.Record
	return &stsv1alpha1.TokenStatus{
		SecretName:      a.request.SecretName(),
		TokenType:       record.TokenType,
		IssuedTokenType: record.IssuedTokenType,
		Scopes:          strings.Fields(record.Scope),
		IssuedAt:        stampOf(record.IssuedAt),
		ExpiresAt:       stampOf(record.ExpiresAt),
		RefreshAt:       stampOf(a.refreshAt()),
	}
}

func lastError(a *attempt, o outcome) *stsv1alpha1.TokenError {
	last := a.request.Status.LastError
	switch o.kind {
	case settled, issued:
		return nil
	case failed:
		e := tokenError(o.err, a.subject())
		e.Attempts = int32(min(o.attempts, 1<<20))
		e.Attempted = a.attempted
		e.FirstSeen, e.LastSeen = stampOf(o.since), stampOf(o.since)
		if a.failedBefore() && last.FirstSeen != nil {
			e.FirstSeen = last.FirstSeen
		}
		return e
	case blocked:
		if o.err != nil {
			e := tokenError(o.err, a.subject())
			e.Attempts, e.Attempted = 1, a.attempted
			e.FirstSeen, e.LastSeen = stampOf(a.now), stampOf(a.now)
			return e
		}
	default:
	}
	return last
}

func tokenError(e *oautherr.Error, subject oautherr.Subject) *stsv1alpha1.TokenError {
	return &stsv1alpha1.TokenError{
		Error:         e.Code,
		Description:   e.Description,
		Codes:         e.Codes,
		Suberror:      e.Suberror,
		Class:         stsv1alpha1.ErrorClass(e.Class),
		Remedy:        e.Remedy(subject),
		HTTPStatus:    int32(e.HTTPStatus),
		Claims:        e.Claims,
		CorrelationID: e.CorrelationID,
		TraceID:       e.TraceID,
		Timestamp:     e.Timestamp,
		ErrorURI:      e.ErrorURI,
	}
}

// nextAttemptAt is the one instant of the next step. A blocked or suspended request has none: what it
// waits for is a change, and that wakes it.
func nextAttemptAt(a *attempt, o outcome) time.Time {
	if a.request.Spec.Suspend {
		return time.Time{}
	}
	switch o.kind {
	case settled, issued:
		return a.refreshAt()
	case failed:
		return o.until.Add(spreadBehind(a, o))
	case awaiting:
		return o.until
	case waiting:
		return a.request.Status.NextAttemptAt.Time
	default:
		return time.Time{}
	}
}

// longestSpread bounds how far those who wait behind one gate are spread out after it opens.
const longestSpread = 30 * time.Second

// spreadBehind is this request's place in the crowd that waits behind a gate, in whole seconds: a
// tenth of the wait at most, so that nobody who waits for seconds notices.
func spreadBehind(a *attempt, o outcome) time.Duration {
	span := min(o.until.Sub(o.since)/10, longestSpread)
	return schedule.Spread(string(a.request.UID), span).Truncate(time.Second)
}

// withinSecond is this request's place within the second of its retry: a status has whole seconds,
// and those who share one of a crowd must not come all at its beginning.
func withinSecond(a *attempt, o outcome) time.Duration {
	if o.kind != failed && o.kind != waiting {
		return 0
	}
	return schedule.Spread(string(a.request.UID), time.Second)
}

// failureOf says why there is no new token, or nil when one isn't owed. While a retry is waited
// for, the conditions already tell.
func failureOf(a *attempt, o outcome, s stsv1alpha1.TokenRequestStatus) *failure {
	switch o.kind {
	case failed:
		return &failure{
			reason:      string(o.err.Reason),
			message:     o.err.Message(a.subject()),
			permanent:   a.lasts(o.err, s.LastError.FirstSeen),
			throttled:   throttledMessage(a, o.err),
			interaction: o.err.Interaction(),
		}
	case blocked:
		return &failure{reason: o.reason, message: o.message, permanent: true, interaction: o.interaction}
	case awaiting:
		return &failure{reason: o.reason, message: o.message, interaction: true}
	case waiting:
		// It is there: facts has nobody wait who wasn't told that the attempt failed.
		before := meta.FindStatusCondition(a.request.Status.Conditions, stsv1alpha1.ConditionIssued)
		there := func(kind string) bool { return meta.IsStatusConditionTrue(a.request.Status.Conditions, kind) }
		return &failure{
			reason:      before.Reason,
			message:     before.Message,
			permanent:   there(stsv1alpha1.ConditionStalled) || !there(stsv1alpha1.ConditionReconciling) && a.lasted(before.Reason),
			throttled:   messageOf(a.request, stsv1alpha1.ConditionThrottled),
			interaction: there(stsv1alpha1.ConditionInteractionRequired),
		}
	default:
		return nil
	}
}

// throttledMessage is that of the condition Throttled: what the STS said, unless that was a refusal
// which asks for patience as well.
func throttledMessage(a *attempt, e *oautherr.Error) string {
	switch {
	case !e.AsksToWait():
		return ""
	case e.Class == oautherr.Throttled:
		return e.Message(a.subject())
	default:
		return fmt.Sprintf("%s asks client %s to wait before the next call, whatever it is about.", a.subject().Host, a.clientName())
	}
}

// messageOf is the message of a condition, "" when it isn't there.
func messageOf(request *stsv1alpha1.TokenRequest, kind string) string {
	if c := meta.FindStatusCondition(request.Status.Conditions, kind); c != nil {
		return c.Message
	}
	return ""
}

// wake is when this object has to be looked at again, though nothing else happens: at its next
// attempt, at its token's expiry, or when that draws near and no refresh comes, for readiness to say
// so on time.
func wake(a *attempt, o outcome, s stsv1alpha1.TokenRequestStatus) time.Time {
	next := o.retry
	sooner := func(t time.Time) {
		if t.After(a.now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if s.NextAttemptAt != nil {
		sooner(s.NextAttemptAt.Add(withinSecond(a, o)))
	}
	if o.kind == blocked {
		sooner(a.now.Add(recheck))
	}
	if o.kind == failed && a.request.Spec.Suspend {
		sooner(a.now.Add(soonest)) // to say that no retry follows
	}
	if a.valid() {
		sooner(a.content.Record.ExpiresAt)
		if o.kind != settled && o.kind != issued || a.request.Spec.Suspend {
			sooner(nearExpiry(a.content.Record.ExpiresAt, lifetime(a.content.Record)))
		}
	}
	return next
}

// nearExpiry is when a refresh that doesn't come begins to be urgent: a tenth of the token's life
// before its end, and two minutes where the life allows, since a kubelet takes up to 90 s to carry a
// new token into a pod. Zero where the end isn't known.
func nearExpiry(expiresAt time.Time, life time.Duration) time.Time {
	if expiresAt.IsZero() {
		return time.Time{}
	}
	return expiresAt.Add(-min(max(life/10, 2*time.Minute), life/4))
}

func stampOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t}
}

// gateKind is the gate that remembers an error, and whether one does.
func gateKind(e *oautherr.Error) (throttle.Kind, bool) {
	switch e.Kind() {
	case oautherr.KindRateLimited:
		return throttle.Rate, true
	case oautherr.KindUnavailable:
		return throttle.Unavailable, true
	case oautherr.KindRefused, oautherr.KindPending:
		return throttle.Refused, true
	case oautherr.KindNone:
	}
	return "", false
}
