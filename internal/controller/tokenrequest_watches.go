// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
	"tokenrequest.dev/operator/internal/secret"
)

// Indexes over the cached TokenRequests, and of references over the cached issuers.
const (
	indexSecretName = "secretName"
	indexReferences = "references"
	indexIssuer     = "issuer"
)

// controllerName is the controller's in logs and metrics.
const controllerName = "tokenrequest"

// reconcileTimeout bounds one reconcile. It only does API calls; an STS is never waited for.
const reconcileTimeout = time.Minute

// Watching is what the controller listens to beside TokenRequests and their Secrets.
type Watching struct {
	// Woken carries the requests whose flight has landed.
	Woken <-chan event.TypedGenericEvent[Waking]
	// Metadata watches Secrets and ConfigMaps that issuers refer to.
	Metadata metadata.Interface
	// Namespaces that the operator serves; empty means all.
	Namespaces []string
	// Issuers are woken by a change of what they refer to.
	Issuers *IssuerQueues
	// Workers is the number of concurrent reconciles.
	Workers int
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager, w Watching) error {
	if err := errors.Join(r.indexRequests(ctx, mgr), r.indexIssuers(ctx, mgr)); err != nil {
		return err
	}
	affected := r.affectedWith(w.Issuers)
	controlled := ctrl.NewControllerManagedBy(mgr).
		Named(controllerName).
		Watches(&stsv1alpha1.TokenRequest{}, r.enqueue()).
		Watches(&stsv1alpha1.TokenRequest{}, r.wakeRivals()).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.requestsOfSecret(affected))).
		WatchesRawSource(source.Channel(w.Woken, handler.TypedFuncs[Waking, reconcile.Request]{GenericFunc: r.wakeUp})).
		WatchesRawSource(&credential.Watch{
			Client: w.Metadata, Namespaces: w.Namespaces, Secrets: othersSecrets, Affected: affected, Unsettled: r.unsettledWith(w.Issuers),
		}).
		WatchesRawSource(&loading{store: r.Store}).
		WithOptions(controller.Options{MaxConcurrentReconciles: w.Workers, ReconciliationTimeout: reconcileTimeout}).
		WithLogConstructor(logged(mgr.GetLogger()))
	r.watchIssuers(controlled)
	if err := controlled.Complete(reconcile.AsReconciler[*stsv1alpha1.TokenRequest](r.Client, r)); err != nil {
		return fmt.Errorf("setting up the TokenRequest controller: %w", err)
	}
	return nil
}

func (r *Reconciler) indexRequests(ctx context.Context, mgr ctrl.Manager) error {
	indexes := map[string]client.IndexerFunc{
		indexSecretName: func(o client.Object) []string {
			// Most name their Secret as they are named, and are found by that.
			if request := o.(*stsv1alpha1.TokenRequest); request.SecretName() != request.Name {
				return []string{request.SecretName()}
			}
			return nil
		},
		indexReferences: func(o client.Object) []string {
			spec := &o.(*stsv1alpha1.TokenRequest).Spec
			refs := credential.GrantReferences(spec.Grant)
			if spec.Issuer != nil {
				refs = append(refs, credential.References(spec.Issuer)...)
			}
			if keepsChain(grantOf(spec)) {
				// Somebody else's may be in the way, until it is deleted.
				refs = append(refs, credential.Reference{Kind: "Secret", Name: secret.StoreName(o.(*stsv1alpha1.TokenRequest))})
			}
			return indexKeys(refs)
		},
		indexIssuer: func(o client.Object) []string {
			ref := o.(*stsv1alpha1.TokenRequest).Spec.IssuerRef
			if ref == nil {
				return nil
			}
			return []string{issuerIndexKey(ref.Kind, string(ref.Name))}
		},
	}
	for name, of := range indexes {
		if err := mgr.GetFieldIndexer().IndexField(ctx, &stsv1alpha1.TokenRequest{}, name, of); err != nil {
			return fmt.Errorf("indexing TokenRequests by %s: %w", name, err)
		}
	}
	return nil
}

// othersSecrets selects the Secrets that the cache has not.
const othersSecrets = stsv1alpha1.LabelManaged + "!=" + stsv1alpha1.LabelManagedValue

// affectedFunc wakes the issuers that refer to an object, and returns the requests that it concerns.
type affectedFunc = func(context.Context, credential.Reference, string) []types.NamespacedName

// requestsOfSecret are the requests that one of our own Secrets concerns, and the one that owns it.
func (r *Reconciler) requestsOfSecret(affected affectedFunc) handler.MapFunc {
	return func(ctx context.Context, s client.Object) []reconcile.Request {
		names := affected(ctx, credential.Reference{Kind: "Secret", Name: s.GetName()}, s.GetNamespace())
		if owner := metav1.GetControllerOf(s); owner != nil && owner.Kind == "TokenRequest" {
			names = append(names, types.NamespacedName{Namespace: s.GetNamespace(), Name: owner.Name})
		}
		return asRequests(names)
	}
}

// affectedWith has a change of a Secret or ConfigMap wake the issuers that refer to it, and returns
// the requests that it concerns: those whose issuer refers to it and, for a Secret, those that want
// its name and may have found a stranger there. No status is consulted: one that is about to say
// "failing" would have the wake-up lost.
func (r *Reconciler) affectedWith(issuers *IssuerQueues) affectedFunc {
	return func(ctx context.Context, ref credential.Reference, namespace string) []types.NamespacedName {
		names := r.indexed(ctx, indexReferences, ref.String(), namespace)
		if ref.Kind == "Secret" {
			names = append(names, r.wantersOf(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name})...)
		}
		for _, issuer := range r.issuersReferringTo(ctx, ref, namespace) {
			issuers.Wake(issuer)
			names = append(names, r.requestsOf(ctx, issuer)...)
		}
		return names
	}
}

// unsettledWith wakes all issuers, and returns the requests that an unseen change could help.
func (r *Reconciler) unsettledWith(issuers *IssuerQueues) func(context.Context) []types.NamespacedName {
	return func(ctx context.Context) []types.NamespacedName {
		for _, issuer := range r.allIssuers(ctx) {
			issuers.Wake(issuer)
		}
		var names []types.NamespacedName
		for request := range r.Requests {
			if !isIssued(request.Status) || !meta.IsStatusConditionTrue(request.Status.Conditions, stsv1alpha1.ConditionReady) {
				names = append(names, client.ObjectKeyFromObject(request))
			}
		}
		return names
	}
}

// wantersOf are the names of the requests that want a Secret.
func (r *Reconciler) wantersOf(ctx context.Context, secret types.NamespacedName) []types.NamespacedName {
	wanters, err := r.wanting(ctx, secret)
	if err != nil {
		log.FromContext(ctx).Error(err, "Reading TokenRequests from the cache")
	}
	var names []types.NamespacedName
	for _, wanter := range wanters {
		names = append(names, client.ObjectKeyFromObject(wanter))
	}
	return names
}

func (r *Reconciler) indexed(ctx context.Context, index, key, namespace string) []types.NamespacedName {
	all := func(*stsv1alpha1.TokenRequest) bool { return true }
	return r.list(ctx, namespace, all, client.MatchingFields{index: key})
}

// list reads the names of a namespace's requests from the cache, in place: nothing of what wanted is handed
// is kept or changed.
func (r *Reconciler) list(ctx context.Context, namespace string, wanted func(*stsv1alpha1.TokenRequest) bool, options ...client.ListOption) []types.NamespacedName {
	var list stsv1alpha1.TokenRequestList
	options = append(options, client.InNamespace(namespace), client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)
	if err := r.Client.List(ctx, &list, options...); err != nil {
		log.FromContext(ctx).Error(err, "Listing TokenRequests from the cache")
	}
	var names []types.NamespacedName
	for i := range list.Items {
		if wanted(&list.Items[i]) {
			names = append(names, client.ObjectKeyFromObject(&list.Items[i]))
		}
	}
	return names
}

// loading is a source without events. A controller starts its sources once it leads and waits for
// them before its first reconcile, which is just when the gates have to be restored.
type loading struct {
	store GateStore
}

// Start does nothing: there is nothing to listen to.
func (l *loading) Start(context.Context, workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	return nil
}

// loadRetry is the time between two tries to restore the gates.
const loadRetry = time.Second

// WaitForSync restores the gates. It tries until it succeeds or the controller gives up on its
// sources: without the gates there must be no call.
func (l *loading) WaitForSync(ctx context.Context) error {
	return wait.PollUntilContextCancel(ctx, loadRetry, true, func(ctx context.Context) (bool, error) {
		err := l.store.Load(ctx)
		if err != nil {
			log.FromContext(ctx).Error(err, "Loading the throttle gates")
		}
		return err == nil, nil
	})
}
