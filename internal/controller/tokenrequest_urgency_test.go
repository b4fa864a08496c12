// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/flight"
	"tokenrequest.dev/operator/internal/schedule"
)

// known is a request as a start finds it: its token expires, and its next attempt is, so far from noon.
func known(name string, expires, next time.Duration) *stsv1alpha1.TokenRequest {
	at := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: noon.Add(d)} }
	return &stsv1alpha1.TokenRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: name},
		Status:     stsv1alpha1.TokenRequestStatus{Token: &stsv1alpha1.TokenStatus{ExpiresAt: at(expires)}, NextAttemptAt: at(next)},
	}
}

// A soak on a busy machine found expired tokens that waited behind the refreshes of good ones for as long
// as those came, since a start queues what it finds behind all events.
func TestWhatIsMissingIsServedBeforeWhatIsGood(t *testing.T) {
	r := &Reconciler{Clock: clocktesting.NewFakePassiveClock(noon)}
	q := priorityqueue.New[reconcile.Request]("urgency")
	defer q.ShutDown()
	create := func(request *stsv1alpha1.TokenRequest, start bool) {
		r.enqueue().Create(t.Context(), event.CreateEvent{Object: request, IsInInitialList: start}, q)
	}
	forever := known("forever", 0, time.Hour)
	forever.Status.Token.ExpiresAt = nil
	create(known("good", time.Hour, time.Minute), true)
	create(forever, true)
	create(known("due", time.Hour, 0), true)
	create(known("nearly", 2*time.Minute, -time.Minute), true)
	create(known("soon", 3*time.Minute, 0), true)
	create(known("expired", 0, time.Minute), true)
	create(&stsv1alpha1.TokenRequest{ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "new"}}, false)
	answered := func(name string, needed time.Time) {
		waking := Waking{Request: types.NamespacedName{Namespace: "payments", Name: name}, Needed: needed}
		r.wakeUp(t.Context(), event.TypedGenericEvent[Waking]{Object: waking}, q)
	}
	answered("answered, good", noon.Add(time.Hour))
	answered("answered", time.Time{})
	answered("answered late", noon)
	changed := known("changed", time.Hour, time.Minute)
	r.enqueue().Update(t.Context(), event.UpdateEvent{ObjectOld: changed, ObjectNew: changed}, q)

	var order []string
	for range 11 {
		next, _ := q.Get()
		order = append(order, next.Name)
	}
	want := []string{"answered", "answered late", "expired", "new", "answered, good", "nearly", "soon", "due", "good", "forever", "changed"}
	if !slices.Equal(order, want) {
		t.Errorf("served %v, want %v", order, want)
	}
}

func TestTheNextStepWaitsByWhatTheTokenIsWorthThen(t *testing.T) {
	for _, c := range []struct {
		name string
		a    *attempt
		o    outcome
		want int
	}{
		{"a refresh", given(), outcome{kind: settled}, timely},
		{"a refresh of a token that nobody knows the end of", given(func(a *attempt) { a.content.Record.ExpiresAt = time.Time{} }), outcome{kind: settled}, timely},
		{"a retry 15 minutes before the end", given(func(a *attempt) { a.content.Record.ExpiresAt = noon.Add(16 * time.Minute) }), outage, timely + 4},
		{"a retry a second before the end", given(func(a *attempt) { a.content.Record.ExpiresAt = noon.Add(61 * time.Second) }), outage, timely + 23},
		{"a retry without a token", given(noToken), outage, missing},
		{"a retry while the token is good", given(), outage, timely},
		{"a retry after it expired", given(expired), outage, missing},
		{"a retry after it will have expired", given(func(a *attempt) { a.content.Record.ExpiresAt = noon.Add(30 * time.Second) }), outage, missing},
	} {
		t.Run(c.name, func(t *testing.T) {
			result := c.o.result(c.a, noon.Add(time.Minute))
			if result.Priority == nil || *result.Priority != c.want {
				t.Errorf("%s, want %d", fmt.Sprint(result), c.want)
			}
		})
	}
}

func TestACallIsNeededWhenTheTokenThereIsEnds(t *testing.T) {
	for name, c := range map[string]struct {
		a    *attempt
		want time.Time
	}{
		"no token":                {given(noToken), time.Time{}},
		"one that has expired":    {given(expired), time.Time{}},
		"a good one":              {given(func(a *attempt) { a.content.Record.ExpiresAt = noon.Add(time.Minute) }), noon.Add(time.Minute)},
		"one that may not expire": {given(func(a *attempt) { a.content.Record.ExpiresAt = time.Time{} }), noon.Add(schedule.Horizon)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.a.needed(); !got.Equal(c.want) {
				t.Errorf("needed at %s, want %s", got, c.want)
			}
		})
	}
}

func TestACallThatWaitsForItsTurnGoesWithItsRequest(t *testing.T) {
	limits := flight.Limits{Total: 1, PerDomain: 1, PerService: 1, Keep: time.Minute, Unread: 1, Results: 1}
	r := &Reconciler{Flights: flight.New[string, types.NamespacedName, Answer](limits, clocktesting.NewFakePassiveClock(noon), nil)}
	q := priorityqueue.New[reconcile.Request]("deletion")
	defer q.ShutDown()
	gone := known("gone", time.Hour, 0)
	r.Flights.Ask(flight.Ask[string, types.NamespacedName, Answer]{Key: "what it asks", Waiter: types.NamespacedName{Namespace: "payments", Name: "gone"}})
	r.enqueue().Delete(t.Context(), event.DeleteEvent{Object: gone}, q)
	if queued := r.Flights.Stats().Queued; queued != 0 {
		t.Errorf("%d calls are still queued", queued)
	}
}
