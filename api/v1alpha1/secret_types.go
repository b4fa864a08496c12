// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// SecretTemplate is a Go template over the token: text, the fields .AccessToken, .TokenType,
// .IssuedTokenType, .Scope, .IssuedAt and .ExpiresAt, pipelines, if, and the functions and, b64enc, env,
// eq, json, ne, netrc, not, or, percent and print.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=8192
type SecretTemplate string

// LabelValue is the value of a Kubernetes label.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$')",message="write a label value: at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"
type LabelValue string

// AnnotationValue is the value of an annotation of the token Secret.
//
// +kubebuilder:validation:MaxLength=4096
type AnnotationValue string

// TokenSecret is the Secret that the token goes into.
//
// The keys that are refused would have other controllers act on the Secret in our name: a type
// that makes it a credential of the cluster, a label that has a garbage collector or a chart
// manager own it.
//
// +kubebuilder:validation:XValidation:rule="!has(self.type) || self.type != 'kubernetes.io/dockerconfigjson' || has(self.data) && '.dockerconfigjson' in self.data",message="write secret.data with the key .dockerconfigjson, which Kubernetes demands of this type; config/samples/shapes/dockerconfigjson.yaml has one"
// +kubebuilder:validation:XValidation:rule="!has(self.type) || self.type != 'kubernetes.io/dockercfg' || has(self.data) && '.dockercfg' in self.data",message="write secret.data with the key .dockercfg, which Kubernetes demands of this type, or better take the type kubernetes.io/dockerconfigjson"
// +kubebuilder:validation:XValidation:rule="!has(self.type) || self.type != 'kubernetes.io/basic-auth' || has(self.data) && ('username' in self.data || 'password' in self.data)",message="write secret.data with the keys username and password, which Kubernetes demands of this type; config/samples/shapes/git-basic-auth.yaml has them"
// +kubebuilder:validation:XValidation:rule="!has(self.type) || self.type != 'kubernetes.io/ssh-auth' || has(self.data) && 'ssh-privatekey' in self.data",message="write another type, such as Opaque, or secret.data with the key ssh-privatekey, which Kubernetes demands of this one"
// +kubebuilder:validation:XValidation:rule="!has(self.type) || self.type != 'kubernetes.io/tls' || has(self.data) && 'tls.crt' in self.data && 'tls.key' in self.data",message="write another type, such as Opaque, or secret.data with the keys tls.crt and tls.key, which Kubernetes demands of this one"
type TokenSecret struct {
	// name of the Secret. Absent: the TokenRequest's name.
	// +optional
	Name ObjectName `json:"name,omitempty"`

	// type of the Secret. Absent: Opaque.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!(self in ['kubernetes.io/service-account-token', 'bootstrap.kubernetes.io/token', 'helm.sh/release.v1'])",message="write another type, such as Opaque: Kubernetes or Helm would act on a Secret of this one"
	Type string `json:"type,omitempty"`

	// labels of the Secret, beside the operator's own.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.startsWith('app.kubernetes.io/') || !k.matches('^([^/]*[.])?(kubernetes[.]io|k8s[.]io|meta[.]helm[.]sh|sts[.]tokenrequest[.]dev)/'))",message="leave out labels under kubernetes.io, k8s.io, meta.helm.sh and sts.tokenrequest.dev: they would have other controllers act on the Secret; app.kubernetes.io/ ones are fine"
	// +kubebuilder:validation:XValidation:rule="!('app.kubernetes.io/managed-by' in self)",message="leave out the label app.kubernetes.io/managed-by: it is the operator's own"
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 317 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$') && !k.matches('^[^/]{254}'))",message="write each label key as Kubernetes spells it: an optional DNS prefix in lower case and '/', then at most 63 letters, digits, '-', '_' and '.'"
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// annotations of the Secret, beside the operator's own.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.startsWith('app.kubernetes.io/') || !k.matches('^([^/]*[.])?(kubernetes[.]io|k8s[.]io|meta[.]helm[.]sh|sts[.]tokenrequest[.]dev)/'))",message="leave out annotations under kubernetes.io, k8s.io, meta.helm.sh and sts.tokenrequest.dev: they would have other controllers act on the Secret; app.kubernetes.io/ ones are fine"
	// +kubebuilder:validation:XValidation:rule="!('app.kubernetes.io/managed-by' in self)",message="leave out the annotation app.kubernetes.io/managed-by: it is the operator's own"
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 317 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$') && !k.matches('^[^/]{254}'))",message="write each annotation key as Kubernetes spells it: an optional DNS prefix in lower case and '/', then at most 63 letters, digits, '-', '_' and '.'"
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`

	// data maps a key to a template over the token. Absent: access_token, token_type, scope and
	// expires_at. A key whose template makes nothing is left out. A change costs a call only where no
	// key of before holds the token as it is.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 253 && k.matches('^[-._a-zA-Z0-9]+$') && k != '.' && !k.startsWith('..'))",message="write each key of data as a Secret's data key: at most 253 letters, digits, '-', '_' and '.', not beginning with '..'"
	Data map[string]SecretTemplate `json:"data,omitempty"`
}
