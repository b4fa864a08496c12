// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/oautherr"
)

func TestIssuerStatusTellsEachFindingInConditions(t *testing.T) {
	subject := oautherr.Subject{Host: "sts.example", Issuer: "TokenIssuer payments/contoso"}
	tests := map[string]struct {
		f     finding
		want  map[string]string
		after time.Duration // the next look, at the earliest
	}{
		"all is well": {finding{ready: true, reason: "IssuerVerified"}, map[string]string{"Ready": "True/IssuerVerified"}, 24 * time.Hour},
		"a missing Secret": {finding{reason: "CredentialNotFound"},
			map[string]string{"Ready": "False/CredentialNotFound", "Stalled": "True/CredentialNotFound"}, 10 * time.Minute},
		"an address that may not be called": {refusedFinding(oautherr.Refused(oautherr.ReasonEndpointRefused, "loopback"), subject),
			map[string]string{"Ready": "False/EndpointRefused", "Stalled": "True/EndpointRefused"}, 10 * time.Minute},
		"an outage": {refusedFinding(answered(503, nil, ""), subject),
			map[string]string{"Ready": "False/ServerError", "Reconciling": "True/RetryScheduled"}, 10 * time.Minute},
		"an outage that is to last an hour": {refusedFinding(answered(503, http.Header{"Retry-After": {"3600"}}, ""), subject),
			map[string]string{"Ready": "False/Throttled", "Reconciling": "True/RetryScheduled"}, time.Hour},
	}
	before := map[string]stsv1alpha1.IssuerStatus{
		"a new issuer":           {ObservedGeneration: -1},
		"one that was ready":     issuerStatus(stsv1alpha1.IssuerStatus{}, 1, finding{ready: true, reason: "IssuerVerified"}, noon),
		"one that was stalled":   issuerStatus(stsv1alpha1.IssuerStatus{}, 1, finding{reason: "CredentialNotFound"}, noon),
		"one that was retried":   issuerStatus(stsv1alpha1.IssuerStatus{}, 1, finding{reason: "ServerError", transient: true}, noon),
		"one that somebody left": {Conditions: []metav1.Condition{{Type: "Stalled", Status: "True"}, {Type: "Reconciling", Status: "True"}}},
	}
	for name, test := range tests {
		for state, was := range before {
			t.Run(name+", of "+state, func(t *testing.T) {
				got := issuerStatus(was, 2, test.f, noon)
				told := map[string]string{}
				for _, c := range got.Conditions {
					told[c.Type] = string(c.Status) + "/" + c.Reason
					if c.ObservedGeneration != 2 {
						t.Errorf("%s speaks of generation %d", c.Type, c.ObservedGeneration)
					}
				}
				if diff := cmp.Diff(test.want, told); diff != "" {
					t.Errorf("conditions (-want +got):\n%s", diff)
				}
				if got.ObservedGeneration != 2 {
					t.Errorf("observedGeneration = %d", got.ObservedGeneration)
				}
				if diff := cmp.Diff(got, issuerStatus(got, 2, test.f, noon.Add(time.Hour))); diff != "" {
					t.Errorf("the same finding changes the status (-first +second):\n%s", diff)
				}
				if next := test.f.next("uid"); next < test.after || next > test.after+test.after/10 {
					t.Errorf("looked at again after %s, want about %s", next, test.after)
				}
			})
		}
	}
}

// While the issuer is missing, the last word about the token stands, for the spec that it was about.
func TestATokenOutlivesItsIssuer(t *testing.T) {
	missing := func(change ...func(*attempt)) *attempt {
		a := given(change...)
		a.request.Spec.Issuer, a.request.Spec.IssuerRef = nil, &stsv1alpha1.IssuerRef{Kind: stsv1alpha1.IssuerKindTokenIssuer, Name: "contoso"}
		a.choice = choice{}
		return a
	}
	well := after(outcome{kind: settled})
	tests := map[string]struct {
		a    *attempt
		want string
	}{
		"a valid token":                        {missing(well), "True/TokenValid"},
		"a token that has expired":             {missing(well, expired), "False/TokenExpired"},
		"a token of the spec before":           {missing(well, func(a *attempt) { a.request.Generation++ }), "False/IssuerNotReady"},
		"a token that didn't match when asked": {missing(after(outage, otherSpec)), "False/IssuerNotReady"},
		"no token":                             {missing(well, noToken), "False/IssuerNotReady"},
		"a status that was lost":               {missing(), "False/IssuerNotReady"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := test.a.issuerMissing()
			for look := range 3 {
				test.a.request.Status = nextStatus(test.a, o)
				ready, issued := transitionOf(test.a, "Ready"), transitionOf(test.a, "Issued")
				if ready != test.want || issued != "False/IssuerNotReady" {
					t.Errorf("look %d: Ready %s, Issued %s; want %s, False/IssuerNotReady", look, ready, issued, test.want)
				}
			}
		})
	}
}

func transitionOf(a *attempt, kind string) string {
	_, is := transition(a.request.Status.Conditions, a.request.Status.Conditions, kind)
	return string(is.Status) + "/" + is.Reason
}
