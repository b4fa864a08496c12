// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"math"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/schedule"
)

// What waits for a worker goes first by what it is worth, the greater number before the smaller, and not
// by how it was heard of. controller-runtime has all that is there at a start wait behind every event of
// others; on a machine that is busy, a token that had expired while nobody led waited for half a minute
// behind the refreshes of tokens that were good.
//
// Among tokens that are good the nearer end goes first: after an outage many are due at once, and some of them
// last for longer than others.
const (
	calm     = 0  // nothing is due: an event, or what is there at a start
	timely   = 10 // a token to be replaced, or looked at again, while it is good; see worth
	replaced = 35 // an answer that replaces a good token: what was begun is ended before more of the kind is begun
	missing  = 40 // no good token: somebody waits for it
	awaited  = 50 // an answer where there is no good token
)

// worth is what it is worth to look after a token at an instant; a zero end is one that nobody knows. A good token
// has two steps above timely for each time that an hour is halved, down to a second. The metric of the queue's
// depth has a label for each step, so that these are few.
func worth(end, at time.Time) int {
	left := end.Sub(at)
	switch {
	case end.IsZero():
		return timely
	case left <= 0:
		return missing
	default:
		return timely + max(0, int(2*math.Log2(time.Hour.Seconds()/max(left, time.Second).Seconds())))
	}
}

// urgency is that of a request as its status tells it.
func urgency(request *stsv1alpha1.TokenRequest, now time.Time) int {
	s := &request.Status
	if s.Token == nil {
		return missing
	}
	u := worth(timeOf(s.Token.ExpiresAt), now)
	if u != missing && (s.NextAttemptAt == nil || s.NextAttemptAt.After(now)) {
		return calm
	}
	return u
}

// urgency is that of the next step, when it is taken.
func (a *attempt) urgency(next time.Time) int {
	if !a.content.Intact {
		return missing
	}
	return worth(a.content.Record.ExpiresAt, next)
}

// needed is until when the token that there is lasts: now, where there is none.
func (a *attempt) needed() time.Time {
	switch expires := a.content.Record.ExpiresAt; {
	case !a.content.Intact || a.expired():
		return time.Time{}
	case expires.IsZero(): // nobody knows how long
		return a.now.Add(schedule.Horizon)
	default:
		return expires
	}
}

// enqueue queues requests that changed, or are there at a start, by their urgency.
func (r *Reconciler) enqueue() handler.EventHandler {
	add := func(o client.Object, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		put(q, client.ObjectKeyFromObject(o), urgency(o.(*stsv1alpha1.TokenRequest), r.Clock.Now()))
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			add(e.Object, q)
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			add(e.ObjectNew, q)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			name := client.ObjectKeyFromObject(e.Object)
			// No reconcile sees a request that is gone, and nobody else comes for its answer.
			r.Flights.Release(name)
			put(q, name, calm)
		},
	}
}

// Waking is a request that there is news for.
type Waking struct {
	// Request is its name.
	Request types.NamespacedName
	// Needed is when it has no good token any more; zero is now.
	Needed time.Time
}

// wakeUp queues a request whose flight has landed.
func (r *Reconciler) wakeUp(_ context.Context, e event.TypedGenericEvent[Waking], q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	u := awaited
	if e.Object.Needed.After(r.Clock.Now()) {
		u = replaced
	}
	put(q, e.Object.Request, u)
}

func put(q workqueue.TypedRateLimitingInterface[reconcile.Request], name types.NamespacedName, urgency int) {
	request := reconcile.Request{NamespacedName: name}
	if byPriority, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		byPriority.AddWithOpts(priorityqueue.AddOpts{Priority: &urgency}, request)
		return
	}
	q.Add(request)
}

// logged has the log name requests as controllers made by For do, which would queue them in its own order.
func logged(log logr.Logger) func(*reconcile.Request) logr.Logger {
	const kind = "TokenRequest"
	log = log.WithValues("controller", controllerName, "controllerGroup", stsv1alpha1.GroupVersion.Group, "controllerKind", kind)
	return func(request *reconcile.Request) logr.Logger {
		if request == nil {
			return log
		}
		return log.WithValues(kind, request.NamespacedName, "namespace", request.Namespace, "name", request.Name)
	}
}
