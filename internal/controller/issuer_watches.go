// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
)

// IssuerKey names an issuer of either kind; that of a cluster has no namespace.
type IssuerKey struct {
	Kind stsv1alpha1.IssuerKind
	types.NamespacedName
}

// queue is what a controller hands to its sources.
type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// IssuerQueues wake issuers: by what changed in a Secret, of which the requests' controller hears, and
// by a discovery that has landed. Make it with NewIssuerQueues; it is safe for concurrent use.
type IssuerQueues struct {
	mu     sync.Mutex
	queues map[stsv1alpha1.IssuerKind]queue
}

// NewIssuerQueues returns queues that no controller has opened yet.
func NewIssuerQueues() *IssuerQueues {
	return &IssuerQueues{queues: map[stsv1alpha1.IssuerKind]queue{}}
}

// Wake has an issuer looked at. Before its controller has started, nothing needs to be woken: the
// controller begins with every issuer there is.
func (q *IssuerQueues) Wake(issuer IssuerKey) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if opened, ok := q.queues[issuer.Kind]; ok {
		opened.Add(reconcile.Request{NamespacedName: issuer.NamespacedName})
	}
}

// source is a source without events of its own: it opens the queue.
func (q *IssuerQueues) source(kind stsv1alpha1.IssuerKind) source.Source {
	return source.Func(func(_ context.Context, opened queue) error {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.queues[kind] = opened
		return nil
	})
}

func issuerIndexKey(kind stsv1alpha1.IssuerKind, name string) string {
	return string(kind) + "/" + name
}

// indexKeys are references as keys of an index.
func indexKeys(refs []credential.Reference) []string {
	keys := make([]string, len(refs))
	for i, ref := range refs {
		keys[i] = ref.String()
	}
	return keys
}

// specChanged lets pass what may make a difference: an issuer's own status is no reason to look at it. One that was made
// anew while nobody watched comes as a change of the one before, and both are of generation 1.
func specChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetUID() != e.ObjectNew.GetUID() || e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration()
	}}
}

// servedKinds are the kinds of issuer that this operator serves.
func (r *Reconciler) servedKinds() []issuer {
	if r.OperatorNamespace == "" {
		return []issuer{&stsv1alpha1.TokenIssuer{}}
	}
	return []issuer{&stsv1alpha1.TokenIssuer{}, &stsv1alpha1.ClusterTokenIssuer{}}
}

func (r *Reconciler) indexIssuers(ctx context.Context, mgr ctrl.Manager) error {
	for _, kind := range r.servedKinds() {
		err := mgr.GetFieldIndexer().IndexField(ctx, kind, indexReferences, func(o client.Object) []string {
			return indexKeys(credential.References(o.(issuer).Issuer()))
		})
		if err != nil {
			return fmt.Errorf("indexing %T by references: %w", kind, err)
		}
	}
	return nil
}

// watchIssuers has requests woken by their issuer's spec, and those of a ClusterTokenIssuer by the
// labels of their namespace. What the operator writes into an issuer's status wakes nobody.
func (r *Reconciler) watchIssuers(b *builder.Builder) {
	for _, kind := range r.servedKinds() {
		b.Watches(kind, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
			return asRequests(r.requestsOf(ctx, keyOf(o.(issuer))))
		}), builder.WithPredicates(specChanged()))
	}
	if r.OperatorNamespace == "" {
		return
	}
	namespaces := &metav1.PartialObjectMetadata{}
	namespaces.SetGroupVersionKind(namespaceKind())
	b.Watches(namespaces, handler.EnqueueRequestsFromMapFunc(r.requestsOfNamespace), builder.WithPredicates(predicate.LabelChangedPredicate{}))
}

func namespaceKind() schema.GroupVersionKind { return corev1.SchemeGroupVersion.WithKind("Namespace") }

// requestsOfNamespace are the requests of a namespace that a ClusterTokenIssuer serves, or might.
func (r *Reconciler) requestsOfNamespace(ctx context.Context, namespace client.Object) []reconcile.Request {
	return asRequests(r.list(ctx, namespace.GetName(), func(request *stsv1alpha1.TokenRequest) bool {
		ref := request.Spec.IssuerRef
		return ref != nil && ref.Kind == stsv1alpha1.IssuerKindClusterTokenIssuer
	}))
}

// requestsOf are the requests that refer to an issuer: in its namespace, or in all.
func (r *Reconciler) requestsOf(ctx context.Context, issuer IssuerKey) []types.NamespacedName {
	return r.indexed(ctx, indexIssuer, issuerIndexKey(issuer.Kind, issuer.Name), issuer.Namespace)
}

func asRequests(names []types.NamespacedName) []reconcile.Request {
	requests := make([]reconcile.Request, len(names))
	for i, name := range names {
		requests[i].NamespacedName = name
	}
	return requests
}

// issuersReferringTo are the issuers that a change of an object concerns. The references of a
// ClusterTokenIssuer are in the operator's namespace.
func (r *Reconciler) issuersReferringTo(ctx context.Context, ref credential.Reference, namespace string) []IssuerKey {
	refersTo := client.MatchingFields{indexReferences: ref.String()}
	keys := r.issuers(ctx, &stsv1alpha1.TokenIssuerList{}, refersTo, client.InNamespace(namespace))
	if r.OperatorNamespace != "" && r.OperatorNamespace == namespace {
		keys = append(keys, r.issuers(ctx, &stsv1alpha1.ClusterTokenIssuerList{}, refersTo)...)
	}
	return keys
}

func (r *Reconciler) allIssuers(ctx context.Context) []IssuerKey {
	keys := r.issuers(ctx, &stsv1alpha1.TokenIssuerList{})
	if r.OperatorNamespace != "" {
		keys = append(keys, r.issuers(ctx, &stsv1alpha1.ClusterTokenIssuerList{})...)
	}
	return keys
}

// issuers reads names from the cache, in place: nothing of what it is handed is kept or changed.
func (r *Reconciler) issuers(ctx context.Context, list client.ObjectList, options ...client.ListOption) []IssuerKey {
	options = append(options, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)
	if err := r.Client.List(ctx, list, options...); err != nil {
		log.FromContext(ctx).Error(err, "Listing issuers from the cache")
		return nil
	}
	var keys []IssuerKey
	switch list := list.(type) {
	case *stsv1alpha1.TokenIssuerList:
		for i := range list.Items {
			keys = append(keys, keyOf(&list.Items[i]))
		}
	case *stsv1alpha1.ClusterTokenIssuerList:
		for i := range list.Items {
			keys = append(keys, keyOf(&list.Items[i]))
		}
	}
	return keys
}
