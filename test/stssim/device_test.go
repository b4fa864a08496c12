// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/test/stssim"
)

const (
	deviceCodeGrant = "urn:ietf:params:oauth:grant-type:device_code"
	entraDevice     = "/" + contoso + "/oauth2/v2.0/devicecode"
	plainDevice     = "/plain/acme/device"
)

// signIn is a device code flow at one of the services.
type signIn struct {
	sim    *simulator
	plain  bool
	answer map[string]any
	code   string
}

// signingIn is a server with a public client in each shape.
func signingIn(t *testing.T, settings stssim.Client) *simulator {
	t.Helper()
	entra, plain := settings, settings
	entra.Tenant, entra.ID, entra.Public = contoso, demoClient, true
	plain.Tenant, plain.ID, plain.Public = "acme", "demo", true
	return start(t, stssim.Options{Clients: []stssim.Client{entra, plain}})
}

func (s *simulator) signIn(plain bool, scope string) signIn {
	s.t.Helper()
	path, client := entraDevice, demoClient
	if plain {
		path, client = plainDevice, "demo"
	}
	got := s.post(path, url.Values{"client_id": {client}, "scope": {scope}})
	if got.status != 200 {
		s.t.Fatalf("status %d: %s", got.status, got.body)
	}
	answer := read[map[string]any](s.t, got.body)
	return signIn{s, plain, answer, answer["device_code"].(string)}
}

func (f signIn) userCode() string { return f.answer["user_code"].(string) }

// poll asks once and returns the answer and its error.
func (f signIn) poll() (response, string) {
	f.sim.t.Helper()
	path, client := entraToken, demoClient
	if f.plain {
		path, client = plainToken, "demo"
	}
	got := f.sim.post(path, url.Values{"grant_type": {deviceCodeGrant}, "client_id": {client}, "device_code": {f.code}})
	code, _ := read[map[string]any](f.sim.t, got.body)["error"].(string)
	return got, code
}

func TestDeviceAuthorization(t *testing.T) {
	sim := signingIn(t, stssim.Client{DeviceInterval: stssim.Duration(2 * time.Second), DeviceLifetime: stssim.Duration(time.Minute)})
	entra, plain := sim.signIn(false, "openid "+graph), sim.signIn(true, "read openid")
	for _, flow := range []signIn{entra, plain} {
		if !strings.HasPrefix(flow.code, stssim.OpaqueMarker) {
			t.Errorf("the device code %q is not marked", flow.code)
		}
		delete(flow.answer, "device_code")
	}
	want := map[string]any{
		"user_code": entra.userCode(), "verification_uri": sim.URL() + "/devicelogin", "expires_in": 60.0, "interval": 2.0,
		"message": "To sign in, use a web browser to open the page " + sim.URL() + "/devicelogin and enter the code " + entra.userCode() + " to authenticate.",
	}
	if diff := cmp.Diff(want, entra.answer); diff != "" {
		t.Errorf("Entra (-want +got):\n%s", diff)
	}
	want = map[string]any{
		"user_code": plain.userCode(), "verification_uri": sim.PlainIssuer("acme") + "/signin", "expires_in": 60.0, "interval": 2.0,
		"verification_uri_complete": sim.PlainIssuer("acme") + "/signin?user_code=" + plain.userCode(),
	}
	if diff := cmp.Diff(want, plain.answer); diff != "" {
		t.Errorf("plain (-want +got):\n%s", diff)
	}
	codes := []stssim.DeviceCode{
		{UserCode: entra.userCode(), Tenant: contoso, ClientID: demoClient, Scope: graph + " openid", ExpiresAt: epoch.Add(time.Minute), State: stssim.DevicePending},
		{UserCode: plain.userCode(), Tenant: "acme", ClientID: "demo", Scope: "openid read", ExpiresAt: epoch.Add(time.Minute), State: stssim.DevicePending},
	}
	if diff := cmp.Diff(codes, sim.DeviceCodes()); diff != "" {
		t.Errorf("device codes (-want +got):\n%s", diff)
	}
}

func TestDeviceAuthorizationDefaults(t *testing.T) {
	sim := signingIn(t, stssim.Client{})
	answer := sim.signIn(true, "read").answer
	if answer["interval"] != 5.0 || answer["expires_in"] != 900.0 {
		t.Errorf("answered %v", answer)
	}
}

func TestDeviceAuthorizationRefusals(t *testing.T) {
	sim := start(t, stssim.Options{Clients: []stssim.Client{
		{Tenant: contoso, ID: demoClient, Public: true, Scopes: []string{"User.Read"}},
		{Tenant: contoso, ID: expiredClient, Secrets: []stssim.Secret{{Value: demoSecret}}},
		{Tenant: "acme", ID: "demo", Secrets: []stssim.Secret{{Value: "stssim-acme-secret"}}, Scopes: []string{"read"}},
	}})
	entra := []struct {
		name   string
		change url.Values
		want   string
	}{
		{"without a client it is AADSTS900144", url.Values{"client_id": nil}, "[900144]"},
		{"without a scope it is AADSTS900144", url.Values{"scope": nil}, "[900144]"},
		{"of an unknown client it is AADSTS700016", url.Values{"client_id": {"nobody"}}, "[700016]"},
		{"of a client that isn't public it is AADSTS7000218", url.Values{"client_id": {expiredClient}}, "[7000218]"},
		{"of a public client with a secret it is AADSTS700025", nil, "[700025]"},
		{"for two resources it is AADSTS700022", url.Values{"scope": {"a/b c/d"}}, "[700022]"},
		{"for a scope that nobody agreed to it is AADSTS65001", url.Values{"client_secret": nil}, "[65001]"},
	}
	for _, test := range entra {
		t.Run("Entra: "+test.name, func(t *testing.T) {
			got := sim.post(entraDevice, demoForm(test.change))
			if codes := member(t, got.body, "error_codes"); codes != test.want {
				t.Errorf("error_codes %q, want %q, in %s", codes, test.want, got.body)
			}
		})
	}
	plain := []struct {
		name   string
		change url.Values
		want   string
	}{
		{"with a secret it is granted", nil, ""},
		{"without its secret a confidential client is refused", url.Values{"client_secret": nil}, `"invalid_client"`},
		{"a scope that isn't allowed is refused", url.Values{"scope": {"write"}}, `"invalid_scope"`},
	}
	for _, test := range plain {
		t.Run("plain: "+test.name, func(t *testing.T) {
			got := sim.post(plainDevice, acmeForm(test.change))
			if code := member(t, got.body, "error"); code != test.want {
				t.Errorf("error %s, want %s", code, test.want)
			}
		})
	}
	for path, want := range map[string]int{entraDevice: 400, plainDevice: 405} {
		if got := sim.get(path); got.status != want {
			t.Errorf("GET %s has status %d, want %d", path, got.status, want)
		}
	}
}

func TestDevicePolling(t *testing.T) {
	for _, plain := range []bool{false, true} {
		t.Run(map[bool]string{false: "Entra", true: "plain"}[plain], func(t *testing.T) {
			sim := signingIn(t, stssim.Client{})
			flow := sim.signIn(plain, "read")
			steps := []struct {
				name string
				pass time.Duration
				want string
			}{
				{"the first poll may come at once", 0, "authorization_pending"},
				{"one after the interval is in time", 5 * time.Second, "authorization_pending"},
				{"one that is a moment early is borne", 4950 * time.Millisecond, "authorization_pending"},
				{"one before the interval is told to slow down", 4 * time.Second, "slow_down"},
				{"the former interval is too short then", 5 * time.Second, "slow_down"},
				{"each adds five seconds", 14 * time.Second, "slow_down"},
				{"and the new interval is enough", 20 * time.Second, "authorization_pending"},
			}
			for _, step := range steps {
				sim.clock.Advance(step.pass)
				if got, code := flow.poll(); code != step.want || got.status != 400 {
					t.Errorf("%s: status %d, error %s, want %s", step.name, got.status, code, step.want)
				}
			}
		})
	}
}

func TestDeviceEnds(t *testing.T) {
	tests := []struct {
		name         string
		end          func(t *testing.T, flow *signIn)
		entra, codes string
		plain        string
	}{
		{"a person who says no", func(t *testing.T, flow *signIn) {
			if err := flow.sim.DenyDevice(flow.userCode()); err != nil {
				t.Error(err)
			}
		}, "authorization_declined", "[65004]", "access_denied"},
		{"a code that has expired", func(_ *testing.T, flow *signIn) { flow.sim.clock.Advance(15 * time.Minute) }, "expired_token", "[70019]", "expired_token"},
		{"an approved code that has expired", func(t *testing.T, flow *signIn) {
			if err := flow.sim.ApproveDevice(flow.userCode(), alice); err != nil {
				t.Error(err)
			}
			flow.sim.clock.Advance(15 * time.Minute)
		}, "expired_token", "[70019]", "expired_token"},
		{"a code that was never issued", func(_ *testing.T, flow *signIn) { flow.code += "x" }, "bad_verification_code", "[70018]", "invalid_grant"},
		{"no code", func(_ *testing.T, flow *signIn) { flow.code = "" }, "invalid_request", "[900144]", "invalid_request"},
		{"a code of the time before a reset", func(_ *testing.T, flow *signIn) { flow.sim.Reset() }, "bad_verification_code", "[70018]", "invalid_grant"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim := signingIn(t, stssim.Client{})
			flow := sim.signIn(false, "read")
			test.end(t, &flow)
			got, code := flow.poll()
			if codes := member(t, got.body, "error_codes"); code != test.entra || codes != test.codes || got.status != 400 {
				t.Errorf("Entra: status %d, error %s, codes %s", got.status, code, codes)
			}
			flow = sim.signIn(true, "read")
			test.end(t, &flow)
			if got, code := flow.poll(); code != test.plain || got.status != 400 {
				t.Errorf("plain: status %d, error %s", got.status, code)
			}
		})
	}
}

func TestApprovedDeviceGetsItsTokens(t *testing.T) {
	for _, plain := range []bool{false, true} {
		t.Run(map[bool]string{false: "Entra", true: "plain"}[plain], func(t *testing.T) {
			sim := signingIn(t, stssim.Client{})
			flow := sim.signIn(plain, "read openid offline_access")
			if err := sim.ApproveDevice(strings.ToLower(strings.ReplaceAll(flow.userCode(), "-", "")), alice); err != nil {
				t.Fatal(err)
			}
			got, _ := flow.poll()
			if sub := accessClaims(t, got.body, "access_token")["sub"]; sub != "alice" {
				t.Errorf("the access token is about %v", sub)
			}
			id := accessClaims(t, got.body, "id_token")
			issuer, tenant, client := sim.EntraAuthority(contoso)+"/v2.0", contoso, demoClient
			if plain {
				issuer, tenant, client = sim.PlainIssuer("acme"), "acme", "demo"
			}
			want := jwt.MapClaims{
				"iss": issuer, "aud": client, "tid": tenant, "iat": float64(epoch.Unix()), "exp": float64(epoch.Add(time.Hour).Unix()),
				"sub": "alice", "oid": alice.ObjectID, "preferred_username": alice.PreferredUsername,
			}
			if diff := cmp.Diff(want, id); diff != "" {
				t.Errorf("ID token (-want +got):\n%s", diff)
			}
			if state := sim.DeviceCodes()[0].State; state != stssim.DeviceRedeemed {
				t.Errorf("the code is %s", state)
			}
			if _, code := flow.poll(); code != "invalid_grant" {
				t.Errorf("the second time the error is %q", code)
			}
			got = sim.refresh(plain, next(t, got), url.Values{"client_secret": nil})
			if sub := accessClaims(t, got.body, "access_token")["sub"]; sub != "alice" {
				t.Errorf("the refreshed token is about %v", sub)
			}
		})
	}
}

func TestWhatWasNotAskedForDoesNotComeAlong(t *testing.T) {
	sim := signingIn(t, stssim.Client{})
	flow := sim.signIn(true, "read")
	if err := sim.ApproveDevice(flow.userCode(), alice); err != nil {
		t.Fatal(err)
	}
	got, _ := flow.poll()
	for _, name := range []string{"refresh_token", "id_token"} {
		if value := member(t, got.body, name); value != "" {
			t.Errorf("%s is %s", name, value)
		}
	}
}

func TestEntraHearsTheFormerNameOfTheGrant(t *testing.T) {
	sim := signingIn(t, stssim.Client{})
	flow := sim.signIn(false, "read")
	got := sim.post(entraToken, url.Values{"grant_type": {"device_code"}, "client_id": {demoClient}, "device_code": {flow.code}, "code": {flow.code}})
	if codes := member(t, got.body, "error_codes"); codes != "[70016]" {
		t.Errorf("error_codes %s", codes)
	}
}

func TestACodeIsDecidedOnce(t *testing.T) {
	sim := signingIn(t, stssim.Client{})
	code := sim.signIn(true, "read").userCode()
	if err := sim.DenyDevice("nothing"); err == nil {
		t.Error("an unknown code was denied")
	}
	if err := sim.ApproveDevice(code, alice); err != nil {
		t.Error(err)
	}
	if err := sim.DenyDevice(code); err == nil {
		t.Error("an approved code was denied")
	}
	late := sim.signIn(true, "read").userCode()
	sim.clock.Advance(15 * time.Minute)
	if err := sim.ApproveDevice(late, alice); err == nil {
		t.Error("an expired code was approved")
	}
}
