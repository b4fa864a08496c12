// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package soak_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

// at is an instant some seconds into a run.
func at(seconds int) time.Time {
	return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds) * time.Second)
}

func TestChanceIsTheLongestTimeThatNothingExcuses(t *testing.T) {
	for name, test := range map[string]struct {
		excused []span
		want    time.Duration
	}{
		"nothing is excused":            {nil, 30 * time.Second},
		"all of it":                     {[]span{{at(0), at(40)}}, 0},
		"a hole between two":            {[]span{{at(20), at(40)}, {at(5), at(13)}}, 7 * time.Second},
		"the beginning":                 {[]span{{at(22), at(50)}}, 12 * time.Second},
		"the end":                       {[]span{{at(0), at(31)}}, 9 * time.Second},
		"one within another":            {[]span{{at(10), at(38)}, {at(12), at(14)}}, 2 * time.Second},
		"what was over before it began": {[]span{{at(0), at(9)}}, 30 * time.Second},
		"what came when it was over":    {[]span{{at(41), at(90)}}, 30 * time.Second},
	} {
		if got := chance(span{at(10), at(40)}, test.excused); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestAFailureExcusesForAsLongAsItHoldsBack(t *testing.T) {
	sim := &stssim.Server{}
	p := &patient{request: &stsv1alpha1.TokenRequest{Spec: stsv1alpha1.TokenRequestSpec{Scopes: []stsv1alpha1.Scope{"s"}}}, tenant: "t", client: "c", sts: sim}
	call := func(seconds int, rule string) stssim.Call {
		return stssim.Call{Kind: stssim.KindToken, Tenant: "t", ClientID: "c", Scope: "s", At: at(seconds), Rule: rule, Status: 200}
	}
	for name, test := range map[string]struct {
		calls []stssim.Call
		want  []time.Duration // of the holds, without spread and rounding
	}{
		"a token":                     {[]stssim.Call{call(0, "")}, nil},
		"a 503":                       {[]stssim.Call{call(0, "503#1")}, []time.Duration{5 * time.Second}},
		"a row of them":               {[]stssim.Call{call(0, "503#1"), call(5, "500#2"), call(15, "503#3")}, []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second}},
		"a row that a token ends":     {[]stssim.Call{call(0, "503#1"), call(5, ""), call(15, "503#3")}, []time.Duration{5 * time.Second, 5 * time.Second}},
		"Retry-After":                 {[]stssim.Call{call(0, "500#1"), call(5, "429 with seconds#2")}, []time.Duration{5 * time.Second, 4 * time.Second}},
		"a refusal":                   {[]stssim.Call{call(0, "invalid_grant#1")}, []time.Duration{time.Minute}},
		"a fault that brings a token": {[]stssim.Call{call(0, "no expires_in#1")}, nil},
	} {
		e := &evidence{faults: map[string]*fault{}, calls: map[*stssim.Server][]stssim.Call{sim: test.calls}, published: map[*patient][]time.Time{p: {at(5)}}}
		for _, f := range faults() {
			e.faults[f.name] = &f
		}
		var got []time.Duration
		for _, h := range e.holds(p) {
			got = append(got, (h.to.Sub(h.from)-2*time.Second)*10/11)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
