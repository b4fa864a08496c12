// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

import "slices"

// Reason is a condition reason: the CamelCase form of an OAuth `error`, or what
// happened instead of one. The set is closed.
type Reason string

// The reasons of RFC 6749 section 5.2 and its extensions.
const (
	ReasonInvalidRequest         Reason = "InvalidRequest"
	ReasonInvalidClient          Reason = "InvalidClient"
	ReasonInvalidGrant           Reason = "InvalidGrant"
	ReasonUnauthorizedClient     Reason = "UnauthorizedClient"
	ReasonUnsupportedGrantType   Reason = "UnsupportedGrantType"
	ReasonInvalidScope           Reason = "InvalidScope"
	ReasonInvalidTarget          Reason = "InvalidTarget"   // RFC 8693, RFC 8707
	ReasonInvalidResource        Reason = "InvalidResource" // Entra
	ReasonInteractionRequired    Reason = "InteractionRequired"
	ReasonLoginRequired          Reason = "LoginRequired"
	ReasonConsentRequired        Reason = "ConsentRequired"
	ReasonAccessDenied           Reason = "AccessDenied"
	ReasonTemporarilyUnavailable Reason = "TemporarilyUnavailable"
	ReasonInvalidInstance        Reason = "InvalidInstance" // Entra
)

// The reasons of the device authorization grant (RFC 8628 section 3.5).
const (
	ReasonAuthorizationPending  Reason = "AuthorizationPending"
	ReasonSlowDown              Reason = "SlowDown"
	ReasonAuthorizationDeclined Reason = "AuthorizationDeclined" // Entra's access_denied
	ReasonBadVerificationCode   Reason = "BadVerificationCode"   // Entra
	ReasonExpiredToken          Reason = "ExpiredToken"
)

// The reasons of attempts that no OAuth `error` explains.
const (
	// ReasonThrottled: the token service asked to be called later.
	ReasonThrottled Reason = "Throttled"
	// ReasonServerError: the token service failed, in HTTP or in OAuth terms.
	ReasonServerError Reason = "ServerError"
	// ReasonConnectionFailed: no complete answer arrived.
	ReasonConnectionFailed Reason = "ConnectionFailed"
	// ReasonMalformedResponse: the answer is not one of the OAuth protocol.
	ReasonMalformedResponse Reason = "MalformedResponse"
	// ReasonRedirectRefused: the answer was a redirect, which is never followed.
	ReasonRedirectRefused Reason = "RedirectRefused"
	// ReasonEndpointRefused: the operator declined to call this endpoint.
	ReasonEndpointRefused Reason = "EndpointRefused"
	// ReasonUnknownError: the `error` is none that this release knows.
	ReasonUnknownError Reason = "UnknownError"
)

var reasons = []Reason{
	ReasonInvalidRequest, ReasonInvalidClient, ReasonInvalidGrant, ReasonUnauthorizedClient,
	ReasonUnsupportedGrantType, ReasonInvalidScope, ReasonInvalidTarget, ReasonInvalidResource,
	ReasonInteractionRequired, ReasonLoginRequired, ReasonConsentRequired, ReasonAccessDenied,
	ReasonTemporarilyUnavailable, ReasonInvalidInstance,
	ReasonAuthorizationPending, ReasonSlowDown, ReasonAuthorizationDeclined,
	ReasonBadVerificationCode, ReasonExpiredToken,
	ReasonThrottled, ReasonServerError, ReasonConnectionFailed, ReasonMalformedResponse,
	ReasonRedirectRefused, ReasonEndpointRefused, ReasonUnknownError,
}

// Reasons returns every reason that an Error can have.
func Reasons() []Reason { return slices.Clone(reasons) }

func (r Reason) known() bool { return slices.Contains(reasons, r) }
