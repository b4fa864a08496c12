// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package controller is the Kubernetes glue: it reads TokenRequests, has the packages below it
// decide and ask, and writes Secrets and statuses.
package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
	"tokenrequest.dev/operator/internal/flight"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
	"tokenrequest.dev/operator/internal/throttle"
)

// +kubebuilder:rbac:groups=sts.tokenrequest.dev,resources=tokenrequests,verbs=list;watch
// +kubebuilder:rbac:groups=sts.tokenrequest.dev,resources=tokenrequests/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=configmaps;serviceaccounts,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=serviceaccounts/token,verbs=create
// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create

// Flights are the calls under way; the key is domain and attempt.
type Flights = flight.Pool[string, types.NamespacedName, Answer]

// Gates are what the STSs have asked for, and what they have refused.
type Gates = throttle.Cache[*oautherr.Error]

// GateStore keeps gates beyond this process.
type GateStore interface {
	// Load restores the gates; it is called once, before the first call to an STS.
	Load(ctx context.Context) error
	// Sync returns when every gate that is shut by now is stored.
	Sync(ctx context.Context) error
}

// Reconciler keeps the Secret of each TokenRequest holding a valid token. Every field but
// OperatorNamespace is required.
//
// One reconcile goes through the phases of tokenrequest_phases.go, which end in one outcome; the
// status is computed from that and written at most once. A worker never waits for an STS: the call
// is a flight, and its answer wakes the request.
type Reconciler struct {
	// Client reads TokenRequests and our own Secrets from the cache, seeing its own writes, and
	// writes.
	Client client.Client
	// Live reads from the API server itself.
	Live client.Reader
	// Requests are all TokenRequests in the cache, shared with it: they may only be read.
	Requests iter.Seq[*stsv1alpha1.TokenRequest]
	// Credentials reads what issuers refer to.
	Credentials credential.Resolver
	// STS asks for tokens.
	STS sts.Service
	// Flights runs the calls.
	Flights *Flights
	// Shelf keeps what the calls brought for others who ask for the same.
	Shelf *Shelf
	// Minter asks for service-account tokens.
	Minter *credential.Minter
	// Gates says whether a call may be made.
	Gates *Gates
	// Store keeps the gates.
	Store GateStore
	// Looks notices the requests that nobody looks at.
	Looks *Looks
	// Results counts what attempts came to, by the reason that conditions show.
	Results *Results
	// Repairs remembers the Secrets that others keep changing.
	Repairs *Repairs
	// Events tells people.
	Events events.EventRecorder
	// Clock is the one clock.
	Clock clock.PassiveClock
	// OperatorNamespace is where the references of a ClusterTokenIssuer are looked up. Without it no
	// ClusterTokenIssuer is served.
	OperatorNamespace string
}

// Reconcile brings one request a step further.
func (r *Reconciler) Reconcile(ctx context.Context, request *stsv1alpha1.TokenRequest) (ctrl.Result, error) {
	a := newAttempt(request, r.Clock.Now())
	r.lookBegins(a)
	// Also where the attempt ends before it comes to its answer: who makes its requests so must not have the answers
	// that lie there hold others up.
	r.Flights.Attend(a.key())
	result, err := r.step(ctx, a)
	r.lookEnds(a, result, err)
	return result, err
}

func (r *Reconciler) step(ctx context.Context, a *attempt) (ctrl.Result, error) {
	if !a.request.DeletionTimestamp.IsZero() {
		// The garbage collector takes the Secret along; to make it anew would have a foreground
		// deletion never end (argo-cd#16925).
		r.Flights.Release(a.key())
		return outcome{kind: gone}.result(a, time.Time{}), nil
	}
	result, err := r.attempt(ctx, a)
	if err != nil && errors.Is(context.Cause(ctx), context.Canceled) {
		// The operator stops. What was left undone is found again at the next start, and is no error
		// for anybody to look into.
		return ctrl.Result{}, nil
	}
	return result, err
}

func (r *Reconciler) attempt(ctx context.Context, a *attempt) (ctrl.Result, error) {
	o, err := r.run(ctx, a)
	if err != nil {
		return ctrl.Result{}, err
	}
	a.underWay = o.kind == pending
	return r.conclude(ctx, a, o)
}

// conclude writes the status that follows from an outcome, if it differs from what is there, and
// says when to look again.
func (r *Reconciler) conclude(ctx context.Context, a *attempt, o outcome) (ctrl.Result, error) {
	if o.kind == pending || o.kind == gone {
		return o.result(a, o.retry), nil
	}
	if o.kind == failed {
		r.persistGates(ctx, a)
	}
	if a.valid() {
		if err := r.dropFormer(ctx, a); err != nil {
			return ctrl.Result{}, err
		}
	}
	status := nextStatus(a, o)
	r.Results.count(a, o)
	if !equality.Semantic.DeepEqual(a.request.Status, status) {
		if err := r.writeStatus(ctx, a, status); err != nil {
			return ctrl.Result{}, client.IgnoreNotFound(err)
		}
		r.announce(ctx, a, o, status)
	}
	return o.result(a, wake(a, o, status)), nil
}

// statusPatch is a merge patch (RFC 7386) of what differs. Only the statuses are compared: the rest of a
// request, which is most of it, would be written out twice to find that it is the same.
func statusPatch(before, after stsv1alpha1.TokenRequestStatus) ([]byte, error) {
	if reflect.ValueOf(before).IsZero() { // nothing can be removed from it
		return json.Marshal(map[string]any{"status": after})
	}
	return client.MergeFrom(&stsv1alpha1.TokenRequest{Status: before}).Data(&stsv1alpha1.TokenRequest{Status: after})
}

// writeStatus patches what differs.
func (r *Reconciler) writeStatus(ctx context.Context, a *attempt, status stsv1alpha1.TokenRequestStatus) error {
	patch, err := statusPatch(a.request.Status, status)
	if err != nil {
		return fmt.Errorf("comparing the statuses of TokenRequest %s: %w", a.key(), err)
	}
	written := &stsv1alpha1.TokenRequest{ObjectMeta: metav1.ObjectMeta{Namespace: a.request.Namespace, Name: a.request.Name}}
	if err := r.Client.Status().Patch(ctx, written, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("patching the status of TokenRequest %s: %w", a.key(), err)
	}
	return nil
}

// persistTimeout bounds how long a worker waits for the gates to be stored.
const persistTimeout = 10 * time.Second

// persistGates stores the gates before a status shows one of them, so that whoever sees Throttled
// knows that a restart won't forget it. Failing that, the status still tells the truth of now.
func (r *Reconciler) persistGates(ctx context.Context, a *attempt) {
	bounded, cancel := context.WithTimeout(ctx, persistTimeout)
	defer cancel()
	if err := r.Store.Sync(bounded); err != nil {
		log.FromContext(ctx).Error(err, "Storing the throttle gates")
		r.warn(a, reasonThrottleNotDurable, "The gate couldn't be stored: a restart of the operator would forget it. See the operator's log for the cause.")
	}
}
