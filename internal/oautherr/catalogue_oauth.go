// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

// oauthErrors are the values of `error`: RFC 6749 section 5.2 and its
// extensions, what Entra adds, and the names that Microsoft's clients and the
// proxies built on them use for failures of their own.
var oauthErrors = []Entry{
	// RFC 6749 section 5.2.
	{"invalid_request", Configuration, ReasonInvalidRequest, false,
		"a parameter of the request is missing, malformed or repeated",
		"Compare the grant, scopes, resources and parameters of {request} with what {host} documents for {client}."},
	{"invalid_client", Credential, ReasonInvalidClient, false,
		"the client is unknown, or did not authenticate with the credential it is registered with",
		"Check that {credential} holds the present credential of {client} at {host}, and that the client authenticates by the method registered there."},
	{"invalid_grant", Credential, ReasonInvalidGrant, false,
		"what the request trades for a token is wrong, expired, revoked or somebody else's; a user has to sign in again where it came from a sign-in",
		"Replace what {request} presents to {host}: the assertion or token that it trades, or {credential} where it trades none."},
	{"unauthorized_client", Configuration, ReasonUnauthorizedClient, false,
		"the client may not use this grant, or does not exist in this tenant",
		"Allow {client} the grant type of {request} in its registration at {host}, and check that it exists in the tenant of {tenant}."},
	{"unsupported_grant_type", Configuration, ReasonUnsupportedGrantType, false,
		"the token service does not offer this grant",
		"Set spec.grant.type of {request} to a grant that {host} offers."},
	{"invalid_scope", Configuration, ReasonInvalidScope, false,
		"a requested scope is unknown, malformed, or more than the client may have",
		"Set spec.scopes of {request} to scopes that {client} may have at {host}, instead of {scopes}."},

	// RFC 8693 and RFC 8707, and Entra's name for it.
	{"invalid_target", Configuration, ReasonInvalidTarget, false,
		"the token service does not issue tokens for the requested resource or audience",
		"Set the resources or audiences of {request} to ones that {host} issues tokens for."},
	{"invalid_resource", Configuration, ReasonInvalidResource, false,
		"the resource does not exist in the tenant, or is not known to the client",
		"Check that the resource of {scopes} exists in the tenant of {tenant} and that {client} has permission for it."},

	// OpenID Connect Core section 3.1.2.6, RFC 9470, Entra.
	{"interaction_required", InteractionRequired, ReasonInteractionRequired, false,
		"the token service wants to see the user", signInAgain},
	{"login_required", InteractionRequired, ReasonLoginRequired, false,
		"the user has no session any more", signInAgain},
	{"account_selection_required", InteractionRequired, ReasonInteractionRequired, false,
		"the user has several sessions and has to pick one", signInAgain},
	{"insufficient_user_authentication", InteractionRequired, ReasonInteractionRequired, false,
		"the user's sign-in was not strong or not recent enough", signInAgain},
	{"insufficient_claims", InteractionRequired, ReasonInteractionRequired, false,
		"the token service wants a claims challenge to be met", signInAgain},
	{"consent_required", Permission, ReasonConsentRequired, false,
		"neither the user nor an administrator has consented to what the client asks for",
		"Have an administrator of {tenant} consent to {scopes} for {client}."},
	{"access_denied", Permission, ReasonAccessDenied, false,
		"the user, an administrator or a policy refused",
		"Have an administrator of {tenant} allow {client} what {request} asks for, or have the user agree."},

	// RFC 6749 section 4.1.2.1; at token endpoints with any status.
	{"server_error", Transient, ReasonServerError, false,
		"the token service met an unexpected condition", waitForService},
	{"temporarily_unavailable", Transient, ReasonTemporarilyUnavailable, false,
		"the token service is overloaded or in maintenance", waitForService},
	{"unsupported_response_type", Client, ReasonInvalidRequest, false,
		"the token service does not know the response type", reportBug},

	// RFC 8628 section 3.5, and what Entra says instead of access_denied.
	{"authorization_pending", InteractionRequired, ReasonAuthorizationPending, false,
		"the user has not finished signing in", enterCode},
	{"slow_down", InteractionRequired, ReasonSlowDown, false,
		"the user has not finished signing in, and the operator polls too fast", enterCode},
	{"authorization_declined", InteractionRequired, ReasonAuthorizationDeclined, false,
		"the user declined", newCode},
	{"bad_verification_code", InteractionRequired, ReasonBadVerificationCode, false,
		"the token service does not know the device code", newCode},
	{"expired_token", InteractionRequired, ReasonExpiredToken, false,
		"the device code expired before the user signed in", newCode},
	{"code_expired", InteractionRequired, ReasonExpiredToken, false,
		"the device code expired before the user signed in", newCode},

	// RFC 6750 section 3.1, which some token services use for a traded token.
	{"invalid_token", Credential, ReasonInvalidGrant, false,
		"the token that the request trades is malformed, expired or revoked",
		"Replace the token that {request} trades with one that {host} accepts and that has not expired."},
	{"insufficient_scope", Permission, ReasonInvalidScope, false,
		"the token that the request trades does not allow what is asked for",
		"Grant {client} at {host} what {scopes} needs, or ask for less in spec.scopes of {request}."},

	// Ory's fosite, which Hydra is made of, for an assertion whose jti it has seen (RFC 7523 section 3).
	{"jti_known", Credential, ReasonInvalidGrant, false,
		"the assertion was presented before, and is good for one use",
		"Put a new assertion into {traded}: {host} takes each once."},

	// Entra.
	{"invalid_instance", Configuration, ReasonInvalidInstance, false,
		"the authority's host is not one of Entra's",
		"Correct the host in the authority of {issuer}, which is {authority}."},

	// Names that MSAL gives to failures without an OAuth error.
	{"request_throttled", Throttled, ReasonThrottled, false,
		"the token service limits how often it is asked", waitForLimit},
	{"request_timeout", Transient, ReasonServerError, false,
		"the token service behind a proxy did not answer in time", waitForService},
	{"service_not_available", Transient, ReasonTemporarilyUnavailable, false,
		"the token service behind a proxy is not available", waitForService},
	{"non_parsable_oauth_error", Transient, ReasonMalformedResponse, false,
		"a proxy could not read the token service's answer", waitForService},
	{"http_status_not_200", Transient, ReasonMalformedResponse, false,
		"a proxy met an answer that was not successful", waitForService},
	{"not_found", Configuration, ReasonMalformedResponse, false,
		"there is no token endpoint at this address", correctEndpoint},
}
