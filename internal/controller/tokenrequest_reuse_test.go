// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/flight"
	"tokenrequest.dev/operator/internal/sts"
)

// A token that would be due at once costs a write more than the call that it doesn't spare.
func TestAReusedTokenIsNewerThanAnyBeforeAndNotDue(t *testing.T) {
	lost := func(at time.Time) func(*attempt) {
		return func(a *attempt) {
			noToken(a)
			a.request.Status.Conditions = []metav1.Condition{{Type: stsv1alpha1.ConditionReady, Status: metav1.ConditionFalse, LastTransitionTime: metav1.NewTime(at)}}
		}
	}
	told := func(at time.Time) func(*attempt) {
		return func(a *attempt) {
			noToken(a)
			a.request.Status.Token = &stsv1alpha1.TokenStatus{IssuedAt: &metav1.Time{Time: at}}
		}
	}
	ago := func(age time.Duration, change ...func(*sts.Token)) *sts.Token {
		token := &sts.Token{AccessToken: "t", TokenType: "Bearer", IssuedAt: noon.Add(-age), ExpiresAt: noon.Add(time.Hour - age), Lifetime: time.Hour}
		for _, c := range change {
			c(token)
		}
		return token
	}
	advised := func(in time.Duration) func(*sts.Token) { return func(k *sts.Token) { k.RefreshIn = in } }
	for name, c := range map[string]struct {
		a     *attempt
		token *sts.Token
		want  bool
	}{
		"to one who never had any":                           {given(noToken), ago(10 * time.Minute), true},
		"newer than the one in the Secret":                   {given(), ago(5 * time.Minute), true},
		"the one in the Secret":                              {given(), ago(10 * time.Minute), false},
		"older than the one in the Secret":                   {given(), ago(15 * time.Minute), false},
		"the one that the status tells of":                   {given(told(noon.Add(-10 * time.Minute))), ago(10 * time.Minute), false},
		"newer than the one that the status tells of":        {given(told(noon.Add(-10 * time.Minute))), ago(9 * time.Minute), true},
		"older than the loss of which the status tells":      {given(lost(noon.Add(-time.Minute))), ago(10 * time.Minute), false},
		"newer than the loss of which the status tells":      {given(lost(noon.Add(-time.Minute))), ago(30 * time.Second), true},
		"due by its life":                                    {given(noToken), ago(55 * time.Minute), false},
		"due by what the STS advised":                        {given(noToken), ago(25*time.Minute, advised(20*time.Minute)), false},
		"not yet due by what the STS advised":                {given(noToken), ago(5*time.Minute, advised(40*time.Minute)), true},
		"due by how widely the first tokens are spread":      {given(noToken), ago(44 * time.Minute), false},
		"not due to one whose refreshes have spread already": {given(func(a *attempt) { a.content.Record.IssuedAt = noon.Add(-time.Hour) }), ago(44 * time.Minute), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.a.welcomes(c.token); got != c.want {
				t.Errorf("welcomes = %t, want %t", got, c.want)
			}
		})
	}
}

// applied is a client that only counts what it applies.
type applied struct {
	client.Client
	times int
}

func (c *applied) Patch(context.Context, client.Object, client.Patch, ...client.PatchOption) error {
	c.times++
	return nil
}

// The request looked at the shelf before the other's flight landed, and asks after it did.
func TestATokenThatCameMeanwhileIsNotAskedForAgain(t *testing.T) {
	secrets := &applied{}
	r := &Reconciler{
		Client: secrets, Shelf: flight.NewShelf[string, *sts.Token](1), Repairs: NewRepairs(),
		Flights: flight.New[string, types.NamespacedName, Answer](flight.Limits{Total: 1, PerDomain: 1, PerService: 1, Keep: time.Minute, Unread: 1, Results: 1}, clock.RealClock{}, nil),
	}
	a := given(noToken)
	token := &sts.Token{AccessToken: "t", TokenType: "Bearer", IssuedAt: noon, ExpiresAt: noon.Add(time.Hour), Lifetime: time.Hour}
	r.Shelf.Put(a.domain(), a.flight(), token, token.ExpiresAt, noon)
	o, err := r.ask(t.Context(), a)
	if err != nil || o.kind != issued || o.called {
		t.Errorf("ask has the outcome %+v, %v, want a token without a call", o, err)
	}
	if secrets.times != 1 || r.Shelf.Hits() != 1 {
		t.Errorf("%d writes of the Secret and %d tokens reused, want one each", secrets.times, r.Shelf.Hits())
	}
	if queued := r.Flights.Stats().Domains; len(queued) != 0 {
		t.Errorf("a call is queued: %v", queued)
	}
}
