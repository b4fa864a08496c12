// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"encoding/base64"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

// refreshRows trade the refresh token that a Secret was seeded with.
var refreshRows = []row{
	refreshed("A refresh token that is unknown", "The STS doesn't know the refresh token that was seeded.", stssim.Action{}),
	refreshed("A refresh token that nobody used for long", "Entra answers 400 `invalid_grant` with AADSTS700082.", inactive),
	refreshed("A refresh token that was revoked", "Entra answers 400 `invalid_grant` with AADSTS50173.",
		grantError(50173, "The provided grant has expired due to it being revoked, a fresh auth token is needed.")),
	{
		name: "A refresh token whose successor was lost", does: "The connection breaks after the refresh token was sent, and Entra answers the second attempt with AADSTS70008.",
		act:  stssim.Action{Reset: true},
		then: new(grantError(70008, "The provided authorization code or refresh token has expired due to inactivity.")),
		spec: refreshes, with: seeded, settles: "RefreshTokenLost", calls: 2,
	}, {
		name: "A store of somebody else's", does: "A Secret of the store's name exists that the operator didn't make.",
		spec: refreshes, with: allOf(seeded, secretNamed(requestName+"-refresh", nil)),
	}, {
		name: "A store of somebody else's that consents", does: "A Secret of the store's name exists, which its owner lets the request adopt.",
		spec: refreshes, with: allOf(seeded, secretNamed(requestName+"-refresh", map[string]string{stsv1alpha1.AnnotationAdoptableBy: requestName})),
	}, {
		name: "No refresh token to begin with", does: "The Secret that is to hold the first refresh token doesn't exist.", spec: refreshes,
	},
}

var inactive = grantError(700082, "The refresh token has expired due to inactivity.")

func grantError(number int, description string) stssim.Action {
	return numbered(http.StatusBadRequest, "invalid_grant", number, description, refused).act
}

func refreshed(name, does string, act stssim.Action) row {
	return row{name: name, does: does, act: act, spec: refreshes, with: seeded, calls: 1, wait: refused}
}

func refreshes(r *stsv1alpha1.TokenRequest) {
	r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantRefreshToken, RefreshToken: &stsv1alpha1.RefreshTokenGrant{TokenRef: seed}}
}

var seed = stsv1alpha1.SecretKeyRef{Name: "seed", Key: "refresh_token"}

func seeded(t operator.Tenant) []client.Object {
	return []client.Object{&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "seed"},
		Data: map[string][]byte{"refresh_token": []byte("seed-of-" + t.Namespace)}}}
}

// secretNamed is a Secret of somebody else's.
func secretNamed(name string, annotations map[string]string) func(operator.Tenant) []client.Object {
	return func(t operator.Tenant) []client.Object {
		return []client.Object{&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: name, Annotations: annotations}}}
	}
}

func allOf(some ...func(operator.Tenant) []client.Object) func(operator.Tenant) []client.Object {
	return func(t operator.Tenant) []client.Object {
		var all []client.Object
		for _, of := range some {
			all = append(all, of(t)...)
		}
		return all
	}
}

// tradeRows are what a grant would trade.
var tradeRows = []row{
	traded("A user's token that has expired", "The token that is to be traded on behalf of a user expired in 2001.", map[string]string{"token": expiredJWT}, nil, onBehalf),
	traded("An assertion that has expired", "The assertion of a JWT bearer grant expired in 2001.", map[string]string{"token": expiredJWT}, nil,
		func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantJWTBearer, JWTBearer: &stsv1alpha1.AssertionGrant{Assertion: tradedToken()}}
		}),
	traded("An actor's token that has expired", "The actor token of a token exchange expired in 2001.", map[string]string{"token": "opaque", "actor": expiredJWT}, nil, exchanges),
	traded("No token to be traded", "The Secret has no key of that name.", map[string]string{"other": "opaque"}, nil, onBehalf),
	traded("A token that may not go there", "The owner of the Secret with the user's token lets it go elsewhere only.", map[string]string{"token": "opaque"},
		map[string]string{stsv1alpha1.AnnotationAllowedHosts: "login.microsoftonline.com"}, onBehalf),
	{
		name: "A ServiceAccount that isn't to be traded", does: "The ServiceAccount whose token is to be traded has no annotation.",
		with: accountWith(nil),
		spec: func(r *stsv1alpha1.TokenRequest) {
			exchanges(r)
			r.Spec.Grant.TokenExchange.SubjectToken = stsv1alpha1.TokenSource{ServiceAccount: &stsv1alpha1.ServiceAccountToken{Name: accountName, Audience: "https://sts.example"}}
			r.Spec.Grant.TokenExchange.ActorToken, r.Spec.Grant.TokenExchange.ActorTokenType = nil, ""
		},
	},
}

// expiredJWT says of itself that it ended in 2001.
var expiredJWT = "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"somebody","exp":1000000000}`)) + ".c2ln"

const jwtType = "urn:ietf:params:oauth:token-type:jwt"

func traded(name, does string, data, annotations map[string]string, spec func(*stsv1alpha1.TokenRequest)) row {
	return row{name: name, does: does, spec: spec, with: func(t operator.Tenant) []client.Object {
		return []client.Object{&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "user", Annotations: annotations}, StringData: data}}
	}}
}

func tradedToken() stsv1alpha1.TokenSource {
	return stsv1alpha1.TokenSource{SecretRef: &stsv1alpha1.SecretKeyRef{Name: "user", Key: "token"}}
}

func onBehalf(r *stsv1alpha1.TokenRequest) {
	r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantOnBehalfOf, OnBehalfOf: &stsv1alpha1.AssertionGrant{Assertion: tradedToken()}}
}

func exchanges(r *stsv1alpha1.TokenRequest) {
	r.Spec.Issuer.TokenEndpoint = stsv1alpha1.HTTPSURL(sim.PlainIssuer(r.Namespace) + "/token")
	r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantTokenExchange, TokenExchange: &stsv1alpha1.TokenExchangeGrant{
		SubjectToken: tradedToken(), SubjectTokenType: jwtType,
		ActorToken:     &stsv1alpha1.TokenSource{SecretRef: &stsv1alpha1.SecretKeyRef{Name: "user", Key: "actor"}},
		ActorTokenType: jwtType,
	}}
}
