// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/test/stssim"
)

func (s *simulator) throttle(throttle stssim.Throttle) {
	s.t.Helper()
	if err := s.SetThrottle(throttle); err != nil {
		s.t.Fatal(err)
	}
}

func TestThrottleTellsWhatRemains(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.throttle(stssim.Throttle{ClientID: demoClient, For: stssim.Duration(30 * time.Second)})
	steps := []struct {
		advance    time.Duration
		status     int
		retryAfter string
	}{
		{0, 429, "30"},
		{29*time.Second + 500*time.Millisecond, 429, "1"},
		{500*time.Millisecond - time.Nanosecond, 429, "1"},
		{time.Nanosecond, 200, ""},
	}
	for _, step := range steps {
		sim.clock.Advance(step.advance)
		got := sim.post(entraToken, demoForm())
		if got.status != step.status || got.header.Get("Retry-After") != step.retryAfter {
			t.Errorf("at %v: status %d, Retry-After %q, want %d and %q", sim.clock.Now(),
				got.status, got.header.Get("Retry-After"), step.status, step.retryAfter)
		}
		if got.status == 429 && got.body != "Too Many Requests" {
			t.Errorf("body %q", got.body)
		}
	}
}

func TestThrottleAsDateIsNeverEarly(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.throttle(stssim.Throttle{ClientID: demoClient, For: stssim.Duration(30 * time.Second), HTTPDate: true})
	got := sim.post(entraToken, demoForm()).header.Get("Retry-After")
	// The end is half a second after 12:00:30.
	if want := "Sun, 01 Mar 2026 12:00:31 GMT"; got != want {
		t.Errorf("Retry-After %q, want %q", got, want)
	}
}

func TestThrottleCountsThoseWhoKnew(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.throttle(stssim.Throttle{ClientID: demoClient, For: stssim.Duration(time.Minute)})
	sim.post(entraToken, demoForm())
	if violations := sim.ThrottleViolations(); len(violations) != 0 {
		t.Errorf("the first call, which couldn't know, counts: %+v", violations)
	}
	sim.clock.Advance(time.Second)
	sim.post(entraToken, demoForm())
	sim.clock.Advance(time.Hour)
	sim.post(entraToken, demoForm())
	want := []stssim.Violation{{
		At: epoch.Add(time.Second), Until: epoch.Add(time.Minute), Tenant: contoso, ClientID: demoClient, Scope: graph,
	}}
	if diff := cmp.Diff(want, sim.ThrottleViolations()); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
	var marked []bool
	for _, call := range sim.Calls(stssim.Filter{}) {
		marked = append(marked, call.Violation)
	}
	if diff := cmp.Diff([]bool{false, true, false}, marked); diff != "" {
		t.Errorf("marks in the log (-want +got):\n%s", diff)
	}
}

func TestThrottleIsNarrow(t *testing.T) {
	tests := []struct {
		name     string
		throttle stssim.Throttle
		want     int
	}{
		{"the client", stssim.Throttle{ClientID: demoClient}, 429},
		{"another client", stssim.Throttle{ClientID: expiredClient}, 200},
		{"the scope", stssim.Throttle{ClientID: demoClient, Scope: graph}, 429},
		{"another scope", stssim.Throttle{ClientID: demoClient, Scope: "api://other/.default"}, 200},
		{"the tenant", stssim.Throttle{ClientID: demoClient, Tenant: contoso}, 429},
		{"another tenant", stssim.Throttle{ClientID: demoClient, Tenant: "acme"}, 200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim := start(t, stssim.Options{})
			test.throttle.For = stssim.Duration(time.Minute)
			sim.throttle(test.throttle)
			if got := sim.post(entraToken, demoForm()); got.status != test.want {
				t.Errorf("status %d, want %d", got.status, test.want)
			}
			if got := sim.get("/" + contoso + "/v2.0/.well-known/openid-configuration"); got.status != 200 {
				t.Errorf("discovery has status %d", got.status)
			}
		})
	}
}

func TestThrottlesOverlapAndAreReplaced(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.throttle(stssim.Throttle{ClientID: demoClient, For: stssim.Duration(time.Minute)})
	sim.throttle(stssim.Throttle{ClientID: demoClient, Scope: graph, For: stssim.Duration(time.Hour)})
	if got := sim.post(entraToken, demoForm()).header.Get("Retry-After"); got != "3600" {
		t.Errorf("of two throttles Retry-After is %q, want the longer", got)
	}
	sim.throttle(stssim.Throttle{ClientID: demoClient, Scope: graph, For: stssim.Duration(time.Second)})
	if got := sim.post(entraToken, demoForm()).header.Get("Retry-After"); got != "60" {
		t.Errorf("after the replacement Retry-After is %q", got)
	}
	want := []stssim.ThrottleState{
		{Throttle: stssim.Throttle{ClientID: demoClient, For: stssim.Duration(time.Minute)}, Until: epoch.Add(time.Minute), Announced: true, Refused: 1},
		{Throttle: stssim.Throttle{ClientID: demoClient, Scope: graph, For: stssim.Duration(time.Second)}, Until: epoch.Add(time.Second)},
	}
	if diff := cmp.Diff(want, sim.Throttles()); diff != "" {
		t.Errorf("throttles (-want +got):\n%s", diff)
	}
	sim.ClearThrottles()
	if got := sim.post(entraToken, demoForm()); got.status != 200 {
		t.Errorf("after clearing the status is %d", got.status)
	}
}

func TestThrottleGoesBeforeRules(t *testing.T) {
	sim := start(t, stssim.Options{
		Rules:     []stssim.Rule{{Times: 1, Action: stssim.Action{Status: 500}}},
		Throttles: []stssim.Throttle{{ClientID: "demo", For: stssim.Duration(time.Minute)}},
	})
	if got := sim.post(plainToken, acmeForm(url.Values{"client_secret": {"wrong"}})); got.status != 429 {
		t.Errorf("status %d", got.status)
	}
	if acted := sim.Rules()[0].Acted; acted != 0 {
		t.Errorf("the rule spent %d of its budget on a throttled call", acted)
	}
}

func TestThrottlesThatCannotBeSet(t *testing.T) {
	tests := []struct {
		name     string
		throttle stssim.Throttle
	}{
		{"without a client", stssim.Throttle{For: stssim.Duration(time.Minute)}},
		{"without a duration", stssim.Throttle{ClientID: demoClient}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim := start(t, stssim.Options{})
			if err := sim.SetThrottle(test.throttle); err == nil {
				t.Error("it was set")
			}
		})
	}
}
