// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/schedule"
	"tokenrequest.dev/operator/internal/stall"
)

// Looks know when a worker last looked at each request, by its UID.
type Looks = stall.Watch[types.UID]

const (
	// reasonRefreshOverdue is the event for a request whose time has come and that no worker looks at.
	reasonRefreshOverdue = "RefreshOverdue"
	// actionRequeue is the action of that event.
	actionRequeue = "Requeue"
	// stallInterval is how often stalls are looked for; that reads the cache alone.
	stallInterval = 5 * time.Second
	// longestBackoff is the longest pause of the queue before it tries again after an error of the
	// Kubernetes API, client-go's own.
	longestBackoff = 1000 * time.Second
)

// lookBegins tells the watch of a look that may take as long as a reconcile may.
func (r *Reconciler) lookBegins(a *attempt) {
	end := a.now.Add(reconcileTimeout)
	r.Looks.Note(a.request.UID, stall.Look{Covered: end, Next: end})
}

// lookEnds tells the watch what came of a look. An error is one of the Kubernetes API's: the attempt was
// made, and the queue tries again.
func (r *Reconciler) lookEnds(a *attempt, result ctrl.Result, err error) {
	look := stall.Look{Covered: a.now}
	switch now := r.Clock.Now(); {
	case err != nil:
		look.Next = now.Add(longestBackoff)
		look.Covered = look.Next
	case result.RequeueAfter == 0: // it goes with its namespace
		look.Covered = now.Add(schedule.Horizon)
	default:
		look.Next = now.Add(result.RequeueAfter)
		if a.underWay {
			look.Covered = look.Next
		}
	}
	r.Looks.Note(a.request.UID, look)
}

// planOf is what the cache has of a request: its next attempt, or its first, which is due at once.
func planOf(request *stsv1alpha1.TokenRequest) stall.Plan {
	plan := stall.Plan{Rests: request.Spec.Suspend || !request.DeletionTimestamp.IsZero()}
	switch {
	case len(request.Status.Conditions) == 0:
		plan.At = request.CreationTimestamp.Time
	case request.Status.NextAttemptAt != nil:
		plan.At = request.Status.NextAttemptAt.Time
	}
	return plan
}

// plans are those of all requests in the cache.
func (r *Reconciler) plans(yield func(types.UID, stall.Plan) bool) {
	for request := range r.Requests {
		if !yield(request.UID, planOf(request)) {
			return
		}
	}
}

// Overdue counts requests whose time has come without a look.
type Overdue struct {
	// Requests wait for more than a minute.
	Requests int
	// Worst is how long the one waits that waits longest.
	Worst time.Duration
	// Stalls counts the requests that came to wait for more than a minute.
	Stalls uint64
}

// Overdue counts the requests in the cache. A replica that doesn't lead finds none.
func (r *Reconciler) Overdue() Overdue {
	v := r.Looks.Judge(r.plans, r.Clock.Now())
	return Overdue{Requests: len(v.Stalled), Worst: v.Worst, Stalls: r.Looks.Stalls()}
}

// WatchForStalls tells of each request that stalls, and has it queued anew, until the context ends. It
// begins when the controllers do. wake must not wait.
func (r *Reconciler) WatchForStalls(ctx context.Context, wake func(types.NamespacedName)) error {
	r.Looks.Start(r.Clock.Now())
	wait.UntilWithContext(ctx, func(ctx context.Context) { r.lookForStalls(ctx, wake) }, stallInterval)
	return nil
}

// lookForStalls wakes the stalled: a key that the queue has lost comes back so. Where it is the workers
// that hang, that does nothing, and readiness goes on to fail.
func (r *Reconciler) lookForStalls(ctx context.Context, wake func(types.NamespacedName)) {
	verdict, begun := r.Looks.Advance(r.plans, r.Clock.Now())
	if len(verdict.Stalled) == 0 {
		return
	}
	stalled, news := sets.New(verdict.Stalled...), sets.New(begun...)
	for request := range r.Requests {
		if !stalled.Has(request.UID) {
			continue
		}
		if news.Has(request.UID) {
			r.tellOfStall(ctx, request.DeepCopy())
		}
		wake(client.ObjectKeyFromObject(request))
	}
}

func (r *Reconciler) tellOfStall(ctx context.Context, request *stsv1alpha1.TokenRequest) {
	log.FromContext(ctx).Info("TokenRequest is overdue", "TokenRequest", client.ObjectKeyFromObject(request).String())
	r.Events.Eventf(request, nil, corev1.EventTypeWarning, reasonRefreshOverdue, actionRequeue,
		"The next step of this request is overdue by more than a minute, and no worker has taken it. It is queued anew; if it stays overdue, restart the operator.")
}
