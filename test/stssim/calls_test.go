// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/test/stssim"
)

func TestCallHoldsWhatIsSafe(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.rule(stssim.Rule{Name: "slow", Action: stssim.Action{Latency: 1}})
	sim.clock.Advance(time.Second)
	request := sim.request(http.MethodPost, entraToken, demoForm(url.Values{
		"client_secret": {"wrong"}, "claims": {"{}"}, "scope": {graph + " openid"},
	}))
	request.Header.Set("Authorization", "Bearer private")
	request.Header.Set("User-Agent", "test")
	request.Header.Set("Accept-Encoding", "identity")
	request.Header.Set("x-ms-lib-capability", "retry-after, h429")
	sim.do(request)

	got := sim.Calls(stssim.Filter{})
	want := []stssim.Call{{
		Number: 1, At: epoch.Add(time.Second), Kind: stssim.KindToken, Method: "POST", Path: entraToken, Tenant: contoso,
		ClientID: demoClient, Scope: graph + " openid", GrantType: "client_credentials", Claims: "{}", AuthMethod: "client_secret_post",
		Parameters: []string{"claims", "client_id", "client_secret", "grant_type", "scope"},
		Headers: map[string]string{
			"Accept-Encoding": "identity", "Content-Type": "application/x-www-form-urlencoded",
			"User-Agent": "test", "X-Ms-Lib-Capability": "retry-after, h429",
		},
		Rule: "slow", Finished: true, Status: 401, Error: "invalid_client",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	for _, secret := range []string{"wrong", "private"} {
		if text := fmt.Sprintf("%+v", got); strings.Contains(text, secret) {
			t.Errorf("the log holds %q: %s", secret, text)
		}
	}
}

// TestCallsHoldNothingThatIsTraded walks every grant at both services, and then
// looks for what was sent and what came back.
func TestCallsHoldNothingThatIsTraded(t *testing.T) {
	sim := refreshing(t, stssim.Client{UserAssertions: []string{"a-registered-text"}})
	public := stssim.Client{Tenant: "acme", ID: "public", Public: true}
	if err := sim.PutClient(public); err != nil {
		t.Fatal(err)
	}
	var secrets []string
	trade := func(plain bool, grant, name, value string, more url.Values) {
		secrets = append(secrets, value)
		change := []url.Values{{"grant_type": {grant}, name: {value}, "scope": {"openid offline_access"}, "claims": {"{}"}}, more}
		if plain {
			sim.post(plainToken, acmeForm(change...))
		} else {
			sim.post(entraToken, demoForm(change...))
		}
	}
	actor := url.Values{
		"subject_token_type": {accessTokenType}, "actor_token": {"an-actor-token"}, "actor_token_type": {jwtTokenType},
		"requested_token_type": {jwtTokenType}, "audience": {"orders"},
	}
	for _, plain := range []bool{false, true} {
		trade(plain, "refresh_token", "refresh_token", sim.seed(plain), nil)
		trade(plain, jwtBearer, "assertion", "a-registered-text", url.Values{"requested_token_use": {"on_behalf_of"}})
		trade(plain, tokenExchange, "subject_token", "a-subject-token", actor)
		trade(plain, deviceCodeGrant, "device_code", "a-device-code", nil)
		trade(plain, "client_credentials", "client_assertion", "an-assertion", url.Values{"client_secret": nil, "client_assertion_type": {assertionType}})
	}
	got := sim.post(plainDevice, url.Values{"client_id": {"public"}, "scope": {"openid offline_access"}})
	flow := signIn{sim, true, read[map[string]any](t, got.body), read[map[string]any](t, got.body)["device_code"].(string)}
	if err := sim.ApproveDevice(flow.userCode(), alice); err != nil {
		t.Fatal(err)
	}
	got = sim.post(plainToken, url.Values{"client_id": {"public"}, "grant_type": {deviceCodeGrant}, "device_code": {flow.code}})
	answer := read[map[string]any](t, got.body)
	for _, name := range []string{"access_token", "refresh_token", "id_token"} {
		secrets = append(secrets, answer[name].(string))
	}
	secrets = append(secrets, "an-actor-token", flow.code, flow.userCode())

	calls := sim.Calls(stssim.Filter{})
	text, canaries := fmt.Sprintf("%+v", calls), sim.Canaries()
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("the log holds %q: %s", secret, text)
		}
		if secret != flow.userCode() && !slices.Contains(canaries, secret) {
			t.Errorf("the canaries lack %q", secret)
		}
	}
	exchange := calls[7]
	want := []string{
		"actor_token", "actor_token_type", "audience", "claims", "client_id", "client_secret", "grant_type",
		"requested_token_type", "scope", "subject_token", "subject_token_type",
	}
	if diff := cmp.Diff(want, exchange.Parameters); diff != "" || exchange.GrantType != tokenExchange || exchange.Claims != "{}" || exchange.AuthMethod != "client_secret_post" {
		t.Errorf("the token exchange is %+v, its parameters (-want +got):\n%s", exchange, diff)
	}
}

func TestAuthMethodIsLogged(t *testing.T) {
	tests := []struct {
		name  string
		form  url.Values
		basic bool
		want  string
	}{
		{"a secret in the body", demoForm(), false, "client_secret_post"},
		{"a secret in the header", demoForm(url.Values{"client_secret": nil}), true, "client_secret_basic"},
		{"an assertion", demoForm(url.Values{"client_secret": nil, "client_assertion": {"x"}}), false, "private_key_jwt"},
		{"nothing", demoForm(url.Values{"client_secret": nil}), false, "none"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim := start(t, stssim.Options{})
			request := sim.request(http.MethodPost, entraToken, test.form)
			if test.basic {
				request.SetBasicAuth(demoClient, demoSecret)
			}
			sim.do(request)
			if got := sim.Calls(stssim.Filter{})[0].AuthMethod; got != test.want {
				t.Errorf("method %q, want %q", got, test.want)
			}
		})
	}
}

func TestFilter(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.post(entraToken, demoForm())                                       // 1
	sim.post(entraToken, demoForm(url.Values{"client_secret": {"wrong"}})) // 2
	sim.post(plainToken, acmeForm(url.Values{"scope": {"write read"}}))    // 3
	sim.get("/plain/acme/.well-known/openid-configuration")                // 4
	sim.get("/favicon.ico")                                                // 5
	tests := []struct {
		name   string
		filter stssim.Filter
		want   []int
	}{
		{"nothing asked matches all", stssim.Filter{}, []int{1, 2, 3, 4, 5}},
		{"token calls", stssim.Filter{Kind: stssim.KindToken}, []int{1, 2, 3}},
		{"discovery calls", stssim.Filter{Kind: stssim.KindDiscovery}, []int{4}},
		{"calls to a path that isn't served", stssim.Filter{Kind: stssim.KindOther}, []int{5}},
		{"calls to one path", stssim.Filter{Path: plainToken}, []int{3}},
		{"calls to a realm", stssim.Filter{Tenant: "ACME"}, []int{3, 4}},
		{"calls of a client", stssim.Filter{ClientID: demoClient}, []int{1, 2}},
		{"calls for scopes in any order", stssim.Filter{Scope: "read write"}, []int{3}},
		{"calls answered 401", stssim.Filter{Status: 401}, []int{2}},
		{"finished calls after the second", stssim.Filter{Finished: true, After: 2}, []int{3, 4, 5}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := []int{}
			for _, call := range sim.Calls(test.filter) {
				got = append(got, call.Number)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("numbers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCounters(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.get("/" + contoso + "/v2.0/.well-known/openid-configuration")
	for range 2 {
		sim.post(entraToken, demoForm())
	}
	sim.post(entraToken, demoForm(url.Values{"client_secret": {"wrong"}}))
	want := []stssim.Counter{
		{Kind: stssim.KindDiscovery, Tenant: contoso, Status: 200, Count: 1},
		{Kind: stssim.KindToken, Tenant: contoso, ClientID: demoClient, Scope: graph, Status: 200, Count: 2},
		{Kind: stssim.KindToken, Tenant: contoso, ClientID: demoClient, Scope: graph, Status: 401, Count: 1},
	}
	if diff := cmp.Diff(want, sim.Counters()); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}

func TestWaitCallsWakesUp(t *testing.T) {
	sim := start(t, stssim.Options{})
	arrived := make(chan error)
	go func() {
		_, err := sim.WaitCalls(t.Context(), stssim.Filter{Status: 200}, 3)
		arrived <- err
	}()
	for range 3 {
		sim.post(entraToken, demoForm())
	}
	if err := <-arrived; err != nil {
		t.Error(err)
	}
}

func TestWaitCallsSaysWhatIsMissing(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.post(entraToken, demoForm())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	calls, err := sim.WaitCalls(ctx, stssim.Filter{}, 2)
	if len(calls) != 1 || !errors.Is(err, context.Canceled) || err.Error() != "waiting for 2 calls, there are 1: context canceled" {
		t.Errorf("%d calls, %v", len(calls), err)
	}
}
