// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
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
)

// What waits for a worker goes first by what it is worth, the greater number before the smaller, and not
// by how it was heard of. controller-runtime has all that is there at a start wait behind every event of
// others; on a machine that is busy, a token that had expired while nobody led waited for half a minute
// behind the refreshes of tokens that were good.
const (
	calm    = 0  // nothing is due: an event, or what is there at a start
	timely  = 10 // a token to be replaced, or looked at again, while it is good
	missing = 20 // no good token: somebody waits for it
	landed  = 30 // an answer to take in: what was begun is ended before more is begun
)

// urgency is that of a request as its status tells it.
func urgency(request *stsv1alpha1.TokenRequest, now time.Time) int {
	s := &request.Status
	switch {
	case s.Token == nil, s.Token.ExpiresAt != nil && !s.Token.ExpiresAt.After(now):
		return missing
	case s.NextAttemptAt != nil && !s.NextAttemptAt.After(now):
		return timely
	default:
		return calm
	}
}

// urgency is that of the next step, when it is taken.
func (a *attempt) urgency(next time.Time) int {
	if expires := a.content.Record.ExpiresAt; !a.content.Intact || !expires.IsZero() && !expires.After(next) {
		return missing
	}
	return timely
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
			put(q, client.ObjectKeyFromObject(e.Object), calm)
		},
	}
}

// wakeUp queues a request whose flight has landed.
func wakeUp(_ context.Context, e event.TypedGenericEvent[types.NamespacedName], q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	put(q, e.Object, landed)
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
