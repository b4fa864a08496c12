// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/secret"
)

// rival names the request that a free Secret name goes to before this one, or "".
func (r *Reconciler) rival(ctx context.Context, request *stsv1alpha1.TokenRequest) (string, error) {
	var all stsv1alpha1.TokenRequestList
	if err := r.Client.List(ctx, &all, client.InNamespace(request.Namespace),
		client.MatchingFields{indexSecretName: request.SecretName()}, client.DisableReadYourWritesConsistency); err != nil {
		return "", fmt.Errorf("listing the TokenRequests for Secret %s: %w", request.SecretName(), err)
	}
	for i := range all.Items {
		other := &all.Items[i]
		if other.UID != request.UID && other.DeletionTimestamp.IsZero() && precedes(other, request) {
			return other.Name, nil
		}
	}
	return "", nil
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

// dropFormer deletes the Secret that this request wrote under the name it had before, now that the
// new one holds a token. Only a Secret that is this request's own goes.
func (r *Reconciler) dropFormer(ctx context.Context, a *attempt) error {
	token := a.request.Status.Token
	if token == nil || token.SecretName == "" || token.SecretName == a.request.SecretName() {
		return nil
	}
	former := types.NamespacedName{Namespace: a.request.Namespace, Name: token.SecretName}
	s := &corev1.Secret{}
	if err := r.Client.Get(ctx, former, s); err != nil {
		return client.IgnoreNotFound(err)
	}
	if secret.Hold(a.request, s).State != secret.Ours {
		return nil
	}
	err := r.Client.Delete(ctx, s, client.Preconditions{UID: &s.UID})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("deleting the former Secret %s: %w", former, err)
	}
	return nil
}
