// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/test/stssim"
)

func TestParseConfig(t *testing.T) {
	got, err := stssim.ParseConfig([]byte(`
multilineErrors: true
clients:
- tenant: contoso.onmicrosoft.com
  clientID: app
  secrets: [{value: one}, {value: two, expiresAt: 2030-01-01T00:00:00Z}]
  federated: [{issuer: i, subject: s, audience: a}]
  scopes: [x/.default]
  lifetime: 90s
  opaque: true
- tenant: acme
  clientID: device
  public: true
  trustedIssuers: [{issuer: i}]
  userAssertions: [text]
  audiences: [a]
  refreshRotation: strict
  refreshLifetime: 1h
  deviceInterval: 1s
  deviceLifetime: 1m
rules:
- name: bad number
  match: {kind: token, clientID: app}
  times: 2
  action: {set: {expires_in: "3599"}, drop: [token_type]}
- action: {error: {error: interaction_required, codes: [50076], claims: '{}'}}
throttles:
- {clientID: app, for: 30s, httpDate: true}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := stssim.Config{
		MultilineErrors: true,
		Clients: []stssim.Client{{
			Tenant: "contoso.onmicrosoft.com", ID: "app",
			Secrets:   []stssim.Secret{{Value: "one"}, {Value: "two", ExpiresAt: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}},
			Federated: []stssim.FederatedCredential{{Issuer: "i", Subject: "s", Audience: "a"}},
			Scopes:    []string{"x/.default"}, Lifetime: stssim.Duration(90 * time.Second), Opaque: true,
		}, {
			Tenant: "acme", ID: "device", Public: true,
			TrustedIssuers: []stssim.TrustedIssuer{{Issuer: "i"}}, UserAssertions: []string{"text"}, Audiences: []string{"a"},
			RefreshRotation: stssim.RotationStrict, RefreshLifetime: stssim.Duration(time.Hour),
			DeviceInterval: stssim.Duration(time.Second), DeviceLifetime: stssim.Duration(time.Minute),
		}},
		Rules: []stssim.Rule{
			{
				Name: "bad number", Match: stssim.Match{Kind: stssim.KindToken, ClientID: "app"}, Times: 2,
				Action: stssim.Action{Set: map[string]json.RawMessage{"expires_in": raw(`"3599"`)}, Drop: []string{"token_type"}},
			},
			{Action: stssim.Action{Error: &stssim.ErrorBody{Error: "interaction_required", Codes: []int{50076}, Claims: "{}"}}},
		},
		Throttles: []stssim.Throttle{{ClientID: "app", For: stssim.Duration(30 * time.Second), HTTPDate: true}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestParseConfigRefusesWhatItDoesNotKnow(t *testing.T) {
	_, err := stssim.ParseConfig([]byte("clinets: []"))
	if err == nil || !strings.Contains(err.Error(), "clinets") {
		t.Errorf("the error is %v", err)
	}
}
