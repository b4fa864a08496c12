// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"encoding/json"
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

// admin makes one call of the administration and checks its status.
func (s *simulator) admin(method, path, body string, want int) string {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.URL()+"/_admin/"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	got := s.do(request)
	if got.status != want {
		s.t.Fatalf("%s %s has status %d, want %d: %s", method, path, got.status, want, got.body)
	}
	return got.body
}

func read[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("reading %q: %v", text, err)
	}
	return value
}

func TestAdminRules(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.admin("POST", "rules", `{
		"name": "outage", "match": {"kind": "token", "tenant": "acme"}, "from": 2, "times": 3, "for": "1m",
		"action": {"latency": "1ns", "status": 503, "retryAfterDate": "30s", "set": {"expires_in": 1e400}}
	}`, 204)
	sim.post(plainToken, acmeForm())
	want := []stssim.RuleState{{
		Rule: stssim.Rule{
			Name: "outage", Match: stssim.Match{Kind: stssim.KindToken, Tenant: "acme"}, From: 2, Times: 3, For: stssim.Duration(time.Minute),
			Action: stssim.Action{
				Latency: 1, Status: 503, RetryAfterDate: stssim.Duration(30 * time.Second),
				Set: map[string]json.RawMessage{"expires_in": raw("1e400")},
			},
		},
		Matched: 1,
	}}
	if diff := cmp.Diff(want, read[[]stssim.RuleState](t, sim.admin("GET", "rules", "", 200))); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if got := sim.post(plainToken, acmeForm()); got.status != 503 {
		t.Errorf("the second call has status %d", got.status)
	}
	sim.admin("DELETE", "rules/outage", "", 204)
	sim.admin("DELETE", "rules/outage", "", 404)
	sim.admin("POST", "rules", `{}`, 204)
	sim.admin("DELETE", "rules", "", 204)
	if rules := sim.Rules(); len(rules) != 0 {
		t.Errorf("after deletion there are %+v", rules)
	}
}

func TestAdminClients(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.admin("PUT", "clients", `{"tenant": "new", "clientID": "app", "secrets": [{"value": "secret", "expiresAt": "2030-01-01T00:00:00Z"}], "lifetime": "1m"}`, 204)
	want := stssim.Client{
		Tenant: "new", ID: "app", Lifetime: stssim.Duration(time.Minute),
		Secrets: []stssim.Secret{{Value: "secret", ExpiresAt: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}},
	}
	clients := read[[]stssim.Client](t, sim.admin("GET", "clients", "", 200))
	if diff := cmp.Diff(want, clients[len(clients)-1]); len(clients) != 4 || diff != "" {
		t.Errorf("of %d clients the last (-want +got):\n%s", len(clients), diff)
	}
	sim.admin("DELETE", "clients/new/app", "", 204)
	sim.admin("DELETE", "clients/new/app", "", 404)
}

func TestAdminThrottles(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.admin("POST", "throttles", `{"clientID": "demo", "for": "30s"}`, 204)
	for range 2 {
		sim.post(plainToken, acmeForm())
	}
	got := read[struct {
		Throttles  []stssim.ThrottleState
		Violations []stssim.Violation
	}](t, sim.admin("GET", "throttles", "", 200))
	if len(got.Throttles) != 1 || got.Throttles[0].Refused != 2 || len(got.Violations) != 1 {
		t.Errorf("reported %+v", got)
	}
	sim.admin("DELETE", "throttles", "", 204)
	if got := sim.post(plainToken, acmeForm()); got.status != 200 {
		t.Errorf("after deletion the status is %d", got.status)
	}
}

func TestAdminCallsAndCounters(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.post(entraToken, demoForm())
	sim.post(plainToken, acmeForm())
	query := "kind=token&path=" + plainToken + "&tenant=acme&client_id=demo&status=200&finished=true&after=1"
	if diff := cmp.Diff(sim.Calls(stssim.Filter{After: 1}), read[[]stssim.Call](t, sim.admin("GET", "calls?"+query, "", 200))); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if calls := sim.admin("GET", "calls?scope=other", "", 200); calls != "[]\n" {
		t.Errorf("calls for another scope: %s", calls)
	}
	if diff := cmp.Diff(sim.Counters(), read[[]stssim.Counter](t, sim.admin("GET", "counters", "", 200))); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
	if canaries := read[[]string](t, sim.admin("GET", "canaries", "", 200)); !slices.Contains(canaries, sim.Issued()[1]) {
		t.Errorf("canaries %q lack the token", canaries)
	}
}

func TestAdminDevices(t *testing.T) {
	sim := signingIn(t, stssim.Client{})
	yes, no := sim.signIn(true, "read"), sim.signIn(true, "read")
	sim.admin("POST", "devices/approve", `{"userCode": "`+yes.userCode()+`", "subject": "alice", "objectID": "o", "preferredUsername": "u"}`, 204)
	sim.admin("POST", "devices/deny", `{"userCode": "`+no.userCode()+`"}`, 204)
	sim.admin("POST", "devices/deny", `{"userCode": "nothing"}`, 400)
	text := sim.admin("GET", "devices", "", 200)
	if diff := cmp.Diff(sim.DeviceCodes(), read[[]stssim.DeviceCode](t, text)); diff != "" {
		t.Errorf("device codes (-want +got):\n%s", diff)
	}
	if strings.Contains(text, yes.code) || strings.Contains(text, no.code) {
		t.Errorf("a device code is shown: %s", text)
	}
	if got, _ := yes.poll(); accessClaims(t, got.body, "access_token")["preferred_username"] != "u" {
		t.Errorf("answered %s", got.body)
	}
	if _, code := no.poll(); code != "access_denied" {
		t.Errorf("the denied code is answered %s", code)
	}
}

func TestAdminSeeds(t *testing.T) {
	sim := refreshing(t, stssim.Client{})
	order := `{"tenant": "` + contoso + `", "clientID": "` + demoClient + `", "subject": "alice"}`
	refresh := read[string](t, sim.admin("POST", "refreshtokens", order, 200))
	next(t, sim.refresh(false, refresh))
	user := read[string](t, sim.admin("POST", "usertokens", order, 200))
	got := sim.post(entraToken, demoForm(url.Values{"grant_type": {jwtBearer}, "requested_token_use": {"on_behalf_of"}, "assertion": {user}}))
	if got.status != 200 {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	sim.admin("POST", "refreshtokens", `{"user": "alice"}`, 400)
}

func TestAdminConnections(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.admin("POST", "connections", `{"close": 1}`, 204)
	sim.http = sim.HTTPClient()
	if _, err := sim.try(sim.request(http.MethodPost, entraToken, demoForm())); err == nil {
		t.Error("the connection was not closed")
	}
}

func TestAdminReset(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.rule(stssim.Rule{From: 9})
	sim.throttle(stssim.Throttle{ClientID: "demo", For: stssim.Duration(time.Hour)})
	sim.post(entraToken, demoForm())
	for range 2 {
		sim.post(plainToken, acmeForm())
	}
	sim.CloseConnections(1)
	sim.http = sim.HTTPClient()
	if _, err := sim.try(sim.request(http.MethodPost, entraToken, demoForm())); err == nil {
		t.Error("the connection was not closed")
	}

	sim.admin("POST", "reset", "", 204)
	left := fmt.Sprint(len(sim.Calls(stssim.Filter{})), len(sim.Rules()), len(sim.Throttles()), len(sim.ThrottleViolations()), sim.ClosedConnections())
	if left != "0 0 0 0 0" {
		t.Errorf("calls, rules, throttles, violations and closed connections left: %s", left)
	}
	if len(sim.Issued()) != 1 || len(sim.Clients()) != 3 {
		t.Error("tokens or clients were forgotten")
	}
	sim.post(entraToken, demoForm())
	if number := sim.Calls(stssim.Filter{})[0].Number; number != 4 {
		t.Errorf("the next call has number %d, want 4", number)
	}
}

func TestAdminRefuses(t *testing.T) {
	tests := []struct {
		name, method, path, body string
		status                   int
	}{
		{"a filter that it doesn't know", "GET", "calls?clientid=x", "", 400},
		{"a filter that is no number", "GET", "calls?status=ok", "", 400},
		{"a field that it doesn't know", "POST", "rules", `{"acton": {}}`, 400},
		{"a rule that can't be", "POST", "rules", `{"match": {"kind": "x"}}`, 400},
		{"a duration without a unit", "POST", "throttles", `{"clientID": "x", "for": 30}`, 400},
		{"a duration that is none", "POST", "throttles", `{"clientID": "x", "for": "long"}`, 400},
		{"a path that it doesn't have", "GET", "tokens", "", 404},
		{"another method", "GET", "reset", "", 405},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			start(t, stssim.Options{}).admin(test.method, test.path, test.body, test.status)
		})
	}
}

func TestAdminCallsAreNotLogged(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.rule(stssim.Rule{Action: stssim.Action{Status: 500}})
	sim.admin("GET", "calls", "", 200)
	if calls := sim.Calls(stssim.Filter{}); len(calls) != 0 {
		t.Errorf("logged %+v", calls)
	}
}
