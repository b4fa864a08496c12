// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"crypto"
	"net/url"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/test/stssim"
)

const (
	jwtBearer     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"

	userIssuer = "https://users.example"
)

var alice = stssim.Person{Subject: "alice", ObjectID: "0a11ce00-0000-4000-8000-000000000001", PreferredUsername: "alice@contoso.example"}

// accessClaims are the claims of an answer's access token.
func accessClaims(t *testing.T, body, name string) jwt.MapClaims {
	t.Helper()
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(read[map[string]any](t, body)[name].(string), claims); err != nil {
		t.Fatalf("reading %s of %s: %v", name, body, err)
	}
	return claims
}

// userClaims are those of a person's JWT for an audience.
func userClaims(audience string, changes jwt.MapClaims) jwt.MapClaims {
	claims := jwt.MapClaims{"iss": userIssuer, "sub": "alice", "aud": audience, "exp": epoch.Add(time.Minute).Unix()}
	for name, value := range changes {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	return claims
}

func TestJWTBearerGrant(t *testing.T) {
	key, stranger := newKey(t), newKey(t)
	trusted := []stssim.TrustedIssuer{{Issuer: userIssuer, Keys: []string{publicKey(t, key)}}}
	sim := start(t, stssim.Options{Clients: []stssim.Client{
		{Tenant: contoso, ID: demoClient, Secrets: []stssim.Secret{{Value: demoSecret}}, TrustedIssuers: trusted},
		{Tenant: "acme", ID: "demo", Secrets: []stssim.Secret{{Value: "stssim-acme-secret"}}, TrustedIssuers: trusted},
	}})
	tests := []struct {
		name    string
		key     crypto.Signer
		changes jwt.MapClaims
		want    string // error_codes, empty when granted
	}{
		{"of a trusted issuer it is accepted", key, nil, ""},
		{"for this server among others it is accepted", key, jwt.MapClaims{"aud": []string{"https://elsewhere.example", sim.URL() + entraToken, sim.URL() + plainToken}}, ""},
		{"signed by another key it is AADSTS50013", stranger, nil, "[50013]"},
		{"of another issuer it is AADSTS50013", key, jwt.MapClaims{"iss": "https://elsewhere.example"}, "[50013]"},
		{"about nobody it is AADSTS50013", key, jwt.MapClaims{"sub": nil}, "[50013]"},
		{"before its beginning it is AADSTS50013", key, jwt.MapClaims{"nbf": epoch.Add(time.Second).Unix()}, "[50013]"},
		{"expired it is AADSTS500133", key, jwt.MapClaims{"exp": epoch.Unix()}, "[500133]"},
		{"without an end it is AADSTS500133", key, jwt.MapClaims{"exp": nil}, "[500133]"},
		{"for another server it is AADSTS500131", key, jwt.MapClaims{"aud": "https://elsewhere.example"}, "[500131]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			form := func(path string) url.Values {
				return url.Values{"grant_type": {jwtBearer}, "assertion": {
					sign(t, jwt.SigningMethodES256, test.key, userClaims(sim.URL()+path, test.changes), nil)}}
			}
			got := sim.post(entraToken, demoForm(form(entraToken), url.Values{"scope": {"api://orders/read"}}))
			if codes := member(t, got.body, "error_codes"); codes != test.want {
				t.Errorf("Entra: error_codes %q, want %q, in %s", codes, test.want, got.body)
			}
			plain := sim.post(plainToken, acmeForm(form(plainToken)))
			if test.want != "" {
				if code := member(t, plain.body, "error"); code != `"invalid_grant"` || plain.status != 400 {
					t.Errorf("plain: status %d, error %s", plain.status, code)
				}
				return
			}
			for _, body := range []string{got.body, plain.body} {
				if sub := accessClaims(t, body, "access_token")["sub"]; sub != "alice" {
					t.Errorf("the token is about %v", sub)
				}
				if refresh := member(t, body, "refresh_token"); refresh != "" {
					t.Errorf("a refresh token came along: %s", refresh)
				}
			}
		})
	}
}

func TestAssertionIsRequired(t *testing.T) {
	sim := start(t, stssim.Options{})
	for _, use := range []string{"", "on_behalf_of"} {
		got := sim.post(entraToken, demoForm(url.Values{"grant_type": {jwtBearer}, "requested_token_use": {use}}))
		if codes := member(t, got.body, "error_codes"); codes != "[900144]" {
			t.Errorf("use %q: error_codes %s", use, codes)
		}
	}
}

func TestOnBehalfOf(t *testing.T) {
	const registered = "a-text-that-is-registered"
	sim := start(t, stssim.Options{Clients: []stssim.Client{
		{
			Tenant: contoso, ID: demoClient, Secrets: []stssim.Secret{{Value: demoSecret}},
			UserAssertions: []string{registered}, Audiences: []string{"https://middle.example"},
		},
		{Tenant: "fabrikam", ID: demoClient, Secrets: []stssim.Secret{{Value: demoSecret}}},
	}})
	sim.post(entraToken, demoForm(url.Values{"scope": {"api://" + demoClient + "/.default"}}))
	app := sim.Issued()[0]
	user := sim.SeedUserToken(contoso, demoClient, alice)
	tests := []struct {
		name, assertion string
		pass            time.Duration
		want            string
	}{
		{"a person's token for the client is accepted", user, 0, ""},
		{"and again, for it isn't spent", user, 0, ""},
		{"a registered text is accepted", registered, 0, ""},
		{"a token of the client for itself is AADSTS7000113", app, 0, "[7000113]"},
		{"a token for another application is AADSTS500131", sim.SeedUserToken(contoso, expiredClient, alice), 0, "[500131]"},
		{"a token for a registered audience is accepted", sim.SeedUserToken(contoso, "https://middle.example", alice), 0, ""},
		{"a token of another tenant is AADSTS50013", sim.SeedUserToken("fabrikam", demoClient, alice), 0, "[50013]"},
		{"a token that was never issued is AADSTS50013", user + "x", 0, "[50013]"},
		{"a token that has expired is AADSTS500133", user, 3599 * time.Second, "[500133]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim.clock.Advance(test.pass)
			got := sim.post(entraToken, demoForm(url.Values{
				"grant_type": {jwtBearer}, "requested_token_use": {"on_behalf_of"}, "assertion": {test.assertion},
			}))
			if codes := member(t, got.body, "error_codes"); codes != test.want {
				t.Errorf("error_codes %q, want %q, in %s", codes, test.want, got.body)
			}
			if test.want != "" && member(t, got.body, "error") != `"invalid_grant"` {
				t.Errorf("error %s", member(t, got.body, "error"))
			}
		})
	}
}

func TestOnBehalfOfGivesWhatThePersonHas(t *testing.T) {
	sim := start(t, stssim.Options{})
	got := sim.post(entraToken, demoForm(url.Values{
		"grant_type": {jwtBearer}, "requested_token_use": {"on_behalf_of"}, "assertion": {sim.SeedUserToken(contoso, demoClient, alice)},
		"scope": {"https://graph.microsoft.com/User.Read https://graph.microsoft.com/Mail.Read openid offline_access"},
	}))
	claims := accessClaims(t, got.body, "access_token")
	delete(claims, "jti")
	issued := float64(epoch.Unix())
	want := jwt.MapClaims{
		"iss": sim.URL() + "/" + contoso + "/v2.0", "aud": "https://graph.microsoft.com", "scp": "User.Read Mail.Read",
		"iat": issued, "nbf": issued, "exp": issued + 3599, "appid": demoClient, "tid": contoso,
		"sub": "alice", "oid": alice.ObjectID, "preferred_username": alice.PreferredUsername,
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if scope := member(t, got.body, "scope"); scope != `"https://graph.microsoft.com/User.Read https://graph.microsoft.com/Mail.Read openid"` {
		t.Errorf("scope %s", scope)
	}
	for _, name := range []string{"refresh_token", "id_token"} {
		if member(t, got.body, name) == "" {
			t.Errorf("no %s in %s", name, got.body)
		}
	}
}

func TestARuleAsksForInteraction(t *testing.T) {
	const challenge = `{"access_token":{"polids":{"essential":true}}}`
	sim := start(t, stssim.Options{})
	sim.rule(stssim.Rule{Match: stssim.Match{GrantType: jwtBearer}, Action: stssim.Action{
		Error: &stssim.ErrorBody{Error: "interaction_required", Codes: []int{50079}, Claims: challenge},
	}})
	got := read[map[string]any](t, sim.post(entraToken, demoForm(url.Values{
		"grant_type": {jwtBearer}, "requested_token_use": {"on_behalf_of"}, "assertion": {sim.SeedUserToken(contoso, demoClient, alice)},
	})).body)
	if got["error"] != "interaction_required" || got["claims"] != challenge {
		t.Errorf("answered %v", got)
	}
}

func TestDelegatedScope(t *testing.T) {
	sim := start(t, stssim.Options{Clients: []stssim.Client{{
		Tenant: contoso, ID: demoClient, Secrets: []stssim.Secret{{Value: demoSecret}}, Scopes: []string{"User.Read", "api://orders/read", "api://orders/write"},
	}}})
	tests := []struct{ name, scope, codes, audience string }{
		{"two scopes of a resource are for it", "api://orders/read api://orders/write", "", "api://orders"},
		{"a scope without a resource is Graph's", "User.Read", "", "https://graph.microsoft.com"},
		{"sign-in alone is for Graph", "openid profile", "", "https://graph.microsoft.com"},
		{"scopes of two resources are AADSTS700022", "api://orders/read User.Read", "[700022]", ""},
		{"a scope that nobody agreed to is AADSTS65001", "api://orders/delete", "[65001]", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := sim.post(entraToken, demoForm(url.Values{
				"grant_type": {"refresh_token"}, "refresh_token": {sim.SeedRefreshToken(contoso, demoClient, "alice")}, "scope": {test.scope},
			}))
			if codes := member(t, got.body, "error_codes"); codes != test.codes {
				t.Fatalf("error_codes %q, want %q, in %s", codes, test.codes, got.body)
			}
			if test.codes == "[65001]" && member(t, got.body, "suberror") != `"consent_required"` {
				t.Errorf("suberror %s", member(t, got.body, "suberror"))
			}
			if test.codes == "" && accessClaims(t, got.body, "access_token")["aud"] != test.audience {
				t.Errorf("token %v", accessClaims(t, got.body, "access_token"))
			}
		})
	}
}
