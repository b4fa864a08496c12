// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

func TestTokenStatesGoByTheClock(t *testing.T) {
	at := func(d time.Duration) func(*attempt) {
		return func(a *attempt) { a.now = noon.Add(d) }
	}
	deleted := func(a *attempt) { a.request.DeletionTimestamp = &metav1.Time{Time: noon} }
	eternal := func(a *attempt) { a.content.Record.ExpiresAt = time.Time{} }
	for _, c := range []struct {
		name   string
		before []func(*attempt) // as the last look found it
		o      outcome
		now    func(*attempt)
		want   TokenStates
	}{
		{"a token that lives", nil, outcome{kind: settled}, at(0), TokenStates{Valid: 1}},
		{"a failing refresh long before the end", nil, outage, at(35 * time.Minute), TokenStates{Valid: 1}},
		{"a refresh that failed to the last tenth", nil, outage, at(44 * time.Minute), TokenStates{Expiring: 1}},
		{"a refresh that nobody has tried, to the last tenth", nil, outcome{kind: settled}, at(44 * time.Minute), TokenStates{Expiring: 1}},
		{"a refresh that is planned for the last tenth", []func(*attempt){func(a *attempt) { a.content.Record.RefreshAt = noon.Add(49 * time.Minute) }}, outcome{kind: settled}, at(48 * time.Minute), TokenStates{Valid: 1}},
		{"a token past its end that nobody has looked at since", nil, outcome{kind: settled}, at(50 * time.Minute), TokenStates{Expired: 1}},
		{"a token past its end", []func(*attempt){expired}, outage, at(0), TokenStates{Expired: 1}},
		{"a token whose end nobody knows", []func(*attempt){eternal}, outage, at(1000 * time.Hour), TokenStates{Valid: 1}},
		{"no token", []func(*attempt){noToken}, wrongSecret, at(0), TokenStates{Missing: 1}},
		{"another spec's token", []func(*attempt){otherSpec}, wrongSecret, at(0), TokenStates{Missing: 1}},
		{"another spec's token past its end", []func(*attempt){otherSpec}, wrongSecret, at(50 * time.Minute), TokenStates{Missing: 1}},
		{"suspended with a token that lives", []func(*attempt){suspends}, outcome{kind: suspended}, at(0), TokenStates{Valid: 1}},
		{"suspended near the end", []func(*attempt){suspends}, outcome{kind: suspended}, at(44 * time.Minute), TokenStates{Expiring: 1}},
		{"suspended past the end", []func(*attempt){suspends}, outcome{kind: suspended}, at(50 * time.Minute), TokenStates{Suspended: 1}},
		{"suspended without a token", []func(*attempt){suspends, noToken}, outcome{kind: suspended}, at(0), TokenStates{Suspended: 1}},
		{"one that is being deleted", []func(*attempt){deleted}, outcome{kind: settled}, at(0), TokenStates{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := given(c.before...)
			a.request.Status = nextStatus(a, c.o)
			c.now(a)
			var got TokenStates
			got.add(a.request, a.now)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("states (-want +got):\n%s", diff)
			}
		})
	}

	var got TokenStates
	got.add(&stsv1alpha1.TokenRequest{}, noon)
	if diff := cmp.Diff(TokenStates{Missing: 1}, got); diff != "" {
		t.Errorf("a request that nobody has looked at (-want +got):\n%s", diff)
	}
}

func TestNewNamespacesPushNoOtherOutOfTheTokenStates(t *testing.T) {
	in := func(namespace string, after time.Duration) *stsv1alpha1.TokenRequest {
		return &stsv1alpha1.TokenRequest{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, CreationTimestamp: metav1.Time{Time: noon.Add(after)}}}
	}
	all := []*stsv1alpha1.TokenRequest{in("shop", time.Hour), in("shop", 0), in("payments", 0), in("bank", time.Minute), in("bank", 2*time.Hour)}
	for i := range 100 {
		all = append(all, in(fmt.Sprintf("a-%d", i), time.Hour))
	}
	for _, c := range []struct {
		most   int
		named  map[string]TokenStates
		others TokenStates
	}{
		{0, map[string]TokenStates{}, TokenStates{Missing: 105}},
		{1, map[string]TokenStates{"payments": {Missing: 1}}, TokenStates{Missing: 104}},
		{2, map[string]TokenStates{"payments": {Missing: 1}, "shop": {Missing: 2}}, TokenStates{Missing: 102}},
		{3, map[string]TokenStates{"payments": {Missing: 1}, "shop": {Missing: 2}, "bank": {Missing: 2}}, TokenStates{Missing: 100}},
	} {
		for _, order := range []string{"as it is", "turned round"} {
			r := &Reconciler{Requests: slices.Values(all), Clock: clocktesting.NewFakePassiveClock(noon)}
			named, others := r.TokenStates(c.most)
			if diff := cmp.Diff(c.named, named) + cmp.Diff(c.others, others); diff != "" {
				t.Errorf("at most %d namespaces, the cache %s (-want +got):\n%s", c.most, order, diff)
			}
			slices.Reverse(all)
		}
	}
	if named, others := (&Reconciler{Requests: slices.Values(all), Clock: clocktesting.NewFakePassiveClock(noon)}).TokenStates(500); len(named) != 103 || others != (TokenStates{}) {
		t.Errorf("%d namespaces are named and the others have %v, want 103 and none", len(named), others)
	}
}
