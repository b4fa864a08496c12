// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"slices"
	"strings"

	"tokenrequest.dev/operator/internal/oautherr"
)

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

// Trades says whose the grant is, for an oautherr.Response and an
// oautherr.Subject: what a refusal of it means depends on that.
func (g Grant) Trades() oautherr.Grant {
	switch g.grantType() {
	case GrantDeviceCode:
		return oautherr.GrantDevice
	case GrantRefreshToken:
		return oautherr.GrantUser
	case GrantJWTBearer:
		if g.OnBehalfOf {
			return oautherr.GrantUser
		}
		return oautherr.GrantAssertion
	case GrantTokenExchange:
		return oautherr.GrantAssertion
	default:
		return oautherr.GrantClient
	}
}

func (g Grant) grantType() GrantType {
	if g.Type == "" {
		return GrantClientCredentials
	}
	return g.Type
}

// check refuses a grant of which a part is missing.
func (g Grant) check() *oautherr.Error {
	switch g.grantType() {
	case GrantClientCredentials:
		return nil
	case GrantJWTBearer:
		return present(g.Assertion, "the assertion is empty")
	case GrantTokenExchange:
		return g.checkExchange()
	case GrantRefreshToken:
		return present(g.RefreshToken, "the refresh token is empty")
	case GrantDeviceCode:
		return present(g.DeviceCode, "the device code is empty")
	default:
		return oautherr.Refused(oautherr.ReasonUnsupportedGrantType, "the operator does not know the grant")
	}
}

// checkExchange holds the grant to RFC 8693 section 2.1: each token has a type,
// and there is no type without a token.
func (g Grant) checkExchange() *oautherr.Error {
	switch {
	case strings.TrimSpace(g.SubjectToken.Reveal()) == "":
		return oautherr.Refused(oautherr.ReasonInvalidGrant, "the subject token is empty")
	case g.SubjectTokenType == "":
		return oautherr.Refused(oautherr.ReasonInvalidRequest, "the subject token has no type")
	case g.ActorToken != "" && g.ActorTokenType == "":
		return oautherr.Refused(oautherr.ReasonInvalidRequest, "the actor token has no type")
	case g.ActorToken == "" && g.ActorTokenType != "":
		return oautherr.Refused(oautherr.ReasonInvalidGrant, "the actor token is empty")
	case slices.Contains(g.Audiences, ""):
		return oautherr.Refused(oautherr.ReasonInvalidRequest, "an audience is empty")
	default:
		return nil
	}
}

func present(traded Sensitive, why string) *oautherr.Error {
	if strings.TrimSpace(traded.Reveal()) == "" {
		return oautherr.Refused(oautherr.ReasonInvalidGrant, why)
	}
	return nil
}

// secrets are what the grant trades.
func (g Grant) secrets() []Sensitive {
	return []Sensitive{g.Assertion, g.SubjectToken, g.ActorToken, g.RefreshToken, g.DeviceCode}
}
