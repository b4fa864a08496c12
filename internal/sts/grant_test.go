// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

// What a request trades, none of which may be shown.
const (
	assertionCanary = "canary-assertion-0123456789"
	subjectCanary   = "canary-subject-0123456789"
	actorCanary     = "canary-actor-0123456789"
	refreshCanary   = "canary-refresh-0123456789"
	deviceCanary    = "canary-device-0123456789"
	federatedCanary = "canary-federated-0123456789"
)

const (
	jwtType    = "urn:ietf:params:oauth:token-type:jwt"
	accessType = "urn:ietf:params:oauth:token-type:access_token"
)

func grants() map[string]sts.Grant {
	return map[string]sts.Grant{
		"client credentials":          {},
		"client credentials, by name": {Type: sts.GrantClientCredentials},
		"jwt-bearer":                  {Type: sts.GrantJWTBearer, Assertion: assertionCanary},
		"on behalf of":                {Type: sts.GrantJWTBearer, Assertion: assertionCanary, OnBehalfOf: true},
		"token exchange":              {Type: sts.GrantTokenExchange, SubjectToken: subjectCanary, SubjectTokenType: jwtType},
		"token exchange with everything": {
			Type: sts.GrantTokenExchange, SubjectToken: subjectCanary, SubjectTokenType: jwtType,
			ActorToken: actorCanary, ActorTokenType: accessType, RequestedTokenType: jwtType, Audiences: []string{"a", "b"},
		},
		"refresh token": {Type: sts.GrantRefreshToken, RefreshToken: refreshCanary},
		"device code":   {Type: sts.GrantDeviceCode, DeviceCode: deviceCanary},
	}
}

func TestTokenSendsTheGrant(t *testing.T) {
	const exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	forms := map[string]url.Values{
		"client credentials":          {"grant_type": {"client_credentials"}, "scope": {"a b"}},
		"client credentials, by name": {"grant_type": {"client_credentials"}, "scope": {"a b"}},
		"jwt-bearer": {
			"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertionCanary}, "scope": {"a b"}},
		"on behalf of": {
			"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertionCanary}, "scope": {"a b"},
			"requested_token_use": {"on_behalf_of"}},
		"token exchange": {
			"grant_type": {exchange}, "subject_token": {subjectCanary}, "subject_token_type": {jwtType}, "scope": {"a b"}},
		"token exchange with everything": {
			"grant_type": {exchange}, "subject_token": {subjectCanary}, "subject_token_type": {jwtType}, "scope": {"a b"},
			"actor_token": {actorCanary}, "actor_token_type": {accessType}, "requested_token_type": {jwtType}, "audience": {"a", "b"}},
		"refresh token": {"grant_type": {"refresh_token"}, "refresh_token": {refreshCanary}, "scope": {"a b"}},
		"device code":   {"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {deviceCanary}},
	}
	// What every grant is sent with.
	common := url.Values{
		"resource": {"https://a.example.com", "https://b.example.com"}, "claims": {`{"access_token":{}}`}, "x": {"y"},
	}
	for name, grant := range grants() {
		for method, own := range map[sts.AuthMethod]url.Values{
			sts.AuthNone:              {"client_id": {"client"}},
			sts.AuthClientSecretPost:  {"client_id": {"client"}, "client_secret": {secretCanary}},
			sts.AuthClientSecretBasic: {},
			sts.AuthPrivateKeyJWT: {"client_id": {"client"}, "client_assertion": {federatedCanary},
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}},
			sts.AuthTLSClient: {"client_id": {"client"}},
		} {
			t.Run(name+" with "+string(method), func(t *testing.T) {
				s := serve(t, answers(200, success))
				request := s.request()
				request.Auth, request.Grant = method, grant
				request.Scopes, request.Resources = []string{"a", "b"}, common["resource"]
				request.Claims, request.Parameters = common.Get("claims"), map[string]string{"x": "y"}
				if method == sts.AuthPrivateKeyJWT {
					request.ClientAssertion = federatedCanary
				}
				if method == sts.AuthTLSClient {
					request.Transport.ClientCertificate = pairOf(t, ecKey())
				}
				if _, err := sts.New(options()).Token(t.Context(), request); err != nil {
					t.Fatalf("asking: %v", err)
				}
				want := url.Values{}
				for _, part := range []url.Values{forms[name], common, own} {
					maps.Copy(want, part)
				}
				if name == "device code" {
					want.Set("client_id", "client") // RFC 8628 section 3.4
				}
				got := s.last(t)
				if diff := cmp.Diff(want, got.PostForm); diff != "" {
					t.Errorf("form (-want +got):\n%s", diff)
				}
				if basic := got.Header.Get("Authorization") != ""; basic != (method == sts.AuthClientSecretBasic) {
					t.Errorf("the Authorization header is there: %t", basic)
				}
			})
		}
	}
}

// A refusal is a function of what was traded.
func TestGrantTrades(t *testing.T) {
	want := map[string]oautherr.Grant{
		"client credentials": oautherr.GrantClient, "client credentials, by name": oautherr.GrantClient,
		"jwt-bearer": oautherr.GrantAssertion, "on behalf of": oautherr.GrantUser,
		"token exchange": oautherr.GrantAssertion, "token exchange with everything": oautherr.GrantAssertion,
		"refresh token": oautherr.GrantUser, "device code": oautherr.GrantDevice,
	}
	classes := map[oautherr.Grant]oautherr.Class{
		oautherr.GrantClient: oautherr.Credential, oautherr.GrantAssertion: oautherr.Credential,
		oautherr.GrantUser: oautherr.InteractionRequired, oautherr.GrantDevice: oautherr.InteractionRequired,
	}
	for name, grant := range grants() {
		t.Run(name, func(t *testing.T) {
			if got := grant.Trades(); got != want[name] {
				t.Errorf("it trades %q, want %q", got, want[name])
			}
			s := serve(t, answers(400, `{"error":"invalid_grant"}`))
			request := s.request()
			request.Grant = grant
			_, err := sts.New(options()).Token(t.Context(), request)
			if err == nil || err.Class != classes[want[name]] {
				t.Errorf("its refusal is %v, want class %s", err, classes[want[name]])
			}
		})
	}
}

func TestADevicePollIsPendingUntilItIsNot(t *testing.T) {
	for code, want := range map[string]oautherr.Kind{
		"authorization_pending": oautherr.KindPending, "slow_down": oautherr.KindPending,
		"expired_token": oautherr.KindRefused, "access_denied": oautherr.KindRefused, "authorization_declined": oautherr.KindRefused,
	} {
		t.Run(code, func(t *testing.T) {
			s := serve(t, answers(400, `{"error":"`+code+`"}`))
			request := s.request()
			request.Auth, request.ClientSecret, request.Grant = sts.AuthNone, "", grants()["device code"]
			_, err := sts.New(options()).Token(t.Context(), request)
			if err == nil || err.Code != code || err.Kind() != want || err.Class != oautherr.InteractionRequired {
				t.Errorf("got %v, want kind %s", err, want)
			}
		})
	}
}

func TestTokenRefusesIncompleteGrants(t *testing.T) {
	exchange := func(change func(*sts.Grant)) sts.Grant {
		g := grants()["token exchange with everything"]
		change(&g)
		return g
	}
	tests := map[string]struct {
		grant sts.Grant
		want  oautherr.Reason
	}{
		"no assertion":                      {sts.Grant{Type: sts.GrantJWTBearer}, oautherr.ReasonInvalidGrant},
		"an assertion of a line break":      {sts.Grant{Type: sts.GrantJWTBearer, Assertion: "\n", OnBehalfOf: true}, oautherr.ReasonInvalidGrant},
		"another grant's token":             {sts.Grant{Type: sts.GrantJWTBearer, RefreshToken: refreshCanary}, oautherr.ReasonInvalidGrant},
		"no refresh token":                  {sts.Grant{Type: sts.GrantRefreshToken}, oautherr.ReasonInvalidGrant},
		"no device code":                    {sts.Grant{Type: sts.GrantDeviceCode}, oautherr.ReasonInvalidGrant},
		"no subject token":                  {exchange(func(g *sts.Grant) { g.SubjectToken = "" }), oautherr.ReasonInvalidGrant},
		"a subject token without type":      {exchange(func(g *sts.Grant) { g.SubjectTokenType = "" }), oautherr.ReasonInvalidRequest},
		"an actor token without type":       {exchange(func(g *sts.Grant) { g.ActorTokenType = "" }), oautherr.ReasonInvalidRequest},
		"a type without actor token":        {exchange(func(g *sts.Grant) { g.ActorToken = "" }), oautherr.ReasonInvalidGrant},
		"an audience that is empty":         {exchange(func(g *sts.Grant) { g.Audiences = []string{"a", ""} }), oautherr.ReasonInvalidRequest},
		"a grant that nobody here knows":    {sts.Grant{Type: "password"}, oautherr.ReasonUnsupportedGrantType},
		"the grant's own list sent by name": {grants()["token exchange"], oautherr.ReasonInvalidRequest},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, answers(200, success))
			request := s.request()
			request.Grant = tc.grant
			request.Parameters = map[string]string{"Audience": "x"} // fine but for token exchange
			_, err := sts.New(options()).Token(t.Context(), request)
			if err == nil || err.Reason != tc.want || err.Class != oautherr.Configuration || err.HTTPStatus != 0 {
				t.Errorf("got %v, want a refusal of reason %s", err, tc.want)
			}
			s.wantCalls(t, 0)
		})
	}
}

func TestTokenRefusesAnAuthenticationWithoutProof(t *testing.T) {
	tests := map[string]struct {
		change func(*sts.Request)
		want   oautherr.Reason
	}{
		"private_key_jwt with neither key nor assertion": {func(r *sts.Request) { r.Auth = sts.AuthPrivateKeyJWT }, oautherr.ReasonInvalidClient},
		"private_key_jwt with both": {func(r *sts.Request) {
			r.Auth, r.Key, r.ClientAssertion = sts.AuthPrivateKeyJWT, &sts.SigningKey{Pair: pairOf(t, ecKey())}, federatedCanary
		}, oautherr.ReasonInvalidRequest},
		"tls_client_auth without a certificate": {func(r *sts.Request) { r.Auth = sts.AuthTLSClient }, oautherr.ReasonInvalidClient},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, answers(200, success))
			request := s.request()
			tc.change(&request)
			client := sts.New(options())
			_, err := client.Token(t.Context(), request)
			_, alike := client.Authorize(t.Context(), request)
			if err == nil || err.Reason != tc.want || err.HTTPStatus != 0 {
				t.Errorf("got %v, want a refusal of reason %s", err, tc.want)
			}
			if diff := cmp.Diff(err, alike); diff != "" {
				t.Errorf("a device code is refused otherwise (-token +device):\n%s", diff)
			}
			s.wantCalls(t, 0)
		})
	}
}

// A server may echo what it was sent in any text that people see.
func TestNothingShowsWhatWasTraded(t *testing.T) {
	traded := map[string]sts.Grant{
		assertionCanary: grants()["on behalf of"],
		subjectCanary:   grants()["token exchange with everything"],
		actorCanary:     grants()["token exchange with everything"],
		refreshCanary:   grants()["refresh token"],
		deviceCanary:    grants()["device code"],
		federatedCanary: {},
	}
	for canary, grant := range traded {
		t.Run(canary, func(t *testing.T) {
			var status int
			var body map[string]string
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				text, _ := json.Marshal(body)
				answers(status, string(text))(w, r)
			})
			request := s.request()
			request.Auth, request.ClientAssertion, request.Grant = sts.AuthPrivateKeyJWT, federatedCanary, grant
			client := sts.New(options())
			for _, status = range []int{400, 200} {
				body = map[string]string{"error": "invalid_grant " + canary, "error_description": "bad " + canary, "error_uri": "https://sts.example.com/?" + canary}
				_, err := client.Token(t.Context(), request)
				if err == nil || strings.Contains(show(t, *err), canary) {
					t.Errorf("with HTTP %d the error is %v", status, err)
				}
			}
			body = map[string]string{"access_token": "other", "token_type": canary}
			if _, err := client.Token(t.Context(), request); err == nil || strings.Contains(show(t, *err), canary) {
				t.Errorf("as a type it gives %v", err)
			}
			body = map[string]string{"access_token": "other", "token_type": "Bearer", "scope": canary, "issued_token_type": canary}
			token, err := client.Token(t.Context(), request)
			if err != nil || token.Scope != "" || token.IssuedTokenType != "" {
				t.Errorf("as a scope it gives %+v, %v", token, err)
			}
			if shown := show(t, request); strings.Contains(shown, canary) {
				t.Errorf("the request shows it: %s", shown)
			}
		})
	}
	t.Run("the assertion that was signed for the call", func(t *testing.T) {
		var assertion string
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			assertion = r.PostForm.Get("client_assertion")
			half := assertion[len(assertion)/2:]
			answers(401, `{"error":"invalid_client","error_description":"bad `+half+`"}`)(w, r)
		})
		_, err := sts.New(options()).Token(t.Context(), signedRequest(s, sts.SigningKey{Pair: pairOf(t, ecKey())}))
		if err == nil || strings.Contains(show(t, *err), assertion[len(assertion)-12:]) {
			t.Errorf("the error is %v", err)
		}
	})
}
