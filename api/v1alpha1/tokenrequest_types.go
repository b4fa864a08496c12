// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Scope is a scope-token (RFC 6749 section 3.3).
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=512
// +kubebuilder:validation:XValidation:rule="self.matches('^[!#-\\\\[\\\\]-~]+$')",message="write one scope per item: printable ASCII without spaces, quotes and backslashes (RFC 6749 section 3.3)"
type Scope string

// Resource is a resource indicator (RFC 8707 section 2): an absolute URI without a fragment.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=1024
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z][a-zA-Z0-9+.-]*:[!-\"$-~]+$')",message="write an absolute URI without a fragment (RFC 8707 section 2)"
type Resource string

// ParameterValue is the value of an extra form field.
//
// +kubebuilder:validation:MaxLength=1024
type ParameterValue string

// Claims is a claims challenge: JSON, or the base64 form of a WWW-Authenticate header.
//
// +kubebuilder:validation:MinLength=2
// +kubebuilder:validation:MaxLength=8192
// +kubebuilder:validation:XValidation:rule="self.startsWith('{') || self.matches('^[A-Za-z0-9+/_-]+=*$')",message="write a JSON object, beginning with '{', or the base64 form of one as it stands in a WWW-Authenticate header"
type Claims string

// TokenRequestSpec is the token that a workload needs.
//
// +kubebuilder:validation:XValidation:rule="has(self.issuer) != has(self.issuerRef)",message="set exactly one of issuer (an STS of this request's own) and issuerRef (a TokenIssuer or ClusterTokenIssuer)"
// +kubebuilder:validation:XValidation:rule="!has(self.issuer) || has(self.issuer.credential) || (has(self.grant) && !(self.grant.type in ['ClientCredentials', 'OnBehalfOf']))",message="set issuer.credential: a client without one may use neither ClientCredentials nor OnBehalfOf (RFC 6749 section 4.4)",fieldPath=".issuer"
// +kubebuilder:validation:XValidation:rule="!has(self.issuer) || !has(self.grant) || self.grant.type != 'DeviceCode' || has(self.issuer.authority) || has(self.issuer.deviceAuthorizationEndpoint)",message="set issuer.deviceAuthorizationEndpoint, or issuer.authority to discover it: DeviceCode begins there (RFC 8628 section 3.1)",fieldPath=".issuer"
// +kubebuilder:validation:XValidation:rule="!has(self.grant) || self.grant.type != 'DeviceCode' || !has(self.scopes) || !self.scopes.exists(s, s in ['openid', 'profile', 'offline_access'])",message="leave out openid, profile and offline_access: with DeviceCode the operator adds those that the server lists",fieldPath=".scopes"
type TokenRequestSpec struct {
	// issuer is an STS and a client's identity there, for this request alone.
	// +optional
	Issuer *IssuerSpec `json:"issuer,omitempty"`

	// issuerRef names a TokenIssuer of this namespace, or a ClusterTokenIssuer.
	// +optional
	IssuerRef *IssuerRef `json:"issuerRef,omitempty"`

	// grant is how the token is earned. Absent: client credentials.
	// +optional
	Grant *Grant `json:"grant,omitempty"`

	// scopes that the token is asked for. Absent: what the STS gives by default.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Scopes []Scope `json:"scopes,omitempty"`

	// resources that the token is for (RFC 8707).
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Resources []Resource `json:"resources,omitempty"`

	// claims is a claims challenge, as the STS or a resource server gave it: JSON, or base64.
	// +optional
	Claims Claims `json:"claims,omitempty"`

	// parameters are extra form fields, never OAuth's own.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 64 && k.matches('^[A-Za-z0-9_.:-]+$'))",message="write each parameter's name with at most 64 letters, digits, '_', '.', ':' and '-'"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !(k.lowerAscii() in ['grant_type', 'client_id', 'client_secret', 'client_assertion', 'client_assertion_type', 'scope', 'resource', 'claims', 'assertion', 'code', 'code_verifier', 'redirect_uri', 'response_type', 'refresh_token', 'device_code', 'username', 'password', 'subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type', 'requested_token_use', 'user_federated_identity_credential', 'auth_req_id']))",message="leave out the form fields that are OAuth's own: scopes, resources, claims, grant and the issuer's clientID and credential say them"
	Parameters map[string]ParameterValue `json:"parameters,omitempty"`

	// secret is where the token goes. Absent: an Opaque Secret of the TokenRequest's name.
	// +optional
	Secret *TokenSecret `json:"secret,omitempty"`

	// refreshBefore is how long before its expiry the token is replaced. It takes the place of
	// the margin of the policy and is clamped to three quarters of the token's life; the instant
	// that results is status.token.refreshAt.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}([.][0-9]{1,3})?(ms|s|m|h)){1,4}$') && duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="write a duration from 1s to 720h, such as 10m"
	RefreshBefore *metav1.Duration `json:"refreshBefore,omitempty"`

	// suspend stops all calls to the STS. The Secret stays as it is.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// TokenStatus describes the token in the Secret, never the token itself.
type TokenStatus struct {
	// secretName is the Secret that holds the token.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName,omitempty"`

	// tokenType is the token_type of the STS's answer, such as Bearer.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	TokenType string `json:"tokenType,omitempty"`

	// issuedTokenType is the issued_token_type of a token exchange (RFC 8693 section 2.2.1).
	// +optional
	// +kubebuilder:validation:MaxLength=256
	IssuedTokenType string `json:"issuedTokenType,omitempty"`

	// scopes that the STS said the token has; absent when it named none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=512
	Scopes []string `json:"scopes,omitempty"`

	// issuedAt is when the token was asked for.
	// +optional
	IssuedAt *metav1.Time `json:"issuedAt,omitempty"`

	// expiresAt is when the token dies; absent when the STS didn't say.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// refreshAt is when the token is due to be replaced.
	// +optional
	RefreshAt *metav1.Time `json:"refreshAt,omitempty"`
}

// ErrorClass says who can end a failure.
//
// +kubebuilder:validation:Enum=Configuration;Credential;InteractionRequired;Permission;Throttled;Transient;Client
type ErrorClass string

// TokenError is what the STS said last, field by field. Nothing else of its answer is kept.
type TokenError struct {
	// error is the error code of RFC 6749 section 5.2, or an extension that the STS used. Absent
	// when no STS spoke.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Error string `json:"error,omitempty"`

	// description is the first line of error_description.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Description string `json:"description,omitempty"`

	// codes are Microsoft Entra's error_codes.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Codes []int64 `json:"codes,omitempty"`

	// suberror is Microsoft Entra's suberror.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Suberror string `json:"suberror,omitempty"`

	// class says who can end the failure.
	// +required
	Class ErrorClass `json:"class"`

	// remedy is one sentence: what a person does now.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Remedy string `json:"remedy,omitempty"`

	// httpStatus of the answer; absent when there was none.
	// +optional
	HTTPStatus int32 `json:"httpStatus,omitempty"`

	// claims is the claims challenge, when there is one.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Claims string `json:"claims,omitempty"`

	// correlationID of the call, for a support ticket.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	CorrelationID string `json:"correlationID,omitempty"`

	// traceID of the call, for a support ticket.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	TraceID string `json:"traceID,omitempty"`

	// timestamp that the STS gave the error, as it wrote it.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Timestamp string `json:"timestamp,omitempty"`

	// errorURI is a page about the error (RFC 6749 section 5.2).
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	ErrorURI string `json:"errorURI,omitempty"`

	// attempts that have failed in a row.
	// +optional
	Attempts int32 `json:"attempts,omitempty"`

	// attempted is "v1:" and a hash of what was asked and with which version of the credential. A
	// retry that would ask something else doesn't wait for nextAttemptAt.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Attempted string `json:"attempted,omitempty"`

	// firstSeen is when the first of the attempts failed.
	// +optional
	FirstSeen *metav1.Time `json:"firstSeen,omitempty"`

	// lastSeen is when the last of the attempts failed.
	// +optional
	LastSeen *metav1.Time `json:"lastSeen,omitempty"`
}

// DeviceAuthorization is where a person signs in (RFC 8628 section 3.2).
type DeviceAuthorization struct {
	// userCode is what the person types in.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	UserCode string `json:"userCode,omitempty"`

	// verificationURI is where the person types it in.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	VerificationURI string `json:"verificationURI,omitempty"`

	// verificationURIComplete has the code in it.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	VerificationURIComplete string `json:"verificationURIComplete,omitempty"`

	// expiresAt is when the code dies.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
}

// TokenRequestStatus is what became of the request.
type TokenRequestStatus struct {
	// observedGeneration is the generation that the conditions speak of; -1 until the operator
	// has looked.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions of the request: Ready and Issued always, Throttled, InteractionRequired,
	// Reconciling and Stalled while they hold.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// token describes the token in the Secret.
	// +optional
	Token *TokenStatus `json:"token,omitempty"`

	// nextAttemptAt is the one instant of the next step: the refresh when all is well, the retry
	// when not.
	// +optional
	NextAttemptAt *metav1.Time `json:"nextAttemptAt,omitempty"`

	// lastHandledRefreshAt acknowledges the annotation sts.tokenrequest.dev/refresh-requested-at.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledRefreshAt string `json:"lastHandledRefreshAt,omitempty"`

	// lastError is what the STS said last; absent after a success.
	// +optional
	LastError *TokenError `json:"lastError,omitempty"`

	// deviceAuthorization is where a person signs in, while somebody is to.
	// +optional
	DeviceAuthorization *DeviceAuthorization `json:"deviceAuthorization,omitempty"`
}

// TokenRequest is an access token that a workload needs, kept valid in a Secret.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=tokreq,categories=access-tokens
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Secret",type=string,JSONPath=`.status.token.secretName`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.status.token.expiresAt`
// +kubebuilder:printcolumn:name="Next",type=string,JSONPath=`.status.nextAttemptAt`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Client",type=string,JSONPath=`.spec.issuer.clientID`,priority=1
// +kubebuilder:printcolumn:name="Authority",type=string,JSONPath=`.spec.issuer.authority`,priority=1
// +kubebuilder:printcolumn:name="Issuer",type=string,JSONPath=`.spec.issuerRef.name`,priority=1
// +kubebuilder:printcolumn:name="User Code",type=string,JSONPath=`.status.deviceAuthorization.userCode`,priority=1
// +kubebuilder:printcolumn:name="Sign In At",type=string,JSONPath=`.status.deviceAuthorization.verificationURI`,priority=1
// +kubebuilder:printcolumn:name="Suspended",type=boolean,JSONPath=`.spec.suspend`,priority=1
// +kubebuilder:printcolumn:name="Refresh Asked",type=string,JSONPath=`.metadata.annotations.sts\.tokenrequest\.dev/refresh-requested-at`,priority=1
// +kubebuilder:printcolumn:name="Refresh Done",type=string,JSONPath=`.status.lastHandledRefreshAt`,priority=1
// +kubebuilder:validation:XValidation:rule="!has(self.spec.grant) || !(self.spec.grant.type in ['RefreshToken', 'DeviceCode']) || (has(self.spec.grant.refreshToken) && has(self.spec.grant.refreshToken.store) ? self.spec.grant.refreshToken.store.name : has(self.spec.grant.deviceCode) && has(self.spec.grant.deviceCode.store) ? self.spec.grant.deviceCode.store.name : self.metadata.name + '-refresh') != (has(self.spec.secret) && has(self.spec.secret.name) ? self.spec.secret.name : self.metadata.name)",message="write another name in the grant's store than in spec.secret.name: whoever mounts the token's Secret would read the refresh token",fieldPath=".spec.grant"
type TokenRequest struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the token that the workload needs.
	// +required
	Spec TokenRequestSpec `json:"spec"`

	// status is what became of the request.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status TokenRequestStatus `json:"status,omitempty"`
}

// SecretName is the name of the Secret that the token goes into.
func (r *TokenRequest) SecretName() string {
	if r.Spec.Secret != nil && r.Spec.Secret.Name != "" {
		return string(r.Spec.Secret.Name)
	}
	return r.Name
}

// TokenRequestList is a list of TokenRequests.
//
// +kubebuilder:object:root=true
type TokenRequestList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []TokenRequest `json:"items"`
}
