// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/flight"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/secret"
	"tokenrequest.dev/operator/internal/sts"
)

// chained says that each answer to this grant decides what is asked next: its refresh token is good
// for one use, or a sign-in is under way. Nobody else's answer will do.
func (a *attempt) chained() bool { return keepsChain(a.grantType()) }

func keepsChain(grant stsv1alpha1.GrantType) bool {
	return grant == stsv1alpha1.GrantRefreshToken || grant == stsv1alpha1.GrantDeviceCode
}

// signsIn says that the operator can begin a sign-in for this request.
func (a *attempt) signsIn() bool { return a.grantType() == stsv1alpha1.GrantDeviceCode }

func (a *attempt) grantType() stsv1alpha1.GrantType { return grantOf(&a.request.Spec) }

func (a *attempt) storeKey() types.NamespacedName {
	return types.NamespacedName{Namespace: a.request.Namespace, Name: secret.StoreName(a.request)}
}

// recall takes the answer to what was asked, reads what the answers before have left, and takes from that
// what is asked next. A call leaves the store as its answer wants it and lands then, so that whoever has
// read it first may have read what the call has overtaken.
func (r *Reconciler) recall(ctx context.Context, a *attempt) (outcome, error) {
	a.grant = a.credential.Grant
	a.identify()
	if a.chained() && !r.Flights.Supersede(a.flight(), a.key()) && !a.request.Spec.Suspend {
		// Something else is asked for by now, but the refresh token has left. It may not leave twice, and its
		// successor isn't known yet.
		return a.asking(), nil
	}
	var state flight.State
	a.answer, state = r.Flights.Collect(a.flight(), a.key())
	a.answered = state == flight.Done
	if !a.chained() {
		return outcome{}, nil
	}
	held, err := r.holdingOf(ctx, r.Client, a.request, a.storeKey())
	if err == nil && held.State == secret.Free {
		// The cache has no strangers.
		held, err = r.holdingOf(ctx, r.Live, a.request, a.storeKey())
	}
	if err != nil {
		return outcome{}, err
	}
	if message := held.UnusableStore(a.request); message != "" {
		return outcome{kind: blocked, reason: stsv1alpha1.ReasonSecretConflict, message: message}, nil
	}
	a.store = held
	if held.Secret != nil {
		a.chain = secret.ReadChain(held.Secret)
	}
	a.stuck = a.next()
	a.identify()
	return outcome{}, nil
}

// stop ends the reconcile of a chain that can't go on. It comes after collect: an answer that arrived
// with the last second of a user code counts. One that is suspended doesn't go on in any case.
func (r *Reconciler) stop(_ context.Context, a *attempt) (outcome, error) {
	if a.request.Spec.Suspend {
		return outcome{}, nil
	}
	return a.stuck, nil
}

// next chooses what a chain asks for: it goes on with what it has, or says why it can't.
func (a *attempt) next() outcome {
	if a.signsIn() {
		return a.nextSignIn()
	}
	seed := a.credential.Grant.RefreshToken
	if origin := secret.Origin(seed.Reveal()); a.chain.Origin != origin {
		// Somebody put another refresh token there: that is the beginning of another chain.
		a.chain = secret.Chain{Origin: origin, RefreshToken: seed}
	}
	if a.chain.Ended != "" {
		return a.ended(a.chain.Ended)
	}
	a.grant.RefreshToken = a.chain.RefreshToken
	return outcome{}
}

// ended is the outcome of a chain that only a person can begin anew.
func (a *attempt) ended(reason string) outcome {
	todo := "Put a new refresh token into " + a.credential.GrantDescription + "."
	if a.signsIn() {
		todo = a.beginAnew()
	}
	return outcome{kind: blocked, reason: reason, interaction: true, message: endings[reason] + " " + todo}
}

// endings say why nobody's sign-in is of use any more.
var endings = map[string]string{
	stsv1alpha1.ReasonRefreshTokenLost:      "The refresh token was spent, and its successor was lost before it could be stored.",
	stsv1alpha1.ReasonInteractionRequired:   "The STS wants more of who signs in than this sign-in brought. Copy status.lastError.claims to spec.claims where there are some, which begins another sign-in.",
	stsv1alpha1.ReasonLoginRequired:         "The STS gave no refresh token, so that a new access token takes a new sign-in.",
	stsv1alpha1.ReasonConsentRequired:       "The STS wants somebody to consent to what is asked for.",
	stsv1alpha1.ReasonExpiredToken:          "Nobody signed in before the user code expired.",
	stsv1alpha1.ReasonAccessDenied:          "The sign-in was refused.",
	stsv1alpha1.ReasonAuthorizationDeclined: "The person who was to sign in declined.",
	stsv1alpha1.ReasonBadVerificationCode:   "The STS doesn't know the device code any more.",
	stsv1alpha1.ReasonInvalidGrant:          "The STS doesn't take the device code any more.",
	stsv1alpha1.ReasonSubjectMismatch:       "Somebody else signed in than spec.grant.deviceCode.expectedSubject names, or the STS didn't say who; the token was thrown away.",
}

// errStoreTaken is a store that somebody else made or changed since it was looked at. The next look
// says whose it is.
var errStoreTaken = errors.New("it was made or changed by somebody else meanwhile")

// keep writes a chain down, unless its store isn't as it was seen.
func (r *Reconciler) keep(ctx context.Context, a *attempt, chain secret.Chain) error {
	s := a.store.Keep(a.request, chain)
	var err error
	if a.store.State == secret.Free {
		err = r.Client.Create(ctx, s, client.FieldOwner(stsv1alpha1.FieldManager))
	} else {
		err = r.Client.Patch(ctx, s, client.MergeFromWithOptions(a.store.Secret, client.MergeFromWithOptimisticLock{}), client.FieldOwner(stsv1alpha1.FieldManager))
	}
	switch {
	case err == nil:
		a.store, a.chain = secret.Hold(a.request, s), chain
		return nil
	case apierrors.IsAlreadyExists(err), apierrors.IsConflict(err):
		err = errStoreTaken
	case refuses(err):
		// The API server's own words may quote what it refuses (external-secrets#5884).
		err = errors.New(refusedFields(err))
	}
	return fmt.Errorf("keeping the refresh token in Secret %s: %w", a.storeKey(), err)
}

// spend writes down, before a refresh token leaves, that it does. Without that nobody could tell, after
// a crash, a token whose successor was lost from one that was revoked. It reports whether the token
// had left before, with no answer that anybody stored.
func (r *Reconciler) spend(ctx context.Context, a *attempt) (again bool, err error) {
	if !a.refreshes() {
		return false, nil
	}
	if a.chain.Spending {
		return true, r.unanswered(ctx, a)
	}
	spending := a.chain
	spending.Spending = true
	return false, r.keep(ctx, a, spending)
}

// unanswered makes sure that a refresh token that leaves a second time has no successor: what the cache has
// may be older than the answer of a process before this one.
func (r *Reconciler) unanswered(ctx context.Context, a *attempt) error {
	held, err := r.holdingOf(ctx, r.Live, a.request, a.storeKey())
	switch {
	case err != nil:
		return err
	case held.Secret == nil || held.Secret.ResourceVersion != a.store.Secret.ResourceVersion:
		return fmt.Errorf("sending the refresh token in Secret %s once more: %w", a.storeKey(), errStoreTaken)
	}
	return nil
}

// settleTimeout bounds the write of what an answer has brought.
const settleTimeout = 10 * time.Second

// settle writes down what an answer means for the chain, as soon as it is there and also while the operator
// stops. A worker may come too late: something else is asked for by then, or the issuer doesn't serve the
// request any more. What can't be written now is left to the worker.
func (r *Reconciler) settle(ctx context.Context, a *attempt, answer *Answer) {
	if !a.chained() || answer.polled && answer.token == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	var err error
	if answer.token != nil {
		_, err = r.advance(ctx, a, answer.token)
	} else {
		_, err = r.settleRefusal(ctx, a, *answer)
	}
	if err != nil {
		log.FromContext(ctx).Info("Storing what an answer means for the refresh token failed, and is tried again when the answer is taken in", "TokenRequest", a.key().String(), "cause", err.Error())
	}
}

// refreshes says that a refresh token of a chain is what is traded.
func (a *attempt) refreshes() bool { return a.chained() && a.grant.Type == sts.GrantRefreshToken }

// advance writes down what an answer has brought for the next time, before the access token is
// published: whoever holds an access token whose refresh token was lost would have to sign in again.
func (r *Reconciler) advance(ctx context.Context, a *attempt, token *sts.Token) (outcome, error) {
	if !a.chained() {
		return outcome{}, nil
	}
	if a.stranger(token) {
		return r.end(ctx, a, stsv1alpha1.ReasonSubjectMismatch, nil)
	}
	next := secret.Chain{Origin: a.origin(), Issuer: a.signInIssuer(), RefreshToken: a.chain.RefreshToken}
	if token.RefreshToken != "" {
		next.RefreshToken = token.RefreshToken
	}
	if a.chain == next {
		return outcome{}, nil // it was kept already, and publishing failed
	}
	return outcome{}, r.keep(ctx, a, next)
}

// origin is what the chain goes back to.
func (a *attempt) origin() string {
	if a.signsIn() {
		return secret.Origin(a.inputs)
	}
	return a.chain.Origin
}

// settleRefusal brings a chain's memory up to date with a refusal. It has an outcome when that is the
// end of the chain.
func (r *Reconciler) settleRefusal(ctx context.Context, a *attempt, answer Answer) (outcome, error) {
	e := answer.verdict.Remembered
	if !answer.called || e == nil {
		return outcome{}, nil
	}
	if answer.polled {
		return r.settlePoll(ctx, a, e)
	}
	if !answer.traded || e.Lost() {
		return outcome{}, nil
	}
	if a.chain.Ended != "" { // written down by the call
		return a.over(e), nil
	}
	if answer.again && e.Reason == oautherr.ReasonInvalidGrant {
		return r.end(ctx, a, stsv1alpha1.ReasonRefreshTokenLost, e)
	}
	if !a.chain.Spending {
		return outcome{}, nil
	}
	// The STS gave nothing for the token, or never saw it: it is as good as before.
	kept := a.chain
	kept.Spending = false
	return outcome{}, r.keep(ctx, a, kept)
}

// end writes down that the chain can't go on by itself.
func (r *Reconciler) end(ctx context.Context, a *attempt, reason string, e *oautherr.Error) (outcome, error) {
	over := secret.Chain{Origin: a.origin(), Ended: reason}
	if err := r.keep(ctx, a, over); err != nil {
		return outcome{}, err
	}
	return a.over(e), nil
}

// over is the outcome of the answer that has ended the chain.
func (a *attempt) over(e *oautherr.Error) outcome {
	o := a.ended(a.chain.Ended)
	o.err, o.called = e, true
	return o
}
