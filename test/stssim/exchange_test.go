// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/test/stssim"
)

const (
	accessTokenType = "urn:ietf:params:oauth:token-type:access_token"
	jwtTokenType    = "urn:ietf:params:oauth:token-type:jwt"
)

// exchanging is a server whose client demo may exchange tokens, and a JWT that
// it takes.
func exchanging(t *testing.T) (*simulator, string) {
	t.Helper()
	key := newKey(t)
	sim := start(t, stssim.Options{Clients: []stssim.Client{{
		Tenant: "acme", ID: "demo", Secrets: []stssim.Secret{{Value: "stssim-acme-secret"}}, Opaque: true,
		TrustedIssuers: []stssim.TrustedIssuer{{Issuer: userIssuer, Keys: []string{publicKey(t, key)}}},
		UserAssertions: []string{"a-registered-text"},
		Audiences:      []string{"orders", "https://api.example/stock"},
	}}})
	return sim, sign(t, jwt.SigningMethodES256, key, userClaims("anyone", nil), nil)
}

func TestTokenExchange(t *testing.T) {
	sim, subject := exchanging(t)
	own := sim.SeedUserToken("acme", "demo", stssim.Person{Subject: "bob"})
	tests := []struct {
		name   string
		change url.Values
		want   string // the error, empty when granted
	}{
		{"a JWT of a trusted issuer is exchanged", nil, ""},
		{"a token of the server is exchanged", url.Values{"subject_token": {own}, "subject_token_type": {accessTokenType}}, ""},
		{"a registered text is exchanged", url.Values{"subject_token": {"a-registered-text"}}, ""},
		{"for several audiences and resources", url.Values{"audience": {"orders", "orders"}, "resource": {"https://api.example/stock"}}, ""},
		{"another subject token is invalid_request", url.Values{"subject_token": {"other"}}, "invalid_request"},
		{"a missing subject token is invalid_request", url.Values{"subject_token": nil}, "invalid_request"},
		{"a missing subject token type is invalid_request", url.Values{"subject_token_type": nil}, "invalid_request"},
		{"an unknown subject token type is invalid_request", url.Values{"subject_token_type": {"urn:ietf:params:oauth:token-type:saml2"}}, "invalid_request"},
		{"an actor token without its type is invalid_request", url.Values{"actor_token": {own}}, "invalid_request"},
		{"an actor token type without its token is invalid_request", url.Values{"actor_token_type": {jwtTokenType}}, "invalid_request"},
		{"another actor token is invalid_request", url.Values{"actor_token": {"other"}, "actor_token_type": {jwtTokenType}}, "invalid_request"},
		{"a refresh token can't be had", url.Values{"requested_token_type": {"urn:ietf:params:oauth:token-type:refresh_token"}}, "invalid_request"},
		{"an audience that isn't registered is invalid_target", url.Values{"audience": {"orders", "other"}}, "invalid_target"},
		{"a resource that isn't registered is invalid_target", url.Values{"resource": {"https://other.example"}}, "invalid_target"},
		{"a resource that is no URI is invalid_target", url.Values{"resource": {"orders"}}, "invalid_target"},
		{"a resource with a fragment is invalid_target", url.Values{"resource": {"https://api.example/stock#x"}}, "invalid_target"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := sim.post(plainToken, acmeForm(url.Values{
				"grant_type": {tokenExchange}, "subject_token": {subject}, "subject_token_type": {jwtTokenType},
			}, test.change))
			if test.want != "" {
				if code := member(t, got.body, "error"); code != `"`+test.want+`"` || got.status != 400 {
					t.Errorf("status %d, error %s, want %s", got.status, code, test.want)
				}
				return
			}
			answer := read[map[string]any](t, got.body)
			if answer["issued_token_type"] != accessTokenType || answer["token_type"] != "Bearer" {
				t.Errorf("answered %v", answer)
			}
		})
	}
}

func TestExchangedTokenSaysWhatWasAsked(t *testing.T) {
	sim, subject := exchanging(t)
	got := sim.post(plainToken, acmeForm(url.Values{
		"grant_type": {tokenExchange}, "subject_token": {subject}, "subject_token_type": {jwtTokenType},
		"actor_token": {"a-registered-text"}, "actor_token_type": {accessTokenType}, "requested_token_type": {jwtTokenType},
		"audience": {"orders"}, "resource": {"https://api.example/stock"}, "scope": {"read"},
	}))
	claims := accessClaims(t, got.body, "access_token")
	delete(claims, "jti")
	issued := float64(epoch.Unix())
	want := jwt.MapClaims{
		"iss": sim.PlainIssuer("acme"), "aud": []any{"orders", "https://api.example/stock"}, "scope": "read",
		"iat": issued, "nbf": issued, "exp": issued + 3600, "appid": "demo", "tid": "acme",
		"sub": "alice", "act": map[string]any{"sub": "user"},
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if kind := member(t, got.body, "issued_token_type"); kind != `"`+jwtTokenType+`"` {
		t.Errorf("issued_token_type %s", kind)
	}
}

func TestAnExpiredTokenIsNotExchanged(t *testing.T) {
	sim, _ := exchanging(t)
	own := sim.SeedUserToken("acme", "demo", alice)
	sim.clock.Advance(time.Hour)
	got := sim.post(plainToken, acmeForm(url.Values{"grant_type": {tokenExchange}, "subject_token": {own}, "subject_token_type": {accessTokenType}}))
	if code := member(t, got.body, "error"); code != `"invalid_request"` {
		t.Errorf("error %s", code)
	}
}

func TestEntraHasNoTokenExchange(t *testing.T) {
	sim := start(t, stssim.Options{})
	got := sim.post(entraToken, demoForm(url.Values{"grant_type": {tokenExchange}}))
	want := entraError("unsupported_grant_type", "The app requested an unsupported grant type '"+tokenExchange+"'.", "70003")
	if diff := cmp.Diff(want, got.body); diff != "" || got.status != 400 {
		t.Errorf("status %d, body (-want +got):\n%s", got.status, diff)
	}
}
