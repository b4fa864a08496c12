// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// rival names the request that a free Secret name goes to before this one, or "".
func (r *Reconciler) rival(ctx context.Context, request *stsv1alpha1.TokenRequest) (string, error) {
	var all stsv1alpha1.TokenRequestList
	if err := r.Client.List(ctx, &all, client.InNamespace(request.Namespace),
		client.MatchingFields{indexSecretName: request.SecretName()}, client.DisableReadYourWritesConsistency); err != nil {
		return "", fmt.Errorf("listing the TokenRequests for Secret %s: %w", request.SecretName(), err)
	}
	first := request
	for i := range all.Items {
		if other := &all.Items[i]; other.DeletionTimestamp.IsZero() && precedes(other, first) {
			first = other
		}
	}
	if first.UID == request.UID {
		return "", nil
	}
	return first.Name, nil
}

// precedes says which of two requests a free name goes to: to the one that held the Secret before
// somebody deleted it, else to the elder, else to the smaller UID.
func precedes(a, b *stsv1alpha1.TokenRequest) bool {
	if held := heldSecret(a); held != heldSecret(b) {
		return held
	}
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.UID, b.UID)) < 0
}

func heldSecret(request *stsv1alpha1.TokenRequest) bool {
	return request.Status.Token != nil && request.Status.Token.SecretName == request.SecretName()
}

// yields says that a request gives up a Secret's name: it goes, or it names another one.
func yields(before, after *stsv1alpha1.TokenRequest) bool {
	return before.SecretName() != after.SecretName() || before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero()
}

// wakeRivals has those look again who wait for a name that a request gives up. Where it had made its
// Secret, the end of that wakes them too; a name that nobody has written yet leaves no other trace.
func (r *Reconciler) wakeRivals() handler.EventHandler {
	wake := func(ctx context.Context, o client.Object, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		for _, rival := range r.indexed(ctx, indexSecretName, o.(*stsv1alpha1.TokenRequest).SecretName(), o.GetNamespace()) {
			q.Add(reconcile.Request{NamespacedName: rival})
		}
	}
	return handler.Funcs{
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			if yields(e.ObjectOld.(*stsv1alpha1.TokenRequest), e.ObjectNew.(*stsv1alpha1.TokenRequest)) {
				wake(ctx, e.ObjectOld, q)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			wake(ctx, e.Object, q)
		},
	}
}

// namespaceEnds says that the request's namespace is being deleted: its Secrets may go before the
// request does, and a token that is asked for in their place could be written nowhere. An operator
// that serves single namespaces may not look, and learns it from the refused write.
func (r *Reconciler) namespaceEnds(ctx context.Context, a *attempt) (bool, error) {
	if r.OperatorNamespace == "" {
		return false, nil
	}
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(namespaceKind())
	_, err := r.find(ctx, types.NamespacedName{Name: a.request.Namespace}, namespace)
	return !namespace.DeletionTimestamp.IsZero(), err
}
