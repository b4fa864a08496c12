// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Credential is how the client proves who it is: exactly one member.
//
// +kubebuilder:validation:XValidation:rule="[has(self.clientSecret), has(self.privateKeyJWT), has(self.tlsClientAuth), has(self.federated)].filter(x, x).size() == 1",message="set exactly one of clientSecret, privateKeyJWT, tlsClientAuth and federated; leave credential out altogether for a public client"
type Credential struct {
	// clientSecret is a password shared with the STS (RFC 6749 section 2.3.1).
	// +optional
	ClientSecret *ClientSecretCredential `json:"clientSecret,omitempty"`

	// privateKeyJWT signs an assertion with a private key (RFC 7523).
	// +optional
	PrivateKeyJWT *PrivateKeyJWTCredential `json:"privateKeyJWT,omitempty"`

	// tlsClientAuth presents a certificate in the TLS handshake (RFC 8705).
	// +optional
	TLSClientAuth *TLSClientAuthCredential `json:"tlsClientAuth,omitempty"`

	// federated presents a service-account token as assertion, so that no secret is stored.
	// +optional
	Federated *FederatedCredential `json:"federated,omitempty"`
}

// ClientSecretMethod is how a client secret travels.
//
// +kubebuilder:validation:Enum=client_secret_basic;client_secret_post
type ClientSecretMethod string

// The methods of RFC 6749 section 2.3.1, by their names in OpenID Connect and RFC 8414.
const (
	// ClientSecretBasic sends the secret in the Authorization header.
	ClientSecretBasic ClientSecretMethod = "client_secret_basic"
	// ClientSecretPost sends the secret in the form.
	ClientSecretPost ClientSecretMethod = "client_secret_post"
)

// ClientSecretCredential is a password in a Secret.
type ClientSecretCredential struct {
	// secretRef names the Secret and the key that hold the client secret's value.
	// +required
	SecretRef SecretKeyRef `json:"secretRef"`

	// method is how the secret travels. Absent: what the STS's metadata says, client_secret_post
	// for Microsoft Entra, client_secret_basic where nothing is known.
	// +optional
	Method ClientSecretMethod `json:"method,omitempty"`
}

// SigningAlgorithm is a JWS algorithm (RFC 7518).
//
// +kubebuilder:validation:Enum=RS256;PS256;ES256
type SigningAlgorithm string

// AssertionAudience says what the aud claim of a client assertion is.
//
// +kubebuilder:validation:Enum=TokenEndpoint;Issuer
type AssertionAudience string

// PrivateKeyJWTCredential is a key pair in a kubernetes.io/tls Secret.
type PrivateKeyJWTCredential struct {
	// secretRef names a kubernetes.io/tls Secret, as cert-manager makes it.
	// +required
	SecretRef SecretRef `json:"secretRef"`

	// algorithm of the signature. Absent: PS256 for RSA keys, ES256 for P-256 keys.
	// +optional
	Algorithm SigningAlgorithm `json:"algorithm,omitempty"`

	// keyID is the kid header of the assertion. Absent: no kid.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule=`!self.matches(r"\pC")`,message="write it on one line, without control or other invisible characters"
	KeyID string `json:"keyID,omitempty"`

	// sendChain puts the certificate chain into the x5c header, leaf first.
	// +optional
	SendChain bool `json:"sendChain,omitempty"`

	// audience of the assertion. Absent: TokenEndpoint.
	// +optional
	Audience AssertionAudience `json:"audience,omitempty"`
}

// TLSClientAuthCredential is a client certificate in a kubernetes.io/tls Secret.
type TLSClientAuthCredential struct {
	// secretRef names a kubernetes.io/tls Secret, as cert-manager makes it.
	// +required
	SecretRef SecretRef `json:"secretRef"`
}

// FederatedCredential is a service account of this cluster that the STS trusts.
type FederatedCredential struct {
	// serviceAccountRef names the ServiceAccount. It consents by its annotation
	// sts.tokenrequest.dev/allowed-audiences.
	// +required
	ServiceAccountRef ServiceAccountRef `json:"serviceAccountRef"`

	// audience of the assertion. Absent: api://AzureADTokenExchange.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^[!-+--~]+$')",message="write one audience in printable ASCII, without spaces and commas: the ServiceAccount's annotation lists audiences with commas between them"
	Audience string `json:"audience,omitempty"`
}
