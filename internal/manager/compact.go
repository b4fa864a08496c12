// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"encoding/json"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/secret"
)

// compactor makes of each object what the caches keep: what the controllers read and no more, with one
// copy of what many objects say alike. Of 10,000 requests and their Secrets that is a third. What it
// returns shares memory, and may only be read; a client's Get copies it. It is safe for concurrent use.
type compactor struct {
	stripManaged func(any) (any, error)

	mu      sync.Mutex
	texts   map[string]string
	labels  map[string]map[string]string
	issuers map[string]*stsv1alpha1.IssuerSpec
}

// Bounds of the pools, so that a tenant who makes ever new objects fills some 25 MiB and not the memory.
// One that is full is emptied: what is out there stays shared. What is longer isn't shared.
const (
	mostShared    = 2048
	longestShared = 2 << 10 // of a key in a pool, in bytes
)

func newCompactor() *compactor {
	return &compactor{
		stripManaged: cache.TransformStripManagedFields(),
		texts:        map[string]string{},
		labels:       map[string]map[string]string{},
		issuers:      map[string]*stsv1alpha1.IssuerSpec{},
	}
}

// Transform is a TransformFunc of client-go's.
func (c *compactor) Transform(object any) (any, error) {
	object, err := c.stripManaged(object)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch o := object.(type) {
	case *corev1.Secret:
		return c.secret(secret.Strip(o)), nil
	case *stsv1alpha1.TokenRequest:
		return c.request(o.DeepCopy()), nil // a decoder's slices have room that nobody needs
	default:
		return object, nil
	}
}

func (c *compactor) secret(s *corev1.Secret) *corev1.Secret {
	c.meta(&s.ObjectMeta)
	s.Type = corev1.SecretType(c.text(string(s.Type)))
	return s
}

func (c *compactor) request(r *stsv1alpha1.TokenRequest) *stsv1alpha1.TokenRequest {
	r.Kind, r.APIVersion = c.text(r.Kind), c.text(r.APIVersion)
	c.meta(&r.ObjectMeta)
	r.Spec.Issuer = c.issuer(r.Spec.Issuer)
	for i, scope := range r.Spec.Scopes {
		r.Spec.Scopes[i] = stsv1alpha1.Scope(c.text(string(scope)))
	}
	for i := range r.Status.Conditions {
		condition := &r.Status.Conditions[i]
		condition.Type, condition.Reason, condition.Message = c.text(condition.Type), c.text(condition.Reason), c.text(condition.Message)
		condition.Status = metav1.ConditionStatus(c.text(string(condition.Status)))
	}
	if token := r.Status.Token; token != nil {
		token.TokenType = c.text(token.TokenType)
		for i, scope := range token.Scopes {
			token.Scopes[i] = c.text(scope)
		}
	}
	return r
}

// meta shares labels, the names of annotations, and those of their values that many objects have alike.
func (c *compactor) meta(m *metav1.ObjectMeta) {
	m.Namespace = c.text(m.Namespace)
	m.Labels = shared(c.labels, labels.FormatLabels(m.Labels), m.Labels)
	m.Annotations = c.annotations(m.Annotations)
	for i := range m.OwnerReferences {
		owner := &m.OwnerReferences[i]
		owner.APIVersion, owner.Kind = c.text(owner.APIVersion), c.text(owner.Kind)
	}
}

// annotations are without what kubectl notes for itself, which is the whole object once more.
func (c *compactor) annotations(of map[string]string) map[string]string {
	delete(of, corev1.LastAppliedConfigAnnotation)
	if len(of) == 0 {
		return nil
	}
	kept := make(map[string]string, len(of))
	for name, value := range of {
		if alike(name) {
			value = c.text(value)
		}
		kept[c.text(name)] = value
	}
	return kept
}

// alike says that the annotation has few values, each for many Secrets.
func alike(annotation string) bool {
	switch annotation {
	case stsv1alpha1.AnnotationTokenType, stsv1alpha1.AnnotationIssuedTokenType, stsv1alpha1.AnnotationScope,
		stsv1alpha1.AnnotationPresented, stsv1alpha1.AnnotationMetadata, stsv1alpha1.AnnotationShape,
		stsv1alpha1.AnnotationTokenKey, stsv1alpha1.AnnotationRefreshBefore:
		return true
	default:
		return false
	}
}

// text is the one copy of a text.
func (c *compactor) text(s string) string { return shared(c.texts, s, s) }

// issuer is the one copy of an issuer: where requests name theirs inline, most say the same.
func (c *compactor) issuer(of *stsv1alpha1.IssuerSpec) *stsv1alpha1.IssuerSpec {
	if of == nil {
		return nil
	}
	text, err := json.Marshal(of)
	if err != nil {
		return of
	}
	return shared(c.issuers, string(text), of)
}

// shared is what the pool has under the key, which is the value if it has nothing there yet.
func shared[V any](pool map[string]V, key string, value V) V {
	if there, ok := pool[key]; ok {
		return there
	}
	if len(key) > longestShared {
		return value
	}
	if len(pool) >= mostShared {
		clear(pool)
	}
	pool[key] = value
	return value
}
