// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"tokenrequest.dev/operator/internal/secret"
)

// formerSecret is the name of the Secret that the request wrote last, where the spec names another one
// now, or "".
func (a *attempt) formerSecret() string {
	token := a.request.Status.Token
	if token == nil || token.SecretName == a.request.SecretName() {
		return ""
	}
	return token.SecretName
}

// former takes in the Secret under the name that the spec had before. The cache isn't asked: it may
// not know of an owner who was taken away, and doesn't have what lost its label.
func (r *Reconciler) former(ctx context.Context, a *attempt) (secret.Holding, error) {
	name := a.formerSecret()
	if name == "" {
		return secret.Holding{}, nil
	}
	return r.holdingOf(ctx, r.Live, a.request, types.NamespacedName{Namespace: a.request.Namespace, Name: name})
}

// move writes the token that is there under the former name under the new one: a rename costs no call,
// and succeeds while the STS is down. Whether the token is due is asked again then.
func (r *Reconciler) move(ctx context.Context, a *attempt) (outcome, error) {
	if a.content.Intact {
		return outcome{}, nil
	}
	former, err := r.former(ctx, a)
	if err != nil || former.State != secret.Ours {
		return outcome{}, err
	}
	there := *a
	there.hold(former)
	if !there.matches() || !there.fits() || there.expired() {
		return outcome{}, nil
	}
	body, err := there.body()
	if err != nil {
		return unwritable(err), nil
	}
	if o, err := r.apply(ctx, a, body, there.content.Record); err != nil || o.kind != goOn {
		return o, err
	}
	log.FromContext(ctx).Info("Moved token", "from", former.Secret.Name, "secret", a.request.SecretName())
	if err := r.look(ctx, r.Client, a); err != nil {
		return outcome{}, err
	}
	return r.decide(ctx, a)
}

// dropFormer deletes the Secret that this request wrote under the name it had before, now that the
// new one holds a valid token. Only a Secret that is still this request's own goes, and not where its refresh token
// is kept by now.
func (r *Reconciler) dropFormer(ctx context.Context, a *attempt) error {
	if a.chained() && a.formerSecret() == secret.StoreName(a.request) {
		return nil
	}
	former, err := r.former(ctx, a)
	if err != nil || former.State != secret.Ours {
		return err
	}
	s := former.Secret
	// Whoever changes it meanwhile may have taken it over: then it is looked at again. It was read past the cache, which
	// may not have it: nobody is to wait until the cache has seen the end of it.
	err = r.Client.Delete(ctx, s, client.Preconditions{UID: &s.UID, ResourceVersion: &s.ResourceVersion}, client.DisableReadYourWritesConsistency)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting the former Secret %s: %w", client.ObjectKeyFromObject(s), err)
	}
	return nil
}
