// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

func TestNewRequestsPushNobodyOutOfTheMetrics(t *testing.T) {
	born := func(uid types.UID, after time.Duration) *stsv1alpha1.TokenRequest {
		return &stsv1alpha1.TokenRequest{ObjectMeta: metav1.ObjectMeta{UID: uid, CreationTimestamp: metav1.Time{Time: noon.Add(after)}}}
	}
	all := []*stsv1alpha1.TokenRequest{born("d", time.Hour), born("b", 0), born("a", 0), born("c", time.Minute)}
	for most, want := range map[int][]types.UID{0: nil, 1: {"a"}, 3: {"a", "b", "c"}, 4: {"a", "b", "c", "d"}, 9: {"a", "b", "c", "d"}} {
		var got []types.UID
		for _, request := range eldest(slices.Clone(all), most) {
			got = append(got, request.UID)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("of four requests at most %d have metrics (-want +got):\n%s", most, diff)
		}
	}
}

func TestInstantsAreThoseOfTheStatus(t *testing.T) {
	for name, c := range map[string]struct {
		a    *attempt
		o    outcome
		want Instants
	}{
		"a token":          {given(), outcome{kind: settled}, Instants{ExpiresAt: noon.Add(50 * time.Minute), NextAttempt: noon.Add(30 * time.Minute)}},
		"a failed refresh": {given(), outage, Instants{ExpiresAt: noon.Add(50 * time.Minute), NextAttempt: noon.Add(time.Minute)}},
		"no token":         {given(noToken), outage, Instants{NextAttempt: noon.Add(time.Minute)}},
		"suspended":        {given(suspends), outcome{kind: suspended}, Instants{ExpiresAt: noon.Add(50 * time.Minute)}},
	} {
		t.Run(name, func(t *testing.T) {
			c.a.request.Status = nextStatus(c.a, c.o)
			c.want.Namespace, c.want.Name = "payments", "graph"
			got := instantsOf(c.a.request)
			if name == "a failed refresh" || name == "no token" { // its place behind the gate, of whole seconds
				got.NextAttempt = got.NextAttempt.Truncate(time.Minute)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("instants (-want +got):\n%s", diff)
			}
		})
	}
}
