// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/test/stssim"
)

func TestTokenSaysWhatWasGranted(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.post(entraToken, demoForm())
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(sim.Issued()[0], claims); err != nil {
		t.Fatal(err)
	}
	delete(claims, "jti")
	issued := float64(epoch.Unix())
	want := jwt.MapClaims{
		"iss": sim.URL() + "/" + contoso + "/v2.0", "aud": "https://graph.microsoft.com",
		"iat": issued, "nbf": issued, "exp": issued + 3599,
		"appid": demoClient, "sub": demoClient, "tid": contoso,
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

func TestLifetimeIsTheRulesThenTheClients(t *testing.T) {
	sim := start(t, stssim.Options{Clients: []stssim.Client{{
		Tenant: contoso, ID: demoClient, Secrets: []stssim.Secret{{Value: demoSecret}},
		Lifetime: stssim.Duration(10 * time.Minute),
	}}})
	if got := member(t, sim.post(entraToken, demoForm()).body, "expires_in"); got != "600" {
		t.Errorf("the client's lifetime is %s", got)
	}
	sim.rule(stssim.Rule{Action: stssim.Action{Lifetime: stssim.Duration(5 * time.Second)}})
	if got := member(t, sim.post(entraToken, demoForm()).body, "expires_in"); got != "5" {
		t.Errorf("the rule's lifetime is %s", got)
	}
}

func TestLookupTellsWhatATokenIsFor(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.post(plainToken, acmeForm())
	got, found := sim.Lookup(sim.Issued()[0])
	want := stssim.Issue{Tenant: "acme", ClientID: "demo", Scope: "read write", IssuedAt: epoch, ExpiresAt: epoch.Add(time.Hour)}
	if !found || got != want {
		t.Errorf("got %+v, %t, want %+v", got, found, want)
	}
	if _, found := sim.Lookup(stssim.OpaqueMarker + "of somebody else"); found {
		t.Error("a token is known that was never issued")
	}
}

func TestEveryTokenIsUniqueAndMarked(t *testing.T) {
	sim := start(t, stssim.Options{})
	for range 3 {
		sim.post(entraToken, demoForm())
		sim.post(plainToken, acmeForm())
	}
	issued := sim.Issued()
	for i, token := range issued {
		if !strings.HasPrefix(token, stssim.JWTMarker+".") && !strings.HasPrefix(token, stssim.OpaqueMarker) {
			t.Errorf("token %s is not marked", token)
		}
		if slices.Contains(issued[:i], token) {
			t.Errorf("token %s was issued twice", token)
		}
	}
	if len(issued) != 6 {
		t.Errorf("%d tokens are listed, want 6", len(issued))
	}
}

func TestCanariesHoldEverythingSecret(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.post(entraToken, demoForm())
	sim.post(entraToken, demoForm(url.Values{"client_secret": {"wrong & secret"}}))
	sim.post(entraToken, demoForm(url.Values{"refresh_token": {"a-refresh-token"}}))
	want := append(sim.Issued(),
		stssim.JWTMarker, stssim.OpaqueMarker, demoSecret, expiredSecret, "stssim-acme-secret",
		"wrong & secret", "wrong+%26+secret", "a-refresh-token")
	slices.Sort(want)
	if diff := cmp.Diff(want, sim.Canaries()); diff != "" {
		t.Errorf("canaries (-want +got):\n%s", diff)
	}
}
