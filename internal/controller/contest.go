// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	all, err := r.wanting(ctx, types.NamespacedName{Namespace: request.Namespace, Name: request.SecretName()})
	if err != nil {
		return "", err
	}
	first := request
	for _, other := range all {
		if other.DeletionTimestamp.IsZero() && precedes(other, first) {
			first = other
		}
	}
	if first.UID == request.UID {
		return "", nil
	}
	return first.Name, nil
}

// wanting are the requests that want a Secret, which are shared: they may only be read. One that has its
// name is found by that, and the others by an index, which is empty in most clusters.
func (r *Reconciler) wanting(ctx context.Context, secret types.NamespacedName) ([]*stsv1alpha1.TokenRequest, error) {
	var others stsv1alpha1.TokenRequestList
	err := r.Client.List(ctx, &others, client.InNamespace(secret.Namespace), client.MatchingFields{indexSecretName: secret.Name},
		client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)
	if err != nil {
		return nil, fmt.Errorf("listing the TokenRequests for Secret %s: %w", secret, err)
	}
	var all []*stsv1alpha1.TokenRequest
	for i := range others.Items {
		all = append(all, &others.Items[i])
	}
	namesake := &stsv1alpha1.TokenRequest{}
	switch err := r.Client.Get(ctx, secret, namesake, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency); {
	case apierrors.IsNotFound(err):
		return all, nil
	case err != nil:
		return nil, fmt.Errorf("reading the TokenRequest that is named as Secret %s: %w", secret, err)
	case namesake.SecretName() == secret.Name:
		all = append(all, namesake)
	}
	return all, nil
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
		for _, rival := range r.wantersOf(ctx, types.NamespacedName{Namespace: o.GetNamespace(), Name: o.(*stsv1alpha1.TokenRequest).SecretName()}) {
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
	namespace, err := r.namespace(ctx, a.request.Namespace)
	return err == nil && (namespace == nil || !namespace.DeletionTimestamp.IsZero()), err
}
