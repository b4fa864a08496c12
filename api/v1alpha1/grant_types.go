// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// GrantType is an OAuth 2.0 grant.
//
// +kubebuilder:validation:Enum=ClientCredentials;OnBehalfOf;JWTBearer;TokenExchange;RefreshToken;DeviceCode
type GrantType string

// The grants.
const (
	// GrantClientCredentials is RFC 6749 section 4.4, and what an absent grant means.
	GrantClientCredentials GrantType = "ClientCredentials"
	// GrantOnBehalfOf is Microsoft Entra's on-behalf-of flow.
	GrantOnBehalfOf GrantType = "OnBehalfOf"
	// GrantJWTBearer is RFC 7523 section 2.1.
	GrantJWTBearer GrantType = "JWTBearer"
	// GrantTokenExchange is RFC 8693.
	GrantTokenExchange GrantType = "TokenExchange"
	// GrantRefreshToken is RFC 6749 section 6.
	GrantRefreshToken GrantType = "RefreshToken"
	// GrantDeviceCode is RFC 8628.
	GrantDeviceCode GrantType = "DeviceCode"
)

// Grant is how the token is earned: a type, and the member of that type.
//
// +kubebuilder:validation:XValidation:rule="has(self.onBehalfOf) == (self.type == 'OnBehalfOf')",message="set onBehalfOf with type OnBehalfOf, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.jwtBearer) == (self.type == 'JWTBearer')",message="set jwtBearer with type JWTBearer, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.tokenExchange) == (self.type == 'TokenExchange')",message="set tokenExchange with type TokenExchange, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.refreshToken) == (self.type == 'RefreshToken')",message="set refreshToken with type RefreshToken, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.deviceCode) == (self.type == 'DeviceCode')",message="set deviceCode with type DeviceCode, and only then; deviceCode: {} will do"
type Grant struct {
	// type of the grant.
	// +required
	Type GrantType `json:"type"`

	// onBehalfOf belongs to type OnBehalfOf.
	// +optional
	OnBehalfOf *AssertionGrant `json:"onBehalfOf,omitempty"`

	// jwtBearer belongs to type JWTBearer.
	// +optional
	JWTBearer *AssertionGrant `json:"jwtBearer,omitempty"`

	// tokenExchange belongs to type TokenExchange.
	// +optional
	TokenExchange *TokenExchangeGrant `json:"tokenExchange,omitempty"`

	// refreshToken belongs to type RefreshToken.
	// +optional
	RefreshToken *RefreshTokenGrant `json:"refreshToken,omitempty"`

	// deviceCode belongs to type DeviceCode.
	// +optional
	DeviceCode *DeviceCodeGrant `json:"deviceCode,omitempty"`
}

// AssertionGrant trades an assertion for a token.
type AssertionGrant struct {
	// assertion is the token that is traded.
	// +required
	Assertion TokenSource `json:"assertion"`
}

// TokenTypeURI is a token type identifier of RFC 8693 section 3.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=256
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z][a-zA-Z0-9+.-]*:[!-~]+$')",message="write a token type as a URI, such as urn:ietf:params:oauth:token-type:access_token"
type TokenTypeURI string

// TokenExchangeGrant is a request of RFC 8693 section 2.1.
//
// +kubebuilder:validation:XValidation:rule="has(self.actorToken) == has(self.actorTokenType)",message="set actorToken and actorTokenType together, or neither (RFC 8693 section 2.1)"
type TokenExchangeGrant struct {
	// subjectToken is the token of the party that the request is made for.
	// +required
	SubjectToken TokenSource `json:"subjectToken"`

	// subjectTokenType says what subjectToken is.
	// +required
	SubjectTokenType TokenTypeURI `json:"subjectTokenType"`

	// actorToken is the token of the party that acts.
	// +optional
	ActorToken *TokenSource `json:"actorToken,omitempty"`

	// actorTokenType says what actorToken is.
	// +optional
	ActorTokenType TokenTypeURI `json:"actorTokenType,omitempty"`

	// requestedTokenType asks for a type. Absent: the STS decides.
	// +optional
	RequestedTokenType TokenTypeURI `json:"requestedTokenType,omitempty"`

	// audiences name the services that the token is for.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:items:XValidation:rule=`!self.matches(r"\pC")`,message="write it on one line, without control or other invisible characters"
	Audiences []string `json:"audiences,omitempty"`
}

// StoreRef names the Secret of ours in which a rotating refresh token is kept.
type StoreRef struct {
	// name of the Secret.
	// +required
	Name ObjectName `json:"name"`
}

// RefreshTokenGrant lives off a refresh token that somebody seeded.
type RefreshTokenGrant struct {
	// tokenRef names the Secret and key that hold the first refresh token.
	// +required
	TokenRef SecretKeyRef `json:"tokenRef"`

	// store is where the rotated refresh tokens go. Absent: the TokenRequest's name and "-refresh".
	// +optional
	Store *StoreRef `json:"store,omitempty"`
}

// DeviceCodeGrant has a person sign in elsewhere (RFC 8628).
type DeviceCodeGrant struct {
	// store is where device code and refresh token are kept. Absent: the TokenRequest's name and
	// "-refresh".
	// +optional
	Store *StoreRef `json:"store,omitempty"`

	// expectedSubject refuses the sign-in of anybody else: the sub, oid or preferred_username of
	// the person who is to sign in.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule=`!self.matches(r"\pC")`,message="write it on one line, without control or other invisible characters"
	ExpectedSubject string `json:"expectedSubject,omitempty"`
}
