// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/test/stssim"
)

func TestRuleBudget(t *testing.T) {
	tests := []struct {
		name  string
		rules []stssim.Rule
		want  []int
	}{
		{"without a budget it acts always", []stssim.Rule{{Action: stssim.Action{Status: 500}}}, []int{500, 500, 500, 500}},
		{"Times ends it", []stssim.Rule{{Times: 2, Action: stssim.Action{Status: 500}}}, []int{500, 500, 200, 200}},
		{"From begins it", []stssim.Rule{{From: 3, Action: stssim.Action{Status: 500}}}, []int{200, 200, 500, 500}},
		{"both are the nth call", []stssim.Rule{{From: 2, Times: 1, Action: stssim.Action{Status: 500}}}, []int{200, 500, 200, 200}},
		{
			"the first that acts decides, and those after it don't see the call",
			[]stssim.Rule{
				{From: 2, Times: 1, Action: stssim.Action{Status: 500}},
				{From: 2, Action: stssim.Action{Status: 503}},
			},
			[]int{200, 500, 503, 503},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim := start(t, stssim.Options{Rules: test.rules})
			var got []int
			for range test.want {
				got = append(got, sim.post(entraToken, demoForm()).status)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("statuses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRuleExpires(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.clock.Advance(time.Hour)
	sim.rule(stssim.Rule{For: stssim.Duration(time.Minute), Action: stssim.Action{Status: 500}})
	sim.clock.Advance(time.Minute - time.Nanosecond)
	if got := sim.post(entraToken, demoForm()); got.status != 500 {
		t.Errorf("a moment before its end the status is %d", got.status)
	}
	sim.clock.Advance(time.Nanosecond)
	if got := sim.post(entraToken, demoForm()); got.status != 200 {
		t.Errorf("at its end the status is %d", got.status)
	}
}

func TestRuleMatch(t *testing.T) {
	tests := []struct {
		name  string
		match stssim.Match
		want  bool
	}{
		{"the kind", stssim.Match{Kind: stssim.KindToken}, true},
		{"another kind", stssim.Match{Kind: stssim.KindDiscovery}, false},
		{"the path", stssim.Match{Path: entraToken}, true},
		{"another path", stssim.Match{Path: plainToken}, false},
		{"the tenant in another case", stssim.Match{Tenant: "Contoso.onmicrosoft.com"}, true},
		{"another tenant", stssim.Match{Tenant: "acme"}, false},
		{"the client", stssim.Match{ClientID: demoClient}, true},
		{"another client", stssim.Match{ClientID: expiredClient}, false},
		{"the scopes in another order", stssim.Match{Scope: "openid  " + graph}, true},
		{"a part of the scopes", stssim.Match{Scope: graph}, false},
		{"the grant", stssim.Match{GrantType: "client_credentials"}, true},
		{"another grant", stssim.Match{GrantType: "password"}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim := start(t, stssim.Options{Rules: []stssim.Rule{{Match: test.match, Action: stssim.Action{Status: 500}}}})
			got := sim.post(entraToken, demoForm(url.Values{"scope": {graph + " openid"}}))
			if hit := got.status == 500; hit != test.want {
				t.Errorf("status %d", got.status)
			}
		})
	}
}

func TestRuleStates(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.rule(stssim.Rule{From: 2, Action: stssim.Action{Status: 500}})
	sim.rule(stssim.Rule{Name: "second", Match: stssim.Match{Tenant: "acme"}, Action: stssim.Action{Status: 500}})
	for range 3 {
		sim.post(entraToken, demoForm())
	}
	var got []string
	for _, state := range sim.Rules() {
		got = append(got, state.Name)
	}
	if diff := cmp.Diff([]string{"rule-1", "second"}, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if first := sim.Rules()[0]; first.Matched != 3 || first.Acted != 2 {
		t.Errorf("matched %d and acted %d times, want 3 and 2", first.Matched, first.Acted)
	}
	if sim.ClearRule("third") || !sim.ClearRule("second") || len(sim.Rules()) != 1 {
		t.Error("rules are not cleared by their names")
	}
}

func TestRulesThatCannotBeAdded(t *testing.T) {
	tests := []struct {
		name string
		rule stssim.Rule
	}{
		{"a name that is taken", stssim.Rule{Name: "taken"}},
		{"an unknown kind", stssim.Rule{Match: stssim.Match{Kind: "tokens"}}},
		{"a negative budget", stssim.Rule{Times: -1}},
		{"a negative latency", stssim.Rule{Action: stssim.Action{Latency: -1}}},
		{"an interim status", stssim.Rule{Action: stssim.Action{Status: 100}}},
		{"an error and a body", stssim.Rule{Action: stssim.Action{Error: &stssim.ErrorBody{}, Body: "{}"}}},
		{"a value that is no JSON", stssim.Rule{Action: stssim.Action{Set: map[string]json.RawMessage{"x": raw("nonsense")}}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim := start(t, stssim.Options{Rules: []stssim.Rule{{Name: "taken"}}})
			if err := sim.AddRules(stssim.Rule{}, test.rule); err == nil {
				t.Error("it was added")
			}
			if left := len(sim.Rules()); left != 1 {
				t.Errorf("%d rules are there, want 1: all are added or none", left)
			}
		})
	}
}
