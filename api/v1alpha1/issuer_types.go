// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// IssuerSpec is an STS and a client's identity there.
//
// +kubebuilder:validation:XValidation:rule="has(self.authority) || has(self.tokenEndpoint)",message="set authority (a Microsoft Entra authority, or any OpenID Connect or RFC 8414 issuer), or tokenEndpoint for a server without discovery"
// +kubebuilder:validation:XValidation:rule="has(self.clientID) != has(self.clientIDRef)",message="set exactly one of clientID and clientIDRef"
// +kubebuilder:validation:XValidation:rule="has(self.authority) || !has(self.credential) || self.credential.?privateKeyJWT.?audience.orValue('TokenEndpoint') != 'Issuer'",message="set authority, or credential.privateKeyJWT.audience to TokenEndpoint: without an authority nobody knows the issuer that audience Issuer names"
type IssuerSpec struct {
	// authority is a Microsoft Entra authority, or any OpenID Connect or RFC 8414 issuer.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.contains('/.well-known/') && !self.endsWith('/oauth2/v2.0/token')",message="write the authority alone, without /.well-known/ or /oauth2/v2.0/token and what follows: the operator finds its metadata and endpoints"
	Authority HTTPSURL `json:"authority,omitempty"`

	// tokenEndpoint is used as it is, without discovery.
	// +optional
	TokenEndpoint HTTPSURL `json:"tokenEndpoint,omitempty"`

	// deviceAuthorizationEndpoint is used as it is, without discovery (RFC 8628).
	// +optional
	DeviceAuthorizationEndpoint HTTPSURL `json:"deviceAuthorizationEndpoint,omitempty"`

	// clientID is the client identifier that the STS issued (RFC 6749 section 2.2).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^[ -~]+$')",message="write the client identifier in printable ASCII (RFC 6749 appendix A.1)"
	ClientID string `json:"clientID,omitempty"`

	// clientIDRef takes the client identifier from a key of a Secret.
	// +optional
	ClientIDRef *SecretKeyRef `json:"clientIDRef,omitempty"`

	// credential is how the client proves who it is. Absent: a public client.
	// +optional
	Credential *Credential `json:"credential,omitempty"`

	// tls is the trust root of the STS. Absent: the system's.
	// +optional
	TLS *IssuerTLS `json:"tls,omitempty"`

	// proxyURL is the proxy for this STS. Absent: HTTPS_PROXY and NO_PROXY of the operator.
	// +optional
	ProxyURL ProxyURL `json:"proxyURL,omitempty"`

	// timeout of one call to the STS, from 1s to 60s. Absent: 20s.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}([.][0-9]{1,3})?(ms|s|m|h)){1,4}$') && duration(self) >= duration('1s') && duration(self) <= duration('60s')",message="write a duration from 1s to 60s, such as 20s"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// CABundleKind is the kind of object that holds a CA bundle.
//
// +kubebuilder:validation:Enum=ConfigMap;Secret
type CABundleKind string

// The kinds that may hold a CA bundle.
const (
	// CABundleConfigMap reads the bundle from a ConfigMap.
	CABundleConfigMap CABundleKind = "ConfigMap"
	// CABundleSecret reads the bundle from a Secret.
	CABundleSecret CABundleKind = "Secret"
)

// IssuerTLS is the trust root of an STS: exactly one member.
//
// +kubebuilder:validation:XValidation:rule="has(self.caBundle) != has(self.caBundleRef)",message="set exactly one of caBundle and caBundleRef; leave tls out altogether to trust the system's certificates"
type IssuerTLS struct {
	// The schema of caBundle has no format byte: CEL decodes such a field, by base64url, as soon as
	// a rule asks whether it is there, and so refuses the '+' and '/' of base64. Its rule therefore
	// looks for the three forms that -----BEGIN CERTIFICATE----- takes in base64, one for each
	// alignment.

	// caBundle is PEM, in base64.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=""
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=131072
	// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$') && (self.contains('LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t') || self.contains('0tLS0tQkVHSU4gQ0VSVElGSUNBVEUtLS0tL') || self.contains('tLS0tLUJFR0lOIENFUlRJRklDQVRFLS0tLS'))",message="write the certificates as PEM (-----BEGIN CERTIFICATE-----), encoded in base64 once, on one line"
	CABundle []byte `json:"caBundle,omitempty"`

	// caBundleRef names an object of the same namespace that holds PEM.
	// +optional
	CABundleRef *CABundleRef `json:"caBundleRef,omitempty"`
}

// CABundleRef names the key of a ConfigMap or Secret that holds PEM.
type CABundleRef struct {
	// kind of the object.
	// +required
	Kind CABundleKind `json:"kind"`

	// name of the object.
	// +required
	Name ObjectName `json:"name"`

	// key in the object's data.
	// +required
	Key DataKey `json:"key"`
}

// IssuerKind is the kind of issuer that a request refers to.
//
// +kubebuilder:validation:Enum=TokenIssuer;ClusterTokenIssuer
type IssuerKind string

// The kinds of issuer.
const (
	// IssuerKindTokenIssuer is an issuer of the request's own namespace.
	IssuerKindTokenIssuer IssuerKind = "TokenIssuer"
	// IssuerKindClusterTokenIssuer is an issuer of the cluster.
	IssuerKindClusterTokenIssuer IssuerKind = "ClusterTokenIssuer"
)

// IssuerRef names an issuer.
type IssuerRef struct {
	// group of the issuer. Absent: sts.tokenrequest.dev, the only one there is.
	// +optional
	// +kubebuilder:validation:Enum=sts.tokenrequest.dev
	Group string `json:"group,omitempty"`

	// kind of the issuer: TokenIssuer or ClusterTokenIssuer.
	// +required
	Kind IssuerKind `json:"kind"`

	// name of the issuer.
	// +required
	Name ObjectName `json:"name"`
}

// IssuerStatus is what the operator found out about an issuer.
type IssuerStatus struct {
	// observedGeneration is the generation that the conditions speak of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions of the issuer: Ready always, Reconciling and Stalled while it isn't.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// TokenIssuer shares an STS and a credential among the TokenRequests of its namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=tokissuer,categories=access-tokens
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Authority",type=string,JSONPath=`.spec.authority`
// +kubebuilder:printcolumn:name="Client",type=string,JSONPath=`.spec.clientID`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type TokenIssuer struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the STS and the client's identity there.
	// +required
	Spec IssuerSpec `json:"spec"`

	// status is what the operator found out.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status IssuerStatus `json:"status,omitempty"`
}

// Issuer is the STS and the client's identity there.
func (i *TokenIssuer) Issuer() *IssuerSpec { return &i.Spec }

// State is the status, to be read and changed.
func (i *TokenIssuer) State() *IssuerStatus { return &i.Status }

// TokenIssuerList is a list of TokenIssuers.
//
// +kubebuilder:object:root=true
type TokenIssuerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []TokenIssuer `json:"items"`
}

// ClusterTokenIssuerSpec is an STS and a client's identity there, and who may use them for what.
type ClusterTokenIssuerSpec struct {
	IssuerSpec `json:",inline"`

	// namespaceSelector selects the namespaces that the issuer serves. Absent: nobody. {}: all.
	// +optional
	// +kubebuilder:validation:XValidation:rule="(!has(self.matchLabels) || (size(self.matchLabels) > 0 && size(self.matchLabels) <= 32)) && (!has(self.matchExpressions) || (size(self.matchExpressions) > 0 && size(self.matchExpressions) <= 32))",message="write 1 to 32 matchLabels and 1 to 32 matchExpressions, or leave them out: an empty selector would serve every namespace, and {} says so plainly"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || size(self.matchExpressions) > 32 || self.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? has(e.values) && size(e.values) > 0 : e.operator in ['Exists', 'DoesNotExist'] && (!has(e.values) || size(e.values) == 0))",message="write each of matchExpressions with operator In or NotIn and values, or with Exists or DoesNotExist and none"
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// allow is what requests may ask for.
	// +optional
	Allow *Allowance `json:"allow,omitempty"`
}

// Allowance is what requests may ask of a ClusterTokenIssuer: exact matches, absent means none.
type Allowance struct {
	// scopes that a request may name.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Scopes []Scope `json:"scopes,omitempty"`

	// resources that a request may name.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Resources []Resource `json:"resources,omitempty"`

	// audiences that a token exchange may name.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:items:XValidation:rule=`!self.matches(r"\pC")`,message="write it on one line, without control or other invisible characters"
	Audiences []string `json:"audiences,omitempty"`

	// grants that a request may use. Absent: ClientCredentials alone.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=6
	Grants []GrantType `json:"grants,omitempty"`

	// parameters that a request may set: name and exact value.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 64 && k.matches('^[A-Za-z0-9_.:-]+$'))",message="write each parameter's name with at most 64 letters, digits, '_', '.', ':' and '-'"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !(k.lowerAscii() in ['grant_type', 'client_id', 'client_secret', 'client_assertion', 'client_assertion_type', 'scope', 'resource', 'claims', 'assertion', 'code', 'code_verifier', 'redirect_uri', 'response_type', 'refresh_token', 'device_code', 'username', 'password', 'subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type', 'requested_token_use', 'user_federated_identity_credential', 'auth_req_id']))",message="leave out the form fields that are OAuth's own: scopes, resources, claims, grant and the issuer's clientID and credential say them"
	Parameters map[string]ParameterValue `json:"parameters,omitempty"`

	// defaultScopes lets a request name no scopes, and so take what the STS gives by default.
	// +optional
	DefaultScopes bool `json:"defaultScopes,omitempty"`

	// claims lets a request send a claims challenge, whatever it asks for. Absent: none is sent.
	// +optional
	Claims bool `json:"claims,omitempty"`
}

// ClusterTokenIssuer shares an STS and a credential, kept in the operator's namespace, among the
// namespaces that it selects.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=ctokissuer,categories=access-tokens
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Authority",type=string,JSONPath=`.spec.authority`
// +kubebuilder:printcolumn:name="Client",type=string,JSONPath=`.spec.clientID`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ClusterTokenIssuer struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the STS, the client's identity there, and who may use them for what.
	// +required
	Spec ClusterTokenIssuerSpec `json:"spec"`

	// status is what the operator found out.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status IssuerStatus `json:"status,omitempty"`
}

// Issuer is the STS and the client's identity there.
func (i *ClusterTokenIssuer) Issuer() *IssuerSpec { return &i.Spec.IssuerSpec }

// State is the status, to be read and changed.
func (i *ClusterTokenIssuer) State() *IssuerStatus { return &i.Status }

// ClusterTokenIssuerList is a list of ClusterTokenIssuers.
//
// +kubebuilder:object:root=true
type ClusterTokenIssuerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterTokenIssuer `json:"items"`
}
