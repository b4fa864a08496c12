// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// State is whose a Secret is, as a request sees it.
type State int

// The states.
const (
	// Free: nothing of that name exists.
	Free State = iota
	// Ours: the request owns it.
	Ours
	// Inherited: a request of the same name owned it and is gone; its Secret passes on.
	Inherited
	// Consenting: somebody else's, and it names the request in its annotation adoptable-by. Who
	// controls it doesn't matter, since we take no ownership, unless that is another TokenRequest.
	Consenting
	// Foreign: somebody else's, never to be touched.
	Foreign
)

// Holding is a Secret under the name that a request wants, and whose it is. The zero value is a
// free name.
type Holding struct {
	State State
	// Secret is nil when the name is free.
	Secret *corev1.Secret
}

// Format writes state and name, whatever the verb: fmt would write the data.
func (h Holding) Format(f fmt.State, _ rune) {
	text, _ := h.MarshalText()
	_, _ = f.Write(text)
}

// MarshalText returns state and name, for logs. It returns no error.
func (h Holding) MarshalText() ([]byte, error) {
	if h.Secret == nil {
		return fmt.Appendf(nil, "state %d, no Secret", h.State), nil
	}
	return fmt.Appendf(nil, "state %d, Secret %s/%s", h.State, h.Secret.Namespace, h.Secret.Name), nil
}

// Hold finds out whose a Secret is. A nil Secret is a free name.
func Hold(request *stsv1alpha1.TokenRequest, s *corev1.Secret) Holding {
	if s == nil {
		return Holding{State: Free}
	}
	h := Holding{State: Foreign, Secret: s}
	controller := metav1.GetControllerOf(s)
	switch {
	case controller != nil && controller.UID == request.UID:
		h.State = Ours
	case controller != nil && isTokenRequest(controller):
		if controller.Name == request.Name {
			h.State = Inherited
		}
	case s.Annotations[stsv1alpha1.AnnotationAdoptableBy] == request.Name:
		h.State = Consenting
	}
	return h
}

func isTokenRequest(ref *metav1.OwnerReference) bool {
	return ref.Kind == "TokenRequest" && strings.HasPrefix(ref.APIVersion, stsv1alpha1.Group+"/")
}

// Refusal says, of a Foreign Secret, whose it is and what to do, in words for a condition.
func (h Holding) Refusal(request *stsv1alpha1.TokenRequest) string {
	controller := metav1.GetControllerOf(h.Secret)
	if controller != nil && isTokenRequest(controller) {
		return HeldByRequest(h.Secret.Name, controller.Name)
	}
	return fmt.Sprintf("Secret %s belongs to %s. Choose another spec.secret.name, or delete that Secret, or annotate it with %s: %s.",
		h.Secret.Name, h.Holder(), stsv1alpha1.AnnotationAdoptableBy, request.Name)
}

// HeldByRequest says that a name is another request's, and how it gets free: by consent it doesn't,
// since two requests in one Secret would overwrite each other's tokens for ever.
func HeldByRequest(name, holder string) string {
	return fmt.Sprintf("Secret %s belongs to TokenRequest %s. Choose another spec.secret.name, or have TokenRequest %s give it up: delete that, or have it name a Secret that is free.",
		name, holder, holder)
}

// Holder says, for a Foreign Secret, who has it.
func (h Holding) Holder() string {
	if controller := metav1.GetControllerOf(h.Secret); controller != nil {
		return fmt.Sprintf("%s %s", controller.Kind, controller.Name)
	}
	return "somebody else"
}

// reservedTypes are the types that spec.secret.type can't have either, nor config/policy lets pass.
var reservedTypes = []corev1.SecretType{corev1.SecretTypeServiceAccountToken, corev1.SecretTypeBootstrapToken, "helm.sh/release.v1"}

// Unusable says why a Secret that we may write can't take what the request wants, and what to do;
// it is empty when nothing is in the way. A type can't change in place, and deleting the Secret to
// change it would leave pods without a token (vault-secrets-operator does that).
func (h Holding) Unusable(request *stsv1alpha1.TokenRequest) string {
	switch {
	case h.Secret == nil:
		return ""
	case h.Secret.Immutable != nil && *h.Secret.Immutable:
		return fmt.Sprintf("Secret %s is immutable. Delete it, or choose another spec.secret.name.", h.Secret.Name)
	case slices.Contains(reservedTypes, h.Secret.Type):
		return fmt.Sprintf("Secret %s has the type %s, on which Kubernetes or Helm acts, so nothing is written there. Choose another spec.secret.name.", h.Secret.Name, h.Secret.Type)
	case h.State != Consenting && h.Secret.Type != Type(request):
		return fmt.Sprintf("Secret %s has the type %s, and Kubernetes can't change it to %s in place. Choose another spec.secret.name, or delete the Secret when no pod needs it.",
			h.Secret.Name, h.Secret.Type, Type(request))
	}
	return ""
}

// Content is what a Secret holds, judged against what a request wants. The zero value is no token.
type Content struct {
	// Record is meaningful only when Intact.
	Record Record
	// Intact: the record can be read, and data and record are as they were written.
	Intact bool
	// Shaped: the token stands in the keys, and the Secret has the type, that the request wants.
	Shaped bool
	// Dressed: labels, annotations and owner are as the request wants them.
	Dressed bool
}

// Inspect reads what a Secret holds. A name that is free or foreign holds no token of ours.
func (h Holding) Inspect(request *stsv1alpha1.TokenRequest) Content {
	if h.State == Free || h.State == Foreign {
		return Content{}
	}
	record, intact := h.record()
	if !intact {
		return Content{}
	}
	return Content{Record: record, Intact: true, Shaped: h.shaped(request), Dressed: h.dressed(request)}
}

// record is that of the token in the Secret, and whether Secret and record are as they were written.
//
// Server-side apply leaves an annotation that we don't write and somebody else does. Taken for ours, an
// expires-at would have each new token of unknown lifetime die at once, for ever; so an expiry and a
// scope that the hash doesn't vouch for count as never said.
func (h Holding) record() (Record, bool) {
	if h.Stripped() {
		return h.strippedRecord(), true
	}
	record, readable := ReadRecord(h.Secret)
	body := h.Body()
	if !readable || len(body.Data) == 0 || joinKeys(body.Data) != h.Secret.Annotations[stsv1alpha1.AnnotationKeys] {
		return Record{}, false
	}
	written := h.Secret.Annotations[stsv1alpha1.AnnotationContent]
	for _, r := range []Record{record, record.without(true, false), record.without(false, true), record.without(true, true)} {
		if SameHash(written, r.sealed(body.Data)) {
			return r, true
		}
	}
	return Record{}, false
}

func (h Holding) shaped(request *stsv1alpha1.TokenRequest) bool {
	if h.State != Consenting && h.Secret.Type != Type(request) {
		return false
	}
	return SameHash(h.Secret.Annotations[stsv1alpha1.AnnotationShape], shapeHash(tokenSecret(request)))
}

func (h Holding) dressed(request *stsv1alpha1.TokenRequest) bool {
	if h.State == Inherited {
		return false
	}
	s := h.Secret
	wanted := tokenSecret(request)
	for k, v := range h.labels(wanted) {
		if has, there := s.Labels[k]; !there || has != v {
			return false
		}
	}
	for k, v := range wanted.Annotations {
		if has, there := s.Annotations[k]; !there || has != string(v) {
			return false
		}
	}
	// A label or annotation that the spec no longer wants shows in the hash alone.
	return SameHash(s.Annotations[stsv1alpha1.AnnotationMetadata], metadataHash(wanted))
}
