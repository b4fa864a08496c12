// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"net/url"
	"testing"
	"time"

	"tokenrequest.dev/operator/test/stssim"
)

// refreshing is a server with one client in each shape, of equal settings.
func refreshing(t *testing.T, settings stssim.Client) *simulator {
	t.Helper()
	entra, plain := settings, settings
	entra.Tenant, entra.ID, entra.Secrets = contoso, demoClient, []stssim.Secret{{Value: demoSecret}}
	plain.Tenant, plain.ID, plain.Secrets = "acme", "demo", []stssim.Secret{{Value: "stssim-acme-secret"}}
	return start(t, stssim.Options{Clients: []stssim.Client{entra, plain}})
}

// refresh trades a refresh token at Entra's endpoint or the plain one.
func (s *simulator) refresh(plain bool, token string, changes ...url.Values) response {
	s.t.Helper()
	form := []url.Values{{"grant_type": {"refresh_token"}, "refresh_token": {token}, "scope": nil}}
	if plain {
		return s.post(plainToken, acmeForm(append(form, changes...)...))
	}
	return s.post(entraToken, demoForm(append(form, changes...)...))
}

func (s *simulator) seed(plain bool) string {
	if plain {
		return s.SeedRefreshToken("acme", "demo", "alice")
	}
	return s.SeedRefreshToken(contoso, demoClient, "alice")
}

// next is the refresh token of an answer.
func next(t *testing.T, got response) string {
	t.Helper()
	if got.status != 200 {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	token, _ := read[map[string]any](t, got.body)["refresh_token"].(string)
	if token == "" {
		t.Fatalf("no refresh token in %s", got.body)
	}
	return token
}

func TestRefreshRotation(t *testing.T) {
	tests := []struct {
		name, rotation string
		plain, strict  bool
	}{
		{"Entra leaves old tokens valid", "", false, false},
		{"Entra can be strict", stssim.RotationStrict, false, true},
		{"the plain service is strict", "", true, true},
		{"the plain service can be lenient", stssim.RotationLenient, true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim := refreshing(t, stssim.Client{RefreshRotation: test.rotation})
			first, other := sim.seed(test.plain), sim.seed(test.plain)
			second := next(t, sim.refresh(test.plain, first))
			third := next(t, sim.refresh(test.plain, second))
			if first == second || second == third {
				t.Error("the same refresh token came back")
			}
			want := 200
			if test.strict {
				want = 400
			}
			if got := sim.refresh(test.plain, first); got.status != want {
				t.Errorf("the spent token is answered %d, want %d: %s", got.status, want, got.body)
			}
			if got := sim.refresh(test.plain, third); got.status != want {
				t.Errorf("the family's latest token is answered %d, want %d: %s", got.status, want, got.body)
			}
			next(t, sim.refresh(test.plain, other))
		})
	}
}

func TestRefreshRefusals(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(sim *simulator, token string) string
		codes string
	}{
		{"a token that was never issued is AADSTS70000", func(_ *simulator, token string) string { return token + "x" }, "[70000]"},
		{"a token of another client is AADSTS70000", func(sim *simulator, _ string) string {
			return sim.SeedRefreshToken(contoso, expiredClient, "alice")
		}, "[70000]"},
		{"an expired token is AADSTS700082", func(sim *simulator, token string) string {
			sim.clock.Advance(time.Hour)
			return token
		}, "[700082]"},
		{"a revoked token is AADSTS70008", func(sim *simulator, token string) string {
			sim.RevokeRefreshTokens(contoso, demoClient)
			sim.RevokeRefreshTokens("acme", "demo")
			return token
		}, "[70008]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim := refreshing(t, stssim.Client{RefreshLifetime: stssim.Duration(time.Hour)})
			entra, plain := sim.seed(false), sim.seed(true)
			got := sim.refresh(false, test.spoil(sim, entra))
			if code, codes := member(t, got.body, "error"), member(t, got.body, "error_codes"); code != `"invalid_grant"` || codes != test.codes || got.status != 400 {
				t.Errorf("Entra: status %d, error %s, codes %s", got.status, code, codes)
			}
			got = sim.refresh(true, test.spoil(sim, plain))
			if code := member(t, got.body, "error"); code != `"invalid_grant"` || got.status != 400 {
				t.Errorf("plain: status %d, error %s", got.status, code)
			}
		})
	}
}

func TestRefreshTokenIsRequired(t *testing.T) {
	sim := refreshing(t, stssim.Client{})
	if codes := member(t, sim.refresh(false, "").body, "error_codes"); codes != "[900144]" {
		t.Errorf("Entra: error_codes %s", codes)
	}
	if code := member(t, sim.refresh(true, "").body, "error"); code != `"invalid_request"` {
		t.Errorf("plain: error %s", code)
	}
}

func TestARefusedRequestSpendsNoRefreshToken(t *testing.T) {
	sim := refreshing(t, stssim.Client{Scopes: []string{"read"}, RefreshRotation: stssim.RotationStrict})
	token := sim.seed(true)
	for _, change := range []url.Values{{"client_secret": {"wrong"}}, {"scope": {"write"}}} {
		if got := sim.refresh(true, token, change); got.status == 200 {
			t.Errorf("with %v it is granted", change)
		}
	}
	next(t, sim.refresh(true, token))
}

func TestPlainRefreshIsNoWiderThanTheGrant(t *testing.T) {
	sim := refreshing(t, stssim.Client{})
	narrow := next(t, sim.refresh(true, sim.seed(true), url.Values{"scope": {"read list"}}))
	if code := member(t, sim.refresh(true, narrow, url.Values{"scope": {"read write"}}).body, "error"); code != `"invalid_scope"` {
		t.Errorf("error %s", code)
	}
	got := sim.refresh(true, narrow, url.Values{"scope": {"read"}})
	if scope := member(t, got.body, "scope"); scope != `"read"` {
		t.Errorf("scope %s in %s", scope, got.body)
	}
}
