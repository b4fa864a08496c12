// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/metrics"
	"tokenrequest.dev/operator/internal/stall"
)

func TestWhatIsPlannedStandsInTheStatus(t *testing.T) {
	deleted := func(a *attempt) { a.request.DeletionTimestamp = &metav1.Time{Time: noon} }
	for name, c := range map[string]struct {
		a    *attempt
		o    outcome
		want stall.Plan
	}{
		"a refresh":                    {given(), outcome{kind: settled}, stall.Plan{At: noon.Add(30 * time.Minute)}},
		"a retry":                      {given(), outage, stall.Plan{At: noon.Add(time.Minute)}},
		"a retry behind a gate":        {given(noToken), throttled, stall.Plan{At: noon.Add(time.Minute)}},
		"what waits for a change":      {given(noToken), notFound, stall.Plan{}},
		"what its owner has suspended": {given(suspends), outcome{kind: suspended}, stall.Plan{Rests: true}},
		"what is being deleted":        {given(deleted), outcome{kind: settled}, stall.Plan{At: noon.Add(30 * time.Minute), Rests: true}},
	} {
		t.Run(name, func(t *testing.T) {
			c.a.request.Status = nextStatus(c.a, c.o)
			got := planOf(c.a.request)
			if got.At.Sub(c.want.At) < 6*time.Second { // behind a gate, this request's place
				got.At = c.want.At
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
	fresh := &stsv1alpha1.TokenRequest{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.Time{Time: noon}}}
	if diff := cmp.Diff(stall.Plan{At: noon}, planOf(fresh)); diff != "" {
		t.Errorf("plan of a request that nobody has looked at (-want +got):\n%s", diff)
	}
}

// What a look promises is kept, or it is a stall. A plan for half past noon stands in the status.
func TestALookSaysWhenTheNextIsDue(t *testing.T) {
	refused := errors.New("the API server is away")
	for name, c := range map[string]struct {
		end      func(*Reconciler, *attempt)
		innocent time.Duration // by then nothing is overdue
		stalled  time.Duration // by then it is; 0: never
	}{
		"a worker that doesn't come back": {func(*Reconciler, *attempt) {}, reconcileTimeout + stall.Patience, reconcileTimeout + stall.Patience + 1},
		"the plan, though the look promised a day": {func(r *Reconciler, a *attempt) { r.lookEnds(a, ctrl.Result{RequeueAfter: 24 * time.Hour}, nil) },
			31 * time.Minute, 31*time.Minute + 1},
		"a call under way beyond the plan": {func(r *Reconciler, a *attempt) {
			a.underWay = true
			r.lookEnds(a, ctrl.Result{RequeueAfter: time.Hour}, nil)
		}, time.Hour + stall.Patience, time.Hour + stall.Patience + 1},
		"an error of the API server's": {func(r *Reconciler, a *attempt) { r.lookEnds(a, ctrl.Result{}, refused) }, longestBackoff + stall.Patience, longestBackoff + stall.Patience + 1},
		"a namespace that goes":        {func(r *Reconciler, a *attempt) { r.lookEnds(a, ctrl.Result{}, nil) }, 24 * time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a := given()
			r := &Reconciler{Looks: &Looks{}, Clock: clocktesting.NewFakePassiveClock(noon)}
			r.Looks.Start(noon.Add(-time.Hour))
			r.lookBegins(a)
			c.end(r, a)
			plans := map[types.UID]stall.Plan{a.request.UID: {At: noon.Add(30 * time.Minute)}}
			if v := r.Looks.Judge(maps.All(plans), noon.Add(c.innocent)); len(v.Stalled) > 0 {
				t.Errorf("it is overdue after %s", c.innocent)
			}
			if v := r.Looks.Judge(maps.All(plans), noon.Add(c.stalled)); c.stalled > 0 && len(v.Stalled) == 0 {
				t.Errorf("it isn't overdue after %s", c.stalled)
			}
		})
	}
}

func TestResultsCountEachAttemptOnce(t *testing.T) {
	results := &Results{}
	results.count(given(), outcome{kind: issued})
	results.count(given(), outage)
	results.count(given(after(outage)), outage)
	results.count(given(noToken), notFound)
	results.count(given(after(notFound, noToken), noToken), notFound) // looked at again, and nothing is new
	for _, kind := range []outcomeKind{settled, pending, waiting, awaiting, suspended, gone} {
		results.count(given(), outcome{kind: kind})
	}
	want := map[string]uint64{"TokenIssued": 1, "ServerError": 2, "CredentialNotFound": 1}
	if diff := cmp.Diff(want, results.Counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// A reason that the metric doesn't know would be counted as UnknownError.
func TestTheMetricKnowsEveryReasonOfAnAttempt(t *testing.T) {
	// What conditions other than Issued say, and what no attempt ends in.
	others := []string{"TokenValid", "TokenExpired", "IssuerVerified", "RetryScheduled", "SelectorInvalid", "Suspended"}
	var known []string
	for _, family := range metrics.Families() {
		if family.Name == "tokenrequest_refresh_results_total" {
			known = family.Labels[0].Values
		}
	}
	for reason := range declaredReasons(t) {
		if slices.Contains(known, reason) == slices.Contains(others, reason) {
			t.Errorf("%s is neither or both: counted by the metric, and not the end of an attempt", reason)
		}
	}
}
