// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

// The people of the sign-ins. The request expects Adele. Their names have nothing in common with the
// certificates in the requests, where the search for leaks would find it.
var (
	adele   = stssim.Person{Subject: "sub-of-adele", ObjectID: "oid-of-adele", PreferredUsername: "adele@contoso.test"}
	mallory = stssim.Person{Subject: "sub-of-mallory", ObjectID: "oid-of-mallory", PreferredUsername: "mallory@contoso.test"}
)

const (
	refreshGrant = "refresh_token"
	deviceGrant  = "urn:ietf:params:oauth:grant-type:device_code"
)

// signInRows end before, at and after a sign-in.
var signInRows = []row{
	{name: "A sign-in is awaited", does: "The STS gives a user code, and nobody has signed in yet.", spec: signsIn, client: public, calls: 1},
	{name: "No device authorization endpoint", does: "The authority's metadata names no device authorization endpoint.",
		asked: stssim.KindDiscovery, act: stssim.Action{Drop: []string{"device_authorization_endpoint"}},
		spec: both(signsIn, byAuthorityAlone), client: public, calls: 1},
	{name: "Nobody has signed in", does: "The user code lives 3 seconds, in which nobody signs in.",
		act: errorOf("authorization_pending"), spec: signsIn, client: both(public, shortCodes), settles: "ExpiredToken", calls: 1},
	polled("expired_token", "ExpiredToken", "The STS answers a poll with `expired_token`."),
	polled("access_denied", "AccessDenied", "The STS answers a poll with `access_denied`."),
	polled("authorization_declined", "AuthorizationDeclined", "Entra answers a poll with `authorization_declined`."),
	polled("bad_verification_code", "BadVerificationCode", "Entra answers a poll with `bad_verification_code`."),
	polled("invalid_grant", "InvalidGrant", "The STS answers a poll with `invalid_grant`."),
	{name: "Somebody else signs in", does: "Mallory signs in where `expectedSubject` names Adele.", spec: signsIn, client: public,
		meanwhile: signingIn(mallory), settles: "SubjectMismatch", calls: 2},
	{name: "A sign-in whose token names nobody", does: "Adele signs in, and the STS sends no `id_token`.", only: deviceGrant,
		act:  stssim.Action{Drop: []string{"id_token"}},
		spec: signsIn, client: public, meanwhile: signingIn(adele), settles: "SubjectMismatch", calls: 2},
	{name: "A sign-in", does: "Adele signs in.", spec: signsIn, client: public, meanwhile: signingIn(adele), settles: "TokenIssued", calls: 2},
	{name: "A sign-in without a refresh token", does: "Adele signs in, the STS sends no `refresh_token`, and the token is due.",
		act:  stssim.Action{Drop: []string{"refresh_token"}, Lifetime: stssim.Duration(40 * time.Second)},
		spec: both(signsIn, refreshedEarly), client: public, meanwhile: signingIn(adele), settles: "LoginRequired", calls: 2},
	refreshedThen("A refresh after a sign-in that is refused", "Adele has signed in, and the STS answers the refresh with `invalid_grant`.",
		"InvalidGrant", &stssim.ErrorBody{Error: "invalid_grant", Description: "The refresh token was revoked."}),
	refreshedThen("A refresh after a sign-in that wants another", "Adele has signed in, and the STS answers the refresh with `interaction_required`.",
		"InteractionRequired", &stssim.ErrorBody{Error: "interaction_required", Description: "Step up."}),
	{name: "A claims challenge for a device code", does: "The STS answers the request for a device code with `interaction_required` and a claims challenge.",
		asked: stssim.KindDevice, act: challenging, spec: signsInAtEntra, client: public, calls: 1, wait: refused},
	{name: "A claims challenge for a poll", does: "The STS answers a poll with `interaction_required` and a claims challenge.",
		act: challenging, spec: signsInAtEntra, client: public, settles: "InteractionRequired", calls: 2},
	{name: "A client that may not use device codes", does: "The STS answers the request for a device code with `unauthorized_client`.",
		asked: stssim.KindDevice, act: errorOf("unauthorized_client"), spec: signsIn, client: public, calls: 1, wait: refused},
	{name: "A device authorization in the clear", does: "The STS's `verification_uri` isn't https.",
		asked: stssim.KindDevice, act: member("verification_uri", `"http://sts.example/device"`), spec: signsIn, client: public, calls: 1, wait: unavailable},
	{name: "A secret client that Entra takes for no public one", does: "Entra answers a poll with AADSTS7000218.",
		act: stssim.Action{Status: http.StatusUnauthorized, Error: &stssim.ErrorBody{Error: "invalid_client", Codes: []int{7000218},
			Description: "AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or 'client_secret'."}},
		spec: signsInAtEntra, client: public, settles: "InvalidClient", calls: 2, wait: refused},
	{name: "A store that is somebody else's", does: "A Secret of the store's name exists that the operator didn't make.",
		spec: signsIn, client: public, with: secretNamed(requestName+"-refresh", nil)},
}

// errorOf is an error in the words of RFC 6749 and no more.
func errorOf(code string) stssim.Action {
	return stssim.Action{Error: &stssim.ErrorBody{Error: code, Description: "No."}}
}

var challenging = stssim.Action{Error: &stssim.ErrorBody{Error: "interaction_required", Description: "AADSTS50076: you must use multi-factor authentication.", Codes: []int{50076}, Claims: challenge}}

// polled is a sign-in that the STS ends when it is asked about it.
func polled(code, reason, does string) row {
	return row{name: "A sign-in that ends with " + code, does: does, act: errorOf(code), spec: signsIn, client: public, settles: reason, calls: 2}
}

// refreshedThen is a sign-in, and a refresh that the STS answers with an error.
func refreshedThen(name, does, reason string, e *stssim.ErrorBody) row {
	return row{name: name, does: does, only: refreshGrant, act: stssim.Action{Error: e}, spec: signsIn, client: public,
		meanwhile: func(ctx context.Context, s *stop) {
			signingIn(adele)(ctx, s)
			s.awaitToken(ctx)
			s.ask(ctx)
		}, settles: reason, calls: 3, wait: refused}
}

func both[T any](first, second func(*T)) func(*T) {
	return func(t *T) {
		first(t)
		second(t)
	}
}

// signsIn has a public client begin a sign-in at the plain server.
func signsIn(r *stsv1alpha1.TokenRequest) {
	r.Spec.Issuer.TokenEndpoint = stsv1alpha1.HTTPSURL(sim.PlainIssuer(r.Namespace) + "/token")
	r.Spec.Issuer.DeviceAuthorizationEndpoint = stsv1alpha1.HTTPSURL(sim.PlainIssuer(r.Namespace) + "/device")
	r.Spec.Issuer.Credential = nil
	r.Spec.Scopes = []stsv1alpha1.Scope{"mail.read"}
	r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantDeviceCode, DeviceCode: &stsv1alpha1.DeviceCodeGrant{ExpectedSubject: adele.PreferredUsername}}
}

func signsInAtEntra(r *stsv1alpha1.TokenRequest) {
	signsIn(r)
	r.Spec.Issuer.TokenEndpoint = stsv1alpha1.HTTPSURL(sim.EntraAuthority(r.Namespace) + "/oauth2/v2.0/token")
	r.Spec.Issuer.DeviceAuthorizationEndpoint = stsv1alpha1.HTTPSURL(sim.EntraAuthority(r.Namespace) + "/oauth2/v2.0/devicecode")
	r.Spec.Scopes = []stsv1alpha1.Scope{"https://graph.example/Mail.Read"}
}

func byAuthorityAlone(r *stsv1alpha1.TokenRequest) {
	byAuthority(r)
	r.Spec.Issuer.DeviceAuthorizationEndpoint = ""
}

func refreshedEarly(r *stsv1alpha1.TokenRequest) {
	r.Spec.RefreshBefore = &metav1.Duration{Duration: 30 * time.Second}
}

func public(c *stssim.Client) {
	c.Public, c.Secrets = true, nil
	c.DeviceInterval = stssim.Duration(time.Second)
}

func shortCodes(c *stssim.Client) { c.DeviceLifetime = stssim.Duration(3 * time.Second) }

// signingIn has a person sign in with the user code that the status shows.
func signingIn(who stssim.Person) func(context.Context, *stop) {
	return func(ctx context.Context, s *stop) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			device := s.now(ctx, g).Status.DeviceAuthorization
			g.Expect(device).NotTo(BeNil(), s.name)
			g.Expect(sim.ApproveDevice(device.UserCode, who)).To(Succeed())
		}).WithContext(ctx).Should(Succeed())
	}
}

func (s *stop) awaitToken(ctx context.Context) {
	GinkgoHelper()
	Eventually(func(g Gomega) { g.Expect(s.now(ctx, g).Status.Token).NotTo(BeNil(), s.name) }).WithContext(ctx).Should(Succeed())
}

// now is the request as it is.
func (s *stop) now(ctx context.Context, g Gomega) *stsv1alpha1.TokenRequest {
	r := &stsv1alpha1.TokenRequest{}
	g.Expect(cluster.API.Get(ctx, client.ObjectKeyFromObject(s.request), r)).To(Succeed())
	return r
}

// ask has a person want the token refreshed.
func (s *stop) ask(ctx context.Context) {
	GinkgoHelper()
	before := s.now(ctx, Default)
	after := before.DeepCopy()
	after.Annotations = map[string]string{stsv1alpha1.AnnotationRefreshRequestedAt: "now"}
	Expect(cluster.API.Patch(ctx, after, client.MergeFrom(before))).To(Succeed())
}
