// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Condition types of a TokenRequest. Issuers have the first and the last two.
const (
	// ConditionReady is always there. True: the Secret holds a token that matches the spec and
	// has not expired, whatever the last attempt did. False: it holds none. Of an issuer it says
	// whether requests can use it, as far as that shows without a token; no request waits for it.
	ConditionReady = "Ready"

	// ConditionIssued is always there. It is the outcome of the last acquisition; False with
	// Ready True means that a refresh failed and the last good token stays.
	ConditionIssued = "Issued"

	// ConditionThrottled is there, and True, while the STS has asked for no more calls.
	ConditionThrottled = "Throttled"

	// ConditionInteractionRequired is there, and True, while a person has to act at the STS: sign in, or
	// have a policy changed that blocks the client, such as one of Conditional Access.
	ConditionInteractionRequired = "InteractionRequired"

	// ConditionReconciling is kstatus's: there, and True, while a token is owed and on its way.
	ConditionReconciling = "Reconciling"

	// ConditionStalled is kstatus's: there, and True, while a token is owed and only a changed
	// spec, credential or issuer can bring it.
	ConditionStalled = "Stalled"
)

// Reasons of success.
const (
	// ReasonTokenValid is Ready's reason while the Secret holds a valid token.
	ReasonTokenValid = "TokenValid"

	// ReasonTokenIssued is Issued's reason after the STS gave a token.
	ReasonTokenIssued = "TokenIssued"

	// ReasonIssuerVerified is Ready's reason of an issuer whose credential is there and may be sent
	// to its STS, and whose metadata was found where it is needed. The STS alone knows whether it
	// takes the credential: no token is asked for.
	ReasonIssuerVerified = "IssuerVerified"

	// ReasonRetryScheduled is Reconciling's reason: the operator tries again by itself, a request at
	// status.nextAttemptAt, an issuer within minutes.
	ReasonRetryScheduled = "RetryScheduled"
)

// Reasons that the operator finds by itself, without a call to the STS.
const (
	// ReasonTokenExpired surfaces when the token in the Secret has expired and no new one came.
	// Look at the Issued condition for the cause.
	ReasonTokenExpired = "TokenExpired"

	// ReasonSecretConflict surfaces when a Secret of the wanted name exists that isn't ours, or is
	// another request's by right. Choose another spec.secret.name, delete that Secret, or have it consent
	// by the annotation sts.tokenrequest.dev/adoptable-by; another request has to give it up.
	ReasonSecretConflict = "SecretConflict"

	// ReasonSecretInvalid surfaces when the API server refuses the Secret as rendered, or when its
	// type can't be changed in place. Correct spec.secret.
	ReasonSecretInvalid = "SecretInvalid"

	// ReasonIssuerNotReady surfaces when the issuer that issuerRef names is missing or invalid, or of
	// a kind that this operator doesn't serve. Create or correct it. A token that was issued before
	// stays until it expires. An issuer whose own condition Ready is False stops nobody.
	ReasonIssuerNotReady = "IssuerNotReady"

	// ReasonIssuerNotAllowed surfaces when the ClusterTokenIssuer doesn't serve this namespace or
	// doesn't allow what is asked. Ask for what is allowed, or have the issuer's owner allow it. A
	// token that was issued before stays until it expires.
	ReasonIssuerNotAllowed = "IssuerNotAllowed"

	// ReasonSelectorInvalid surfaces at a ClusterTokenIssuer whose namespaceSelector can't be read.
	// Correct it; until then it serves nobody.
	ReasonSelectorInvalid = "SelectorInvalid"

	// ReasonCredentialNotFound surfaces when a Secret, ConfigMap, ServiceAccount or key that the issuer
	// or the grant refers to isn't there. Create it; the request goes on by itself.
	ReasonCredentialNotFound = "CredentialNotFound"

	// ReasonCredentialInvalid surfaces when a Secret or ConfigMap that the issuer or the grant refers to
	// holds something that can't be used, such as an empty secret, a CA bundle that isn't PEM, or a key
	// that its certificate doesn't belong to.
	ReasonCredentialInvalid = "CredentialInvalid"

	// ReasonCredentialNotAllowed surfaces when the annotation sts.tokenrequest.dev/allowed-hosts of a
	// Secret doesn't list the STS's host, when the annotation sts.tokenrequest.dev/allowed-audiences of
	// a ServiceAccount doesn't list the audience, or when that is the API server's own.
	ReasonCredentialNotAllowed = "CredentialNotAllowed"

	// ReasonCredentialRequired surfaces when the grant needs a credential and the issuer has none.
	// Set the issuer's credential.
	ReasonCredentialRequired = "CredentialRequired"

	// ReasonInvalidClaims surfaces when spec.claims is neither a JSON object nor the base64 of one.
	ReasonInvalidClaims = "InvalidClaims"

	// ReasonAssertionExpired surfaces when the assertion or subject token to be traded has expired.
	ReasonAssertionExpired = "AssertionExpired"

	// ReasonRefreshTokenLost surfaces when the operator was stopped between the STS's answer and its
	// writing down of the next refresh token, and the STS doesn't take the one before any more. Seed
	// a new refresh token, or sign in again.
	ReasonRefreshTokenLost = "RefreshTokenLost"

	// ReasonSubjectMismatch surfaces when somebody else signed in than expectedSubject names. Have
	// that person sign in, after asking for a new code by the annotation
	// sts.tokenrequest.dev/refresh-requested-at.
	ReasonSubjectMismatch = "SubjectMismatch"

	// ReasonSuspended surfaces when spec.suspend is true and the Secret holds no valid token.
	ReasonSuspended = "Suspended"

	// ReasonTemplateFailed surfaces when a token has come that a template of spec.secret.data can't
	// write: it has characters that readers of the file take apart differently, or the text gets too
	// long. Another template writes the same token, without a call. The Secret stays as it is.
	ReasonTemplateFailed = "TemplateFailed"

	// ReasonTemplateInvalid surfaces when a template of spec.secret.data can't be read, or has what
	// isn't allowed there. No token is asked for until it is corrected. The Secret stays as it is.
	ReasonTemplateInvalid = "TemplateInvalid"
)

// Reasons that come from the STS: CamelCase of the OAuth error.
const (
	// ReasonInvalidRequest is invalid_request (RFC 6749 section 5.2): the STS misses something in
	// the request, or doesn't take something that is there.
	ReasonInvalidRequest = "InvalidRequest"

	// ReasonInvalidClient is invalid_client (RFC 6749 section 5.2): client or credential is wrong.
	ReasonInvalidClient = "InvalidClient"

	// ReasonInvalidGrant is invalid_grant (RFC 6749 section 5.2): the assertion, code or refresh
	// token is invalid, expired or revoked.
	ReasonInvalidGrant = "InvalidGrant"

	// ReasonUnauthorizedClient is unauthorized_client (RFC 6749 section 5.2): the client may not
	// use this grant, or isn't known in this tenant.
	ReasonUnauthorizedClient = "UnauthorizedClient"

	// ReasonUnsupportedGrantType is unsupported_grant_type (RFC 6749 section 5.2).
	ReasonUnsupportedGrantType = "UnsupportedGrantType"

	// ReasonInvalidScope is invalid_scope (RFC 6749 section 5.2): a scope is unknown or not allowed.
	ReasonInvalidScope = "InvalidScope"

	// ReasonInvalidTarget is invalid_target (RFC 8693 section 2.2.2, RFC 8707 section 2).
	ReasonInvalidTarget = "InvalidTarget"

	// ReasonInvalidResource is Microsoft Entra's invalid_resource: the resource isn't in the tenant.
	ReasonInvalidResource = "InvalidResource"

	// ReasonInteractionRequired is interaction_required: a person has to sign in.
	ReasonInteractionRequired = "InteractionRequired"

	// ReasonLoginRequired is login_required: a person has to sign in.
	ReasonLoginRequired = "LoginRequired"

	// ReasonConsentRequired is consent_required: an administrator or user has to consent.
	ReasonConsentRequired = "ConsentRequired"

	// ReasonAccessDenied is access_denied: a person or a policy refused.
	ReasonAccessDenied = "AccessDenied"

	// ReasonInvalidInstance is invalid_instance: the authority's host is unknown.
	ReasonInvalidInstance = "InvalidInstance"

	// ReasonAuthorizationPending is authorization_pending (RFC 8628 section 3.5): nobody has signed
	// in yet.
	ReasonAuthorizationPending = "AuthorizationPending"

	// ReasonSlowDown is slow_down (RFC 8628 section 3.5).
	ReasonSlowDown = "SlowDown"

	// ReasonAuthorizationDeclined is authorization_declined: the person refused.
	ReasonAuthorizationDeclined = "AuthorizationDeclined"

	// ReasonBadVerificationCode is bad_verification_code: the device code is unknown.
	ReasonBadVerificationCode = "BadVerificationCode"

	// ReasonExpiredToken is expired_token (RFC 8628 section 3.5): the device code ran out.
	ReasonExpiredToken = "ExpiredToken"

	// ReasonTemporarilyUnavailable is temporarily_unavailable (RFC 6749 section 4.1.2.1).
	ReasonTemporarilyUnavailable = "TemporarilyUnavailable"

	// ReasonThrottled surfaces on HTTP 429 and on any refusal that carries a Retry-After.
	ReasonThrottled = "Throttled"

	// ReasonServerError surfaces on HTTP 5xx and server_error.
	ReasonServerError = "ServerError"

	// ReasonConnectionFailed surfaces when no answer came: name, route, TLS or timeout.
	ReasonConnectionFailed = "ConnectionFailed"

	// ReasonMalformedResponse surfaces when the answer isn't one that OAuth knows.
	ReasonMalformedResponse = "MalformedResponse"

	// ReasonRedirectRefused surfaces when the STS answers with a redirect, which is never followed:
	// the request carries a credential. Write the address that it leads to.
	ReasonRedirectRefused = "RedirectRefused"

	// ReasonEndpointRefused surfaces when the operator may not call the STS's address: not https,
	// loopback or link-local, or a host that --allowed-hosts or --denied-cidrs rules out.
	ReasonEndpointRefused = "EndpointRefused"

	// ReasonUnknownError surfaces for an error code that nobody here knows; it stands, bounded, in
	// status.lastError.error.
	ReasonUnknownError = "UnknownError"
)
