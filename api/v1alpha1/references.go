// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// ObjectName is the name of an object in the namespace of whoever refers to it. No reference in
// this API has a namespace: an operator that resolves one with its own rights lets tenants read
// each other's Secrets (CVE-2026-42875).
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="write the object's name as Kubernetes spells it: lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit"
type ObjectName string

// DataKey is a key of a Secret's or ConfigMap's data.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$') && self != '.' && !self.startsWith('..')",message="write a data key: letters, digits, '-', '_' and '.', not beginning with '..'"
type DataKey string

// HTTPSURL is an https URL without user information, query or fragment, in ASCII: a host that only
// looks like another one is then seen for what it is (an IDN is written in its xn-- form). The
// host's case is kept, since an issuer identifier is compared byte by byte (RFC 8414 section 3.3).
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=2048
// +kubebuilder:validation:XValidation:rule=`self.matches(r"^https://([^/?#]*@)?([A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?([/?#][A-Za-z0-9._~!$&'()*+,;=:@%/?#-]*)?$") && isURL(self) && (size(url(self).getPort()) == 0 || int(url(self).getPort()) <= 65535)`,message="write an https URL in ASCII, the scheme in lower case, the host without a trailing dot, such as https://login.microsoftonline.com/contoso.onmicrosoft.com"
// +kubebuilder:validation:XValidation:rule="!self.matches('^[^/]*//[^/?#]*@')",message="leave out the user name and password before the host: a credential belongs in a Secret that the credential field names"
// +kubebuilder:validation:XValidation:rule="!self.contains('?') && !self.contains('#')",message="leave out the query and the fragment: extra form fields belong in spec.parameters"
type HTTPSURL string

// ProxyURL is the URL of an HTTP proxy, without user information or path (a lone slash is fine).
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=2048
// +kubebuilder:validation:XValidation:rule=`self.matches(r"^https?://([^/?#]*@)?([A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?/?([?#].*)?$") && isURL(self) && (size(url(self).getPort()) == 0 || int(url(self).getPort()) <= 65535)`,message="write the proxy as http://host:port or https://host:port"
// +kubebuilder:validation:XValidation:rule="!self.contains('@') && !self.contains('?') && !self.contains('#')",message="leave out user name, password, query and fragment: write the proxy as http://host:port"
type ProxyURL string

// SecretKeyRef names one key of a Secret in the same namespace.
type SecretKeyRef struct {
	// name of the Secret.
	// +required
	Name ObjectName `json:"name"`

	// key in the Secret's data.
	// +required
	Key DataKey `json:"key"`
}

// SecretRef names a Secret in the same namespace.
type SecretRef struct {
	// name of the Secret.
	// +required
	Name ObjectName `json:"name"`
}

// ServiceAccountRef names a ServiceAccount in the same namespace.
type ServiceAccountRef struct {
	// name of the ServiceAccount.
	// +required
	Name ObjectName `json:"name"`
}

// ServiceAccountToken asks the Kubernetes API for a token of a ServiceAccount.
type ServiceAccountToken struct {
	// name of the ServiceAccount. It consents by its annotation
	// sts.tokenrequest.dev/allowed-audiences.
	// +required
	Name ObjectName `json:"name"`

	// audience of the token: one, and never the API server's own.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^[!-+--~]+$')",message="write one audience in printable ASCII, without spaces and commas: the ServiceAccount's annotation lists audiences with commas between them"
	Audience string `json:"audience"`
}

// TokenSource is where an assertion, a subject token or an actor token comes from.
//
// +kubebuilder:validation:XValidation:rule="has(self.secretRef) != has(self.serviceAccount)",message="set exactly one of secretRef and serviceAccount"
type TokenSource struct {
	// secretRef takes the token from a key of a Secret.
	// +optional
	SecretRef *SecretKeyRef `json:"secretRef,omitempty"`

	// serviceAccount has Kubernetes mint the token.
	// +optional
	ServiceAccount *ServiceAccountToken `json:"serviceAccount,omitempty"`
}
