// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"time"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/secret"
	"tokenrequest.dev/operator/internal/sts"
	"tokenrequest.dev/operator/internal/throttle"
)

const (
	// defaultTimeout bounds one call to an STS where the issuer says nothing.
	defaultTimeout = 20 * time.Second
	// flightGrace is how long after its deadline a call whose answer nobody delivered is looked
	// for again. It only matters when a wake-up got lost.
	flightGrace = 10 * time.Second
	// trialPatience is when a call is tried again that waited in vain for another's.
	trialPatience = 5 * time.Second
)

// Answer is what a call to an STS brought: a token, a device code, or an error with the gate that
// remembers it; or a problem that kept the call from being made; or an error of the Kubernetes API's.
type Answer struct {
	token   *sts.Token
	device  *sts.DeviceAuthorization
	verdict throttle.Verdict[*oautherr.Error]
	problem *credential.Problem
	err     error
	// endpoint is where the call went, as discovery told.
	endpoint string
	// called is false when a gate had shut before the call left.
	called bool
	// polled: what was asked is whether somebody has signed in.
	polled bool
	// traded: what was sent is a refresh token that the operator keeps.
	traded bool
	// again: the refresh token had left once before, and no answer to that was ever stored.
	again bool
}

// timeout bounds one call to the STS.
func (a *attempt) timeout() time.Duration { return timeoutOf(a.issuer) }

func timeoutOf(issuer *stsv1alpha1.IssuerSpec) time.Duration {
	if issuer.Timeout != nil {
		return issuer.Timeout.Duration
	}
	return defaultTimeout
}

// flightTimeout bounds a flight. Discovery, another call's trial and the token itself have each the time of
// one call.
func (a *attempt) flightTimeout() time.Duration { return 3 * a.timeout() }

// asking is the outcome while a call is under way. Its answer wakes the request.
func (a *attempt) asking() outcome {
	return outcome{kind: pending, retry: a.now.Add(a.flightTimeout() + flightGrace)}
}

// call is the call to the STS, as a closure over values: it runs outside the workers and must not
// see the attempt change. It finds the endpoint, asks the gates once more, and has them remember what
// comes of it before anybody else can ask.
func (r *Reconciler) call(a *attempt) func(context.Context) Answer {
	flown := *a
	// Thousands may wait for their turn after an outage. What a call has no use for needn't wait with them.
	flown.holding, flown.shape = secret.Holding{}, secret.Shape{}
	return func(ctx context.Context) Answer {
		if answer, done := r.discover(ctx, &flown); done {
			return answer
		}
		// Once more: the gate may have shut while this call was queued or discovery was under way.
		if v := r.enter(ctx, &flown); !v.Open {
			return Answer{verdict: v, endpoint: flown.endpoint}
		}
		answer, ready := r.prepare(ctx, &flown)
		if !ready {
			r.Gates.Abandon(flown.gate())
			return answer
		}
		r.exchange(ctx, &flown, &answer)
		return answer
	}
}

// prepare does what has to be done before a call leaves, and only if it does: service-account tokens are
// asked for, and a refresh token that is good for one use is marked as used.
func (r *Reconciler) prepare(ctx context.Context, a *attempt) (Answer, bool) {
	answer := Answer{endpoint: a.endpoint, polled: a.grant.Type == sts.GrantDeviceCode && !a.authorize}
	minted, problem, err := a.credential.Mint(ctx, r.Minter)
	if problem != nil || err != nil {
		answer.problem, answer.err = problem, err
		return answer, false
	}
	if !a.chained() {
		a.grant = minted.Grant
	}
	a.credential = minted
	answer.traded = a.refreshes()
	answer.again, answer.err = r.spend(ctx, a)
	return answer, answer.err == nil
}

// exchange makes the call.
func (r *Reconciler) exchange(ctx context.Context, a *attempt, answer *Answer) {
	var e *oautherr.Error
	if a.authorize {
		answer.device, e = r.STS.Authorize(ctx, a.wire(a.device))
	} else {
		answer.token, e = r.STS.Token(ctx, a.wire(a.endpoint))
		r.shelve(a, answer.token)
	}
	answer.called = true
	switch {
	case e == nil, answer.polled && e.Kind() == oautherr.KindPending:
		// That nobody has signed in yet is what a poll is for: the STS is well.
		r.Gates.Succeeded(a.gate())
		answer.verdict.Remembered = e
	default:
		answer.verdict, answer.called = r.remember(a, e)
	}
	r.settle(ctx, a, answer)
}

// wire is the request as it goes to an endpoint.
func (a *attempt) wire(endpoint string) sts.Request {
	c := a.credential
	request := sts.Request{
		Endpoint:        endpoint,
		Auth:            a.method,
		ClientID:        c.ClientID,
		ClientSecret:    c.Secret,
		ClientAssertion: c.Assertion,
		Grant:           a.grant,
		Hidden:          c.Hidden,
		Scopes:          a.withSignIn(a.scopes(), a.meta),
		Resources:       plain(a.request.Spec.Resources),
		Claims:          a.claims,
		Parameters:      a.parameters(),
		Transport:       c.Transport,
		Timeout:         a.timeout(),
	}
	if c.Key != nil {
		key := *c.Key
		if c.AudienceIssuer {
			key.Audience = a.meta.Issuer
		}
		request.Key = &key
	}
	return request
}

// enter asks the gates whether the call may leave now. Where another call tries a gate that has just
// opened it waits for that one, here and not in a worker, for as long as a call may take.
func (r *Reconciler) enter(ctx context.Context, a *attempt) throttle.Verdict[*oautherr.Error] {
	ctx, cancel := context.WithTimeout(ctx, a.timeout())
	defer cancel()
	for {
		v := r.Gates.Enter(a.gate(), a.forced() != "")
		if v.Trial == nil {
			return v
		}
		select {
		case <-v.Trial:
		case <-ctx.Done():
			// The other call takes longer than this one may. It will shut the gate or leave it open;
			// until then the last failure stands.
			v.Until = r.Clock.Now().Add(trialPatience)
			return v
		}
	}
}

// remember has the gate that an error belongs to remember it, and reports whether one does. A call
// that was cancelled tells nothing about the STS, and the pool discards its answer.
func (r *Reconciler) remember(a *attempt, e *oautherr.Error) (throttle.Verdict[*oautherr.Error], bool) {
	kind, remembers := gateKind(e)
	if !remembers {
		r.Gates.Abandon(a.gate())
		return throttle.Verdict[*oautherr.Error]{Remembered: e}, false
	}
	a.now = r.Clock.Now()
	failure := throttle.Failure[*oautherr.Error]{Kind: kind, RetryAfter: e.Pause(), Attempts: a.row(kind), Remember: e}
	firstSeen := stampOf(a.now)
	if a.failedBefore() {
		firstSeen = a.request.Status.LastError.FirstSeen
	}
	failure.Propagating = a.propagates(e, firstSeen)
	return r.Gates.Remember(a.gate(), failure), true
}

// refusal is the outcome of an answer without a token.
func (r *Reconciler) refusal(a *attempt, answer Answer) outcome {
	if answer.endpoint != "" {
		a.endpoint = answer.endpoint
	}
	if answer.problem != nil {
		return blockedBy(answer.problem)
	}
	v := answer.verdict
	v.Since, v.Until = r.held(a, v)
	o := remembered(v)
	o.called = answer.called
	return o
}

// held is since and until when the gates hold the attempt back now. The answer was waiting to be
// collected meanwhile: its gate may have opened, another one may have shut for longer, and the clock
// may have been set back, which the gates take into account and an instant doesn't.
func (r *Reconciler) held(a *attempt, v throttle.Verdict[*oautherr.Error]) (since, until time.Time) {
	now := r.Gates.Admit(a.gate(), false)
	if !now.Open {
		return now.Since, now.Until
	}
	since, until = v.Since, v.Until
	if since.After(a.now) {
		since = a.now
	}
	if until.After(a.now) {
		until = a.now
	}
	return since, until
}

func (a *attempt) parameters() map[string]string {
	parameters := make(map[string]string, len(a.request.Spec.Parameters))
	for name, value := range a.request.Spec.Parameters {
		parameters[name] = string(value)
	}
	return parameters
}
