// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

func TestExpectation(t *testing.T) {
	ready := expectation{ready: metav1.ConditionTrue, reason: "TokenValid"}
	throttled := expectation{ready: metav1.ConditionTrue, reason: "TokenValid", throttled: true}
	refused := expectation{ready: metav1.ConditionFalse, reason: "InvalidClient", remedy: []string{"Secret demo/app"}}
	tests := []struct {
		name   string
		e      expectation
		seen   sight
		met    bool
		missed string
	}{
		{"a request that nobody has looked at yet is waited for", ready, sight{}, false, ""},
		{"one that is ready has arrived", ready, sight{ready: "True", reason: "TokenValid"}, true, ""},
		{"one that is throttled is waited for", throttled, sight{ready: "False", reason: "Throttled", wasThrottled: true}, false, ""},
		{"one that was throttled and is ready has arrived", throttled, sight{ready: "True", reason: "TokenValid", wasThrottled: true}, true, ""},
		{"one that is ready without having waited has failed", throttled, sight{ready: "True", reason: "TokenValid"}, false, "without having been throttled"},
		{"one that is stalled has failed", ready, sight{ready: "False", reason: "CredentialNotFound", stalled: true}, false, "Stalled"},
		{"a refusal that says where the secret is has arrived", refused, sight{ready: "False", reason: "InvalidClient", remedy: "Look into Secret demo/app."}, true, ""},
		{"a refusal that is stalled has arrived too", refused, sight{ready: "False", reason: "InvalidClient", remedy: "Look into Secret demo/app.", stalled: true}, true, ""},
		{"a refusal that doesn't say where has failed", refused, sight{ready: "False", reason: "InvalidClient", remedy: "Look around."}, false, "Look around."},
		{"a token where there can be none has failed", refused, sight{ready: "True", reason: "TokenValid"}, false, "can't be"},
		{"another refusal is waited for while the operator tries again", refused, sight{ready: "False", reason: "ConnectionFailed"}, false, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if met := test.e.met(test.seen); met != test.met {
				t.Errorf("met is %t, want %t", met, test.met)
			}
			missed := test.e.missed(test.seen)
			if (missed != "") != (test.missed != "") || !strings.Contains(missed, test.missed) {
				t.Errorf("missed is %q, want %q in it", missed, test.missed)
			}
		})
	}
}

func TestUnmetNamesEveryRequestThatHasNotArrived(t *testing.T) {
	seen := map[string]sight{
		"graph":  {ready: "True", reason: "TokenValid"},
		"vault":  {ready: "False", reason: "Throttled", message: "It has to wait.", wasThrottled: true},
		"orders": {ready: "True", reason: "TokenValid"},
	}
	err := unmet(seen)
	if err == nil {
		t.Fatal("nothing is unmet")
	}
	for _, want := range []string{
		"vault should come to Ready True (TokenValid) after having been throttled, but it is Ready False (Throttled): It has to wait.",
		"wrong-secret should come to Ready False (InvalidClient), but the operator hasn't looked at it.",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "graph") {
		t.Errorf("%q names what has arrived", err)
	}
}

func TestUnmetIsNothingOnceAllHaveArrived(t *testing.T) {
	seen := map[string]sight{}
	for _, e := range expectations {
		seen[e.request] = sight{ready: e.ready, reason: e.reason, wasThrottled: e.throttled, remedy: strings.Join(e.remedy, " ")}
	}
	if err := unmet(seen); err != nil {
		t.Error(err)
	}
}

func TestLookRemembersThatARequestWasThrottled(t *testing.T) {
	request := &stsv1alpha1.TokenRequest{}
	request.Status.Conditions = []metav1.Condition{
		{Type: "Ready", Status: "False", Reason: "Throttled", Message: "Wait."}, {Type: "Throttled", Status: "True"},
	}
	first := look(request, sight{})
	if !first.throttled || !first.wasThrottled {
		t.Errorf("%+v isn't throttled", first)
	}
	request.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: "True", Reason: "TokenValid", Message: "Good."}}
	second := look(request, first)
	if second.throttled || !second.wasThrottled {
		t.Errorf("throttled %t, wasThrottled %t; want only the latter", second.throttled, second.wasThrottled)
	}
}

func TestNews(t *testing.T) {
	issued := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	good := sight{ready: "True", reason: "TokenValid", message: "Good.", issuedAt: issued}
	refreshed := good
	refreshed.issuedAt = issued.Add(time.Hour)
	moved := good
	moved.next = issued.Add(time.Minute)
	tests := []struct {
		name        string
		before, now sight
		want        string
	}{
		{"an untouched request is no news", sight{}, sight{}, ""},
		{"the first state is", sight{}, good, "Good."},
		{"the same again isn't", good, good, ""},
		{"another next attempt isn't", good, moved, ""},
		{"a new token is, though the message is the same", good, refreshed, "A new token was issued. Good."},
		{"a failure is", good, sight{ready: "False", reason: "TokenExpired", message: "Expired."}, "Expired."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if news := test.now.news(test.before); news != test.want {
				t.Errorf("news is %q, want %q", news, test.want)
			}
		})
	}
}
