// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package secret renders a token into a Secret, and reads from a Secret what it holds.
//
// The Secret is the record of the token: its annotations say when the token was asked for, when it
// dies, when it is due, and what it was asked for. They are written in the same request as the
// token, so that neither a crash nor a lost status costs a call to the STS.
package secret

import (
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/sts"
)

// Plan is what the operator adds to a token when it writes it down.
type Plan struct {
	// RefreshAt is when the token is due to be replaced.
	RefreshAt time.Time
	// RefreshBefore is the wish of the spec that it was planned by, zero for none.
	RefreshBefore time.Duration
	// Inputs is the hash of what the token was asked for, see Inputs.
	Inputs string
	// Presented is a versioned hash of which credential the token was asked with, empty for none.
	Presented string
}

// NewRecord is the record of a token that the STS has just given.
func NewRecord(token *sts.Token, plan Plan) Record {
	return Record{
		IssuedAt:        token.IssuedAt,
		ExpiresAt:       token.ExpiresAt,
		RefreshAt:       plan.RefreshAt,
		RefreshBefore:   plan.RefreshBefore,
		Inputs:          plan.Inputs,
		Presented:       plan.Presented,
		TokenType:       token.TokenType,
		IssuedTokenType: token.IssuedTokenType,
		Scope:           token.Scope,
		ScopeSaid:       token.ScopeSaid && token.Scope != "",
	}
}

// Render is the Secret that a request wants, as a server-side-apply configuration. Its precondition
// comes from holding, so that no Secret that isn't the request's own is ever merged into.
func Render(request *stsv1alpha1.TokenRequest, holding Holding, body Body, record Record) *corev1ac.SecretApplyConfiguration {
	annotations := map[string]string{}
	wanted := tokenSecret(request)
	for k, v := range wanted.Annotations {
		annotations[k] = string(v)
	}
	maps.Copy(annotations, record.annotations())
	maps.Copy(annotations, body.annotations())
	annotations[stsv1alpha1.AnnotationMetadata] = metadataHash(wanted)
	annotations[stsv1alpha1.AnnotationContent] = record.sealed(body.Data)
	if hash := shapeHash(wanted); hash != "" {
		annotations[stsv1alpha1.AnnotationShape] = hash
	}

	secret := corev1ac.Secret(request.SecretName(), request.Namespace).
		WithLabels(holding.labels(wanted)).
		WithAnnotations(annotations).
		WithData(body.Data)
	switch holding.State {
	case Free:
		// The API server answers 409 to this when anything of that name exists: one write, no
		// read, and no merge into a stranger's Secret. "0" doesn't protect.
		secret.WithResourceVersion("1")
	case Ours, Inherited, Consenting:
		secret.WithUID(holding.Secret.UID)
	case Foreign:
		panic("rendering into Secret " + request.SecretName() + ", which isn't the request's")
	}
	if holding.State == Consenting {
		return secret // its maker keeps ownership and type
	}
	return secret.WithType(Type(request)).WithOwnerReferences(applyOwner(Owner(request)))
}

// labels are those that the Secret is to carry. Who manages a Secret of somebody else's isn't ours to
// say: Helm and others tell by that label what is theirs.
func (h Holding) labels(wanted *stsv1alpha1.TokenSecret) map[string]string {
	labels := map[string]string{}
	for k, v := range wanted.Labels {
		labels[k] = string(v)
	}
	labels[stsv1alpha1.LabelManaged] = stsv1alpha1.LabelManagedValue
	if h.State != Consenting {
		labels[stsv1alpha1.LabelManagedBy] = stsv1alpha1.FieldManager
	}
	return labels
}

// Type is the type of Secret that a request wants.
func Type(request *stsv1alpha1.TokenRequest) corev1.SecretType {
	if wanted := tokenSecret(request); wanted.Type != "" {
		return corev1.SecretType(wanted.Type)
	}
	return corev1.SecretTypeOpaque
}

// tokenSecret is spec.secret, or its zero value where it is absent.
func tokenSecret(request *stsv1alpha1.TokenRequest) *stsv1alpha1.TokenSecret {
	if request.Spec.Secret == nil {
		return &stsv1alpha1.TokenSecret{}
	}
	return request.Spec.Secret
}

// Owner makes the garbage collector delete the Secret with the request. There is no
// blockOwnerDeletion: nothing of ours holds up a deletion (external-secrets#6677).
func Owner(request *stsv1alpha1.TokenRequest) metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: stsv1alpha1.GroupVersion.String(),
		Kind:       "TokenRequest",
		Name:       request.Name,
		UID:        request.UID,
		Controller: new(true),
	}
}

func applyOwner(o metav1.OwnerReference) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion(o.APIVersion).
		WithKind(o.Kind).
		WithName(o.Name).
		WithUID(o.UID).
		WithController(*o.Controller)
}
