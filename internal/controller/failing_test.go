// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

func TestARequestFailsForAsLongAsItsConditionSaysSo(t *testing.T) {
	deleted := func(a *attempt) { a.request.DeletionTimestamp = &metav1.Time{Time: noon} }
	resumed := func(a *attempt) { a.request.Spec.Suspend = false }
	for _, c := range []struct {
		name   string
		before []func(*attempt) // as the last look found it
		o      outcome
		now    func(*attempt)
		want   string
	}{
		{"a token that lives", nil, outcome{kind: settled}, nil, ""},
		{"a refused first token", []func(*attempt){noToken}, wrongSecret, nil, "InvalidClient"},
		{"a refused refresh, while the token lives", nil, wrongSecret, nil, "InvalidClient"},
		{"a Secret that is missing here", []func(*attempt){noToken}, notFound, nil, "CredentialNotFound"},
		{"and that is still missing, which counts as no further result", []func(*attempt){after(notFound, noToken), noToken}, notFound, nil, "CredentialNotFound"},
		{"a retry that is waited for", []func(*attempt){after(outage)}, outcome{kind: waiting}, nil, "ServerError"},
		{"a token after a failure", []func(*attempt){after(wrongSecret)}, outcome{kind: issued}, nil, ""},
		{"suspended after a failure", []func(*attempt){after(wrongSecret), suspends}, outcome{kind: suspended}, nil, ""},
		{"suspended before its first token", []func(*attempt){noToken, suspends}, outcome{kind: suspended}, nil, ""},
		{"resumed just now", []func(*attempt){noToken, suspends}, outcome{kind: suspended}, resumed, ""},
		{"one that is being deleted", []func(*attempt){noToken}, wrongSecret, deleted, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := given(c.before...)
			a.request.Status = nextStatus(a, c.o)
			if c.now != nil {
				c.now(a)
			}
			if got := failingBecause(a.request); got != c.want {
				t.Errorf("it fails because of %q, want %q", got, c.want)
			}
		})
	}
}

func TestFailingRequestsAreCountedByReason(t *testing.T) {
	failed := func(o outcome) *stsv1alpha1.TokenRequest {
		a := given(noToken)
		a.request.Status = nextStatus(a, o)
		return a.request
	}
	all := []*stsv1alpha1.TokenRequest{failed(wrongSecret), failed(notFound), failed(wrongSecret), {}}
	r := &Reconciler{Requests: slices.Values(all)}
	if diff := cmp.Diff(map[string]int{"InvalidClient": 2, "CredentialNotFound": 1}, r.Failing()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}
