// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
	"tokenrequest.dev/operator/internal/flight"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

// +kubebuilder:rbac:groups=sts.tokenrequest.dev,resources=tokenissuers;clustertokenissuers,verbs=get;list;watch
// +kubebuilder:rbac:groups=sts.tokenrequest.dev,resources=tokenissuers/status;clustertokenissuers/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=list;watch

// issuer is a TokenIssuer or a ClusterTokenIssuer.
type issuer interface {
	client.Object
	Issuer() *stsv1alpha1.IssuerSpec
	State() *stsv1alpha1.IssuerStatus
}

// keyOf names an issuer. What comes from a cache says nothing of its kind, its type does.
func keyOf(i issuer) IssuerKey {
	kind := stsv1alpha1.IssuerKindTokenIssuer
	if _, ok := i.(*stsv1alpha1.ClusterTokenIssuer); ok {
		kind = stsv1alpha1.IssuerKindClusterTokenIssuer
	}
	return IssuerKey{Kind: kind, NamespacedName: client.ObjectKeyFromObject(i)}
}

// realm is the tenancy domain of those that an issuer serves, and of its own discoveries: no key of one
// meets a key of another's.
func (k IssuerKey) realm() string {
	if k.Namespace == "" {
		return "cluster/" + k.Name
	}
	return realmOf(k.Namespace)
}

// realmOf is the tenancy domain of what a namespace's own issuers serve.
func realmOf(namespace string) string { return "ns/" + namespace }

// String is the issuer as people find it.
func (k IssuerKey) String() string {
	if k.Namespace == "" {
		return fmt.Sprintf("%s %s", k.Kind, k.Name)
	}
	return fmt.Sprintf("%s %s", k.Kind, k.NamespacedName)
}

// Discoveries are the searches for metadata under way on behalf of issuers themselves. They have
// places of their own: requests wait for no issuer.
type Discoveries = flight.Pool[string, IssuerKey, Discovery]

// Discovery is what a search for metadata brought: one of both.
type Discovery struct {
	metadata sts.Metadata
	err      *oautherr.Error
}

// IssuerReconciler keeps the condition Ready of issuers true to what shows without a token. Requests
// don't wait for it. It never asks for a token, and of an STS only its metadata, which is public. Every
// field but OperatorNamespace is required.
type IssuerReconciler struct {
	// Client writes statuses.
	Client client.Client
	// Credentials reads what issuers refer to.
	Credentials credential.Resolver
	// STS finds metadata.
	STS sts.Service
	// Discoveries runs what calls that takes, outside the workers.
	Discoveries *Discoveries
	// Queues wake issuers.
	Queues *IssuerQueues
	// Events tells people.
	Events events.EventRecorder
	// Clock is the one clock.
	Clock clock.PassiveClock
	// OperatorNamespace is where the references of a ClusterTokenIssuer are looked up. Without it no
	// ClusterTokenIssuer is served.
	OperatorNamespace string
}

// issuerWorkers is the number of concurrent reconciles for each kind.
const issuerWorkers = 2

// SetupWithManager registers a controller for each kind of issuer that is served.
func (r *IssuerReconciler) SetupWithManager(mgr ctrl.Manager) error {
	err := control(r, mgr, "tokenissuer", &stsv1alpha1.TokenIssuer{})
	if r.OperatorNamespace != "" {
		err = errors.Join(err, control(r, mgr, "clustertokenissuer", &stsv1alpha1.ClusterTokenIssuer{}))
	}
	return err
}

// control registers the controller of one kind.
func control[T issuer](r *IssuerReconciler, mgr ctrl.Manager, name string, kind T) error {
	err := ctrl.NewControllerManagedBy(mgr).
		Named(name).
		For(kind, builder.WithPredicates(specChanged())).
		WatchesRawSource(r.Queues.source(keyOf(kind).Kind)).
		WithOptions(controller.Options{MaxConcurrentReconciles: issuerWorkers, ReconciliationTimeout: reconcileTimeout}).
		Complete(reconcile.AsReconciler[T](r.Client, oneKind[T]{r}))
	if err != nil {
		return fmt.Errorf("setting up the controller %s: %w", name, err)
	}
	return nil
}

// oneKind reconciles the issuers of one kind.
type oneKind[T issuer] struct{ *IssuerReconciler }

// Reconcile looks at one issuer.
func (k oneKind[T]) Reconcile(ctx context.Context, i T) (ctrl.Result, error) {
	result, err := k.reconcile(ctx, i)
	if err != nil && errors.Is(context.Cause(ctx), context.Canceled) {
		return ctrl.Result{}, nil // the operator stops, which is no error for anybody to look into
	}
	return result, err
}

func (r *IssuerReconciler) reconcile(ctx context.Context, i issuer) (ctrl.Result, error) {
	if !i.GetDeletionTimestamp().IsZero() {
		r.Discoveries.Release(keyOf(i))
		return ctrl.Result{}, nil
	}
	f, err := r.examine(ctx, i)
	if err != nil {
		return ctrl.Result{}, err
	}
	if f.pending > 0 {
		return ctrl.Result{RequeueAfter: f.pending}, nil
	}
	if err := r.tell(ctx, i, f); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	return ctrl.Result{RequeueAfter: f.next(string(i.GetUID()))}, nil
}

// tell writes the status that follows from a finding, if it differs from what is there, and says so in
// an event where the outcome changed.
func (r *IssuerReconciler) tell(ctx context.Context, i issuer, f finding) error {
	status := issuerStatus(*i.State(), i.GetGeneration(), f, r.Clock.Now())
	if equality.Semantic.DeepEqual(*i.State(), status) {
		return nil
	}
	before, after := *i.State(), i.DeepCopyObject().(issuer)
	*after.State() = status
	if err := r.Client.Status().Patch(ctx, after, client.MergeFrom(i)); err != nil {
		return fmt.Errorf("patching the status of %s: %w", keyOf(i), err)
	}
	was, is := transition(before.Conditions, status.Conditions, stsv1alpha1.ConditionReady)
	switch {
	case is.Status == metav1.ConditionFalse && (was.Status != is.Status || was.Reason != is.Reason):
		r.Events.Eventf(i, nil, corev1.EventTypeWarning, is.Reason, actionVerify, "%s", bounded(is.Message))
	case is.Status == metav1.ConditionTrue && was.Status == metav1.ConditionFalse:
		r.Events.Eventf(i, nil, corev1.EventTypeNormal, is.Reason, actionVerify, "%s", bounded("The failure is over: "+is.Message))
	}
	return nil
}

// actionVerify is the action of every event about an issuer.
const actionVerify = "VerifyIssuer"

// examine finds out whether requests can use an issuer, as far as that shows without a token. Its error
// is the Kubernetes API's alone.
func (r *IssuerReconciler) examine(ctx context.Context, i issuer) (finding, error) {
	spec := i.Issuer()
	if f := unselective(i); f != nil {
		return *f, nil
	}
	for _, address := range []string{cmp.Or(string(spec.TokenEndpoint), string(spec.Authority)), string(spec.DeviceAuthorizationEndpoint)} {
		if address == "" {
			continue
		}
		if e := r.STS.CheckURL(address); e != nil {
			return refusedFinding(e, r.subject(i, nil)), nil
		}
	}
	if e := r.STS.CheckProxy(string(spec.ProxyURL)); e != nil {
		return refusedFinding(e, r.subject(i, nil)), nil
	}
	c, problem, err := r.Credentials.Resolve(ctx, r.site(i), spec, nil)
	switch {
	case err != nil:
		return finding{}, err
	case problem != nil:
		return blockedFinding(problem), nil
	}
	return r.locate(i, c), nil
}

// locate finds the endpoint as the attempt of a request without a grant would, and asks whether the
// credential may be sent there.
func (r *IssuerReconciler) locate(i issuer, c *credential.Credential) finding {
	a := &attempt{request: &stsv1alpha1.TokenRequest{}, credential: c, choice: choice{issuer: i.Issuer()}}
	meta, _ := r.STS.Known(a.authority(), c.Transport)
	a.address(meta)
	if !a.located() {
		found, pending := r.discover(i, c)
		switch {
		case pending > 0:
			return finding{pending: pending}
		case found.err != nil:
			return refusedFinding(c.Redact(found.err), r.subject(i, c))
		}
		a.address(found.metadata)
	}
	r.Discoveries.Release(keyOf(i))
	if e := a.refuseQuoting(a.meta); e != nil {
		return refusedFinding(e, r.subject(i, c))
	}
	if problem := a.permitted(); problem != nil {
		return blockedFinding(problem)
	}
	return finding{ready: true, reason: stsv1alpha1.ReasonIssuerVerified, message: verifiedMessage(i, r.site(i))}
}

// discover returns what the search for the metadata of the issuer's authority brought, or for how long
// to wait for it.
func (r *IssuerReconciler) discover(i issuer, c *credential.Credential) (Discovery, time.Duration) {
	key, authority := keyOf(i), string(i.Issuer().Authority)
	call := key.realm() + " " + digest(authority, c.Transport.Identity(), c.Identity)
	if found, state := r.Discoveries.Collect(call, key); state == flight.Done {
		r.Discoveries.Release(key)
		return found, 0
	}
	timeout := 2 * timeoutOf(i.Issuer()) // there are two places where the document may be
	r.Discoveries.Ask(flight.Ask[string, IssuerKey, Discovery]{
		Key: call, Domain: key.realm(), Service: host(authority), Waiter: key, Timeout: timeout,
		Do: func(ctx context.Context) Discovery {
			found, e := r.STS.Discover(ctx, authority, c.Transport)
			return Discovery{metadata: found, err: e}
		},
	})
	return Discovery{}, timeout + flightGrace
}

// site is where an issuer's references are looked up.
func (r *IssuerReconciler) site(i issuer) credential.Site {
	namespace := cmp.Or(i.GetNamespace(), r.OperatorNamespace)
	return credential.Site{Issuer: keyOf(i).String() + " spec", IssuerNamespace: namespace, Namespace: namespace}
}

// subject names the objects that a remedy points at.
func (r *IssuerReconciler) subject(i issuer, c *credential.Credential) oautherr.Subject {
	spec, key := i.Issuer(), keyOf(i)
	s := oautherr.Subject{
		Host:      host(declaredBy(spec)),
		ClientID:  credential.ClientName(r.site(i).IssuerNamespace, spec),
		Request:   "each TokenRequest of " + key.String(),
		Issuer:    key.String(),
		Authority: declaredBy(spec),
	}
	if c != nil {
		s.Credential = c.Description
	}
	return s
}
