// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/secret"
	"tokenrequest.dev/operator/internal/sts"
)

// nextSignIn chooses what the device code grant asks for: it polls while somebody is to sign in,
// lives off the refresh token after that, and begins anew by itself only for a spec that was never
// signed in for. A code that nobody used would otherwise be followed by the next one, for ever.
func (a *attempt) nextSignIn() outcome {
	fresh := a.chain.Origin != a.origin()
	switch {
	case a.polling():
		a.grant = sts.Grant{Type: sts.GrantDeviceCode, DeviceCode: a.chain.Device.Code}
	case a.signedIn() && !a.signInAgain():
		a.grant = sts.Grant{Type: sts.GrantRefreshToken, RefreshToken: a.chain.RefreshToken}
	case fresh || a.forced() != "":
		a.authorize = true
	case a.chain.Ended != "":
		return a.ended(a.chain.Ended)
	case a.chain.Device != nil:
		return a.ended(stsv1alpha1.ReasonExpiredToken)
	default:
		return a.ended(stsv1alpha1.ReasonLoginRequired)
	}
	return outcome{}
}

// signedIn says that somebody has signed in to this very issuer, and is who the spec expects. A refresh token of another
// one goes nowhere: unlike a credential that somebody stored, it has no owner who could say where it may.
func (a *attempt) signedIn() bool {
	return a.chain.RefreshToken != "" && a.chain.Issuer == a.signInIssuer()
}

// signInIssuer is what a chain keeps of the issuer that somebody signs in to.
func (a *attempt) signInIssuer() string {
	if !a.signsIn() {
		return ""
	}
	var expected string
	if grant := a.request.Spec.Grant.DeviceCode; grant != nil {
		expected = grant.ExpectedSubject
	}
	i := a.issuer
	return secret.Origin(strings.Join([]string{
		string(i.Authority), string(i.TokenEndpoint), string(i.DeviceAuthorizationEndpoint), a.credential.ClientID, expected,
	}, "\x00"))
}

// polling says that somebody is to sign in, and that there is still time for it.
func (a *attempt) polling() bool {
	d := a.chain.Device
	return d != nil && a.chain.Ended == "" && a.chain.Origin == a.origin() && a.now.Before(d.ExpiresAt)
}

// signInAgain says that a person was told that a sign-in is needed, and has asked for one.
func (a *attempt) signInAgain() bool {
	return a.forced() != "" && meta.IsStatusConditionTrue(a.request.Status.Conditions, stsv1alpha1.ConditionInteractionRequired)
}

// beginAnew is how a person asks for another user code.
func (a *attempt) beginAnew() string {
	return fmt.Sprintf("Annotate TokenRequest %s with a new value of %s and sign in with the user code it then shows.",
		a.key(), stsv1alpha1.AnnotationRefreshRequestedAt)
}

// awaiting is the outcome of a sign-in that is under way.
func (a *attempt) awaiting() outcome {
	return outcome{
		kind: awaiting, reason: stsv1alpha1.ReasonAuthorizationPending, message: a.invitation(),
		interaction: true, called: true, until: nextSecond(a.now.Add(a.chain.Device.Interval)),
	}
}

// nextSecond rounds up: a status has whole seconds, and a poll before its time is answered with
// slow_down.
func nextSecond(t time.Time) time.Time {
	if whole := t.Truncate(time.Second); whole.Before(t) {
		return whole.Add(time.Second)
	}
	return t
}

// invitation says where to sign in. The code is the one value in a message that varies.
func (a *attempt) invitation() string {
	return fmt.Sprintf("Open %s in a browser and enter the code %s to sign in for client %s.",
		a.chain.Device.URI, a.chain.Device.UserCode, a.clientName())
}

// invite writes down the codes that the STS gave, before anybody is shown one: a user code whose
// device code is lost would be used in vain.
func (r *Reconciler) invite(ctx context.Context, a *attempt, d *sts.DeviceAuthorization) (outcome, error) {
	chain := secret.Chain{
		Origin: a.origin(),
		Issuer: a.signInIssuer(),
		Device: &secret.SignIn{
			Code: d.DeviceCode, UserCode: d.UserCode, URI: d.VerificationURI, CompleteURI: d.VerificationURIComplete,
			ExpiresAt: earlier(d.ExpiresAt, d.IssuedAt.Add(longestSignIn)).UTC().Truncate(time.Second), Interval: d.Interval.Truncate(time.Second),
		},
	}
	if a.signedIn() {
		chain.RefreshToken = a.chain.RefreshToken
	}
	if err := r.keep(ctx, a, chain); err != nil {
		return outcome{}, err
	}
	return a.awaiting(), nil
}

// longestSignIn bounds how long a sign-in is waited for, whatever the STS says: Entra's codes live 15
// minutes, and each poll costs the STS a call and us a write.
const longestSignIn = time.Hour

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// slowDown is what a poll that came too soon adds to the interval, from then on (RFC 8628 section 3.5).
const slowDown = 5 * time.Second

// endOfSignIn are the reasons after which the same device code is never accepted.
var endOfSignIn = []oautherr.Reason{
	oautherr.ReasonExpiredToken, oautherr.ReasonAccessDenied, oautherr.ReasonAuthorizationDeclined,
	oautherr.ReasonBadVerificationCode, oautherr.ReasonInvalidGrant,
	oautherr.ReasonInteractionRequired, oautherr.ReasonLoginRequired, oautherr.ReasonConsentRequired,
}

// settlePoll is what follows from a poll without a token.
func (r *Reconciler) settlePoll(ctx context.Context, a *attempt, e *oautherr.Error) (outcome, error) {
	switch {
	case slices.Contains(endOfSignIn, e.Reason):
		return r.end(ctx, a, string(e.Reason), e)
	case e.Reason == oautherr.ReasonSlowDown:
		slower, device := a.chain, *a.chain.Device
		device.Interval += slowDown
		slower.Device = &device
		if err := r.keep(ctx, a, slower); err != nil {
			return outcome{}, err
		}
		return a.awaiting(), nil
	case e.Kind() == oautherr.KindPending:
		return a.awaiting(), nil
	}
	return outcome{}, nil
}

// stranger says that the token is somebody else's than expected, as far as anybody can tell. A
// refresh may come without an id_token (OpenID Connect Core 1.0 section 12.2); a sign-in may not.
func (a *attempt) stranger(token *sts.Token) bool {
	if !a.signsIn() || a.request.Spec.Grant.DeviceCode == nil {
		return false
	}
	expected := a.request.Spec.Grant.DeviceCode.ExpectedSubject
	if expected == "" || token.Identity == nil && a.grant.Type == sts.GrantRefreshToken {
		return false
	}
	return !token.Identity.Is(expected)
}

// withSignIn adds to the scopes what a sign-in needs, for it to bring a refresh token and a name. A
// refresh asks for what the sign-in did.
func (a *attempt) withSignIn(scopes []string, meta sts.Metadata) []string {
	switch {
	case a.signsIn():
		return append(scopes, meta.SignInScopes()...)
	case a.grantType() == stsv1alpha1.GrantRefreshToken && meta.Entra && !slices.Contains(scopes, "offline_access"):
		// Entra gives the next refresh token only to who asks for it.
		return append(scopes, "offline_access")
	}
	return scopes
}

// deviceStatus is what a person needs to sign in, nil when nobody is to.
func (a *attempt) deviceStatus() *stsv1alpha1.DeviceAuthorization {
	if !a.polling() {
		return nil
	}
	d := a.chain.Device
	return &stsv1alpha1.DeviceAuthorization{
		UserCode: d.UserCode, VerificationURI: d.URI, VerificationURIComplete: d.CompleteURI, ExpiresAt: stampOf(d.ExpiresAt),
	}
}
