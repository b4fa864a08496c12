// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

// GrantType is the value of grant_type in a token request.
type GrantType string

// The grants that a Request can use.
const (
	// GrantClientCredentials is RFC 6749 section 4.4.
	GrantClientCredentials GrantType = "client_credentials"
	// GrantJWTBearer is RFC 7523 section 2.1, and with OnBehalfOf Entra's
	// on-behalf-of flow, which is an extension of it and not RFC 8693.
	GrantJWTBearer GrantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	// GrantTokenExchange is RFC 8693.
	GrantTokenExchange GrantType = "urn:ietf:params:oauth:grant-type:token-exchange"
	// GrantRefreshToken is RFC 6749 section 6.
	GrantRefreshToken GrantType = "refresh_token"
	// GrantDeviceCode is RFC 8628 section 3.4.
	GrantDeviceCode GrantType = "urn:ietf:params:oauth:grant-type:device_code"
)

// Grant is what a request trades for a token. The zero value is the client
// credentials grant. It prints without what it trades.
type Grant struct {
	// Type is the grant; empty means GrantClientCredentials. The members below
	// belong to the type that is named, and are ignored with any other.
	Type GrantType
	// OnBehalfOf makes GrantJWTBearer Entra's on-behalf-of flow.
	OnBehalfOf bool
	// Assertion is what GrantJWTBearer trades; it must not be empty then.
	Assertion Sensitive
	// SubjectToken and SubjectTokenType are what GrantTokenExchange trades; they
	// must not be empty then.
	SubjectToken     Sensitive
	SubjectTokenType string
	// ActorToken and ActorTokenType go together or not at all.
	ActorToken     Sensitive
	ActorTokenType string
	// RequestedTokenType is empty where the server is to choose.
	RequestedTokenType string
	// Audiences are RFC 8693's audience fields, one each.
	Audiences []string
	// RefreshToken is what GrantRefreshToken trades; it must not be empty then.
	RefreshToken Sensitive
	// DeviceCode is what GrantDeviceCode polls for; it must not be empty then.
	DeviceCode Sensitive
}
