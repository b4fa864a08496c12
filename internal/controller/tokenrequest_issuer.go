// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
	"tokenrequest.dev/operator/internal/secret"
)

// choice is which issuer serves a request, and where its references are looked up.
type choice struct {
	issuer *stsv1alpha1.IssuerSpec // nil while it is missing
	site   credential.Site
	// realm is the tenancy domain: no key of one meets a key of another's.
	realm string
	// inputs is what is asked of the issuer; empty while that is missing.
	inputs string
	// denied is why the issuer doesn't serve the request, goOn when it does.
	denied outcome
}

// choose finds the issuer. What it denies is concluded later, by refuse: a token in the Secret stays
// good until it expires, and only whoever has seen the Secret can say so.
func (r *Reconciler) choose(ctx context.Context, a *attempt) (outcome, error) {
	ref := a.request.Spec.IssuerRef
	if ref == nil {
		return outcome{}, nil // newAttempt has taken it from the request
	}
	a.realm = a.referredTo().realm()
	if ref.Kind == stsv1alpha1.IssuerKindClusterTokenIssuer {
		return outcome{}, r.chooseForCluster(ctx, a, string(ref.Name))
	}
	return outcome{}, r.chooseOfNamespace(ctx, a, string(ref.Name))
}

// refuse ends an attempt that no issuer serves. A call that waits for its turn is taken back; one that has left
// is still this request's, and what follows it waits for it.
func (r *Reconciler) refuse(_ context.Context, a *attempt) (outcome, error) {
	if a.denied.kind != goOn {
		r.Flights.Withdraw(a.key())
	}
	return a.denied, nil
}

func (r *Reconciler) chooseOfNamespace(ctx context.Context, a *attempt, name string) error {
	issuer := &stsv1alpha1.TokenIssuer{}
	found, err := r.find(ctx, types.NamespacedName{Namespace: a.request.Namespace, Name: name}, issuer)
	if err != nil {
		return err
	}
	if !found {
		a.denied = a.issuerMissing()
		return nil
	}
	a.take(&issuer.Spec, a.request.Namespace)
	a.denied = a.unfit()
	return nil
}

func (r *Reconciler) chooseForCluster(ctx context.Context, a *attempt, name string) error {
	if r.OperatorNamespace == "" {
		a.denied = notReady("This operator serves single namespaces (--watch-namespaces), and no ClusterTokenIssuer. Write a TokenIssuer into namespace %s, and name it in spec.issuerRef.", a.request.Namespace)
		return nil
	}
	issuer := &stsv1alpha1.ClusterTokenIssuer{}
	found, err := r.find(ctx, types.NamespacedName{Name: name}, issuer)
	if err != nil {
		return err
	}
	if !found {
		a.denied = a.issuerMissing()
		return nil
	}
	namespace, err := r.namespace(ctx, a.request.Namespace)
	if err != nil {
		return err
	}
	var has labels.Set
	if namespace != nil {
		has = namespace.Labels
	}
	a.take(&issuer.Spec.IssuerSpec, r.OperatorNamespace)
	a.denied = a.servedBy(issuer, has)
	return nil
}

// namespace is the metadata of a namespace, from the cache or, when that has none, from the API server;
// nil when there is none. A request may be heard of before its new namespace, and outlive, in the cache, one that is
// gone. The operator may list namespaces, for its watch, and not get them: a list of one says the same.
func (r *Reconciler) namespace(ctx context.Context, name string) (*metav1.PartialObjectMetadata, error) {
	cached := &metav1.PartialObjectMetadata{}
	cached.SetGroupVersionKind(namespaceKind())
	err := r.Client.Get(ctx, types.NamespacedName{Name: name}, cached)
	if err == nil {
		return cached, nil
	}
	if !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("reading namespace %s: %w", name, err)
	}
	live := &metav1.PartialObjectMetadataList{}
	live.SetGroupVersionKind(namespaceKind())
	if err := r.Live.List(ctx, live, client.MatchingFields{metav1.ObjectNameField: name}); err != nil {
		return nil, fmt.Errorf("listing namespace %s: %w", name, err)
	}
	if len(live.Items) == 0 {
		return nil, nil
	}
	return &live.Items[0], nil
}

// find reads an object from the cache, and from the API server when the cache has none: of an issuer
// and a request that were applied together, the request may be heard of first.
func (r *Reconciler) find(ctx context.Context, key types.NamespacedName, into client.Object) (bool, error) {
	for _, reader := range []client.Reader{r.Client, r.Live} {
		err := reader.Get(ctx, key, into)
		if err == nil {
			return true, nil
		}
		if !apierrors.IsNotFound(err) {
			return false, fmt.Errorf("reading %T %s: %w", into, key, err)
		}
	}
	return false, nil
}

// take makes an issuer the attempt's. Its references are looked up in its namespace, those of the
// grant always in the request's.
func (a *attempt) take(issuer *stsv1alpha1.IssuerSpec, namespace string) {
	a.issuer = issuer
	a.inputs = secret.Inputs(issuer, &a.request.Spec)
	a.site = credential.Site{Issuer: a.issuerName() + " spec", IssuerNamespace: namespace, Namespace: a.request.Namespace}
}

// issuerName is the issuer as people find it.
func (a *attempt) issuerName() string {
	if a.request.Spec.IssuerRef == nil {
		return "spec.issuer"
	}
	return a.referredTo().String()
}

// referredTo is the issuer that a request with an issuerRef names.
func (a *attempt) referredTo() IssuerKey {
	ref := a.request.Spec.IssuerRef
	key := IssuerKey{Kind: ref.Kind, NamespacedName: types.NamespacedName{Namespace: a.request.Namespace, Name: string(ref.Name)}}
	if ref.Kind == stsv1alpha1.IssuerKindClusterTokenIssuer {
		key.Namespace = ""
	}
	return key
}

// servedBy says why a ClusterTokenIssuer doesn't serve the request: whom it serves comes first, and
// tells a namespace that it doesn't serve nothing of what it allows.
func (a *attempt) servedBy(issuer *stsv1alpha1.ClusterTokenIssuer, namespace labels.Set) outcome {
	selector, err := metav1.LabelSelectorAsSelector(issuer.Spec.NamespaceSelector)
	switch {
	case err != nil:
		return notReady("%s has a spec.namespaceSelector that can't be read, and serves nobody. Have its owner correct that.", a.issuerName())
	case !selector.Matches(namespace):
		return notAllowed(fmt.Sprintf("%s doesn't serve namespace %s. Have its owner select that namespace by its labels in spec.namespaceSelector, or use another issuer.",
			a.issuerName(), a.request.Namespace))
	}
	if message := refusedBy(a.issuerName(), issuer.Spec.Allow, &a.request.Spec); message != "" {
		return notAllowed(message)
	}
	return a.unfit()
}

// unfit says what an issuer lacks for the grant. Of an issuer in the request's own spec the schema says
// the same; it can't follow a reference.
func (a *attempt) unfit() outcome {
	switch grantOf(&a.request.Spec) {
	case stsv1alpha1.GrantClientCredentials, stsv1alpha1.GrantOnBehalfOf:
		if a.issuer.Credential == nil {
			return outcome{kind: blocked, reason: stsv1alpha1.ReasonCredentialRequired, message: fmt.Sprintf(
				"%s has no credential, and a client without one may use neither ClientCredentials nor OnBehalfOf (RFC 6749 section 4.4). Set its spec.credential, or use another grant.", a.issuerName())}
		}
	case stsv1alpha1.GrantDeviceCode:
		if a.issuer.Authority == "" && a.issuer.DeviceAuthorizationEndpoint == "" {
			return notReady("%s has no deviceAuthorizationEndpoint, and no authority to discover it. Set one of them in its spec: DeviceCode begins there (RFC 8628 section 3.1).", a.issuerName())
		}
	default:
	}
	return outcome{}
}

func (a *attempt) issuerMissing() outcome {
	return notReady("%s doesn't exist. Create it, or correct spec.issuerRef; the request goes on by itself.", a.issuerName())
}

func notReady(format string, args ...any) outcome {
	return outcome{kind: blocked, reason: stsv1alpha1.ReasonIssuerNotReady, message: fmt.Sprintf(format, args...)}
}

func notAllowed(message string) outcome {
	return outcome{kind: blocked, reason: stsv1alpha1.ReasonIssuerNotAllowed, message: message}
}

// unchanged says, while the issuer is missing and nobody can know what would be asked of it, that the
// last look found a token that matches this very spec: nothing says that it doesn't any more. A token
// that has expired meanwhile did match.
func (a *attempt) unchanged() bool {
	told := meta.FindStatusCondition(a.request.Status.Conditions, stsv1alpha1.ConditionReady)
	return told != nil && told.ObservedGeneration == a.request.Generation &&
		(told.Status == metav1.ConditionTrue || told.Reason == stsv1alpha1.ReasonTokenExpired)
}
