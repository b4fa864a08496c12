// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"time"

	"tokenrequest.dev/operator/internal/credential"
	"tokenrequest.dev/operator/internal/oautherr"
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

// Answer is what a call to an STS brought: a token, or an error with the gate that remembers it, or
// a problem that kept the call from being made.
type Answer struct {
	token   *sts.Token
	verdict throttle.Verdict[*oautherr.Error]
	problem *credential.Problem
	// endpoint is where the call went, as discovery told.
	endpoint string
	// called is false when a gate had shut before the call left.
	called bool
}

// timeout bounds one call to the STS.
func (a *attempt) timeout() time.Duration {
	if a.issuer.Timeout != nil {
		return a.issuer.Timeout.Duration
	}
	return defaultTimeout
}

// call is the call to the STS, as a closure over values: it runs outside the workers and must not
// see the attempt change. It finds the endpoint, asks the gates once more, and has them remember what
// comes of it before anybody else can ask.
func (r *Reconciler) call(a *attempt) func(context.Context) Answer {
	flown := *a
	return func(ctx context.Context) Answer {
		if answer, done := r.discover(ctx, &flown); done {
			return answer
		}
		// Once more: the gate may have shut while this call was queued or discovery was under way.
		if v := r.enter(ctx, &flown); !v.Open {
			return Answer{verdict: v, endpoint: flown.endpoint}
		}
		token, e := r.STS.Token(ctx, sts.Request{
			Endpoint:     flown.endpoint,
			Auth:         flown.method,
			ClientID:     flown.credential.ClientID,
			ClientSecret: flown.credential.Secret,
			Hidden:       flown.credential.Hidden,
			Scopes:       flown.scopes(),
			Resources:    plain(flown.request.Spec.Resources),
			Claims:       flown.claims,
			Parameters:   flown.parameters(),
			Transport:    flown.credential.Transport,
			Timeout:      flown.timeout(),
		})
		if e != nil {
			return r.remember(&flown, e)
		}
		r.Gates.Succeeded(flown.gate(), r.Clock.Now())
		return Answer{token: token, endpoint: flown.endpoint, called: true}
	}
}

// enter asks the gates whether the call may leave now. Where another call tries a gate that has just
// opened it waits for that one, here and not in a worker, for as long as a call may take.
func (r *Reconciler) enter(ctx context.Context, a *attempt) throttle.Verdict[*oautherr.Error] {
	ctx, cancel := context.WithTimeout(ctx, a.timeout())
	defer cancel()
	for {
		v := r.Gates.Enter(a.gate(), r.Clock.Now(), a.forced() != "")
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

// discover finds the endpoint of an authority that wasn't known without a call. Done means that the
// token is not to be asked for.
func (r *Reconciler) discover(ctx context.Context, a *attempt) (Answer, bool) {
	if a.endpoint != "" {
		return Answer{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout())
	defer cancel()
	meta, e := r.STS.Discover(ctx, string(a.issuer.Authority), a.credential.Transport)
	if e == nil {
		e = a.refuseQuoting(meta)
	}
	if e != nil {
		return r.remember(a, a.credential.Redact(e)), true
	}
	a.endpoint = meta.TokenEndpoint
	a.method = authMethod(a, meta)
	if problem := a.credential.Permits(a.endpoint); problem != nil {
		return Answer{problem: problem, endpoint: a.endpoint}, true
	}
	return Answer{}, false
}

// refuseQuoting refuses metadata whose token endpoint, which people see in gates and conditions, a
// server has put together from the secret that it was sent before.
func (a *attempt) refuseQuoting(meta sts.Metadata) *oautherr.Error {
	if !oautherr.Quotes(meta.TokenEndpoint, a.credential.Secret.Reveal()) {
		return nil
	}
	return oautherr.Refused(oautherr.ReasonEndpointRefused, "the token endpoint in the metadata quotes the client secret")
}

// remember has the gate that an error belongs to remember it. A call that was cancelled tells
// nothing about the STS, and the pool discards its answer.
func (r *Reconciler) remember(a *attempt, e *oautherr.Error) Answer {
	kind, remembers := gateKind(e)
	if !remembers {
		r.Gates.Abandon(a.gate())
		return Answer{verdict: throttle.Verdict[*oautherr.Error]{Remembered: e}, endpoint: a.endpoint}
	}
	a.now = r.Clock.Now()
	failure := throttle.Failure[*oautherr.Error]{Kind: kind, RetryAfter: e.Pause(), Remember: e}
	firstSeen := stampOf(a.now)
	if last := a.request.Status.LastError; a.failedBefore() {
		failure.Attempts = int(last.Attempts)
		firstSeen = last.FirstSeen
	}
	failure.Propagating = a.propagates(e, firstSeen)
	return Answer{verdict: r.Gates.Remember(a.gate(), failure, a.now), endpoint: a.endpoint, called: true}
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
	now := r.Gates.Admit(a.gate(), a.now, false)
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
