// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

import (
	"net/http"
	"slices"
)

// classify decides class and reason in the order of what is most reliable: HTTP
// 429, the `error`, its suberror and claims, and last the status. AADSTS numbers
// choose the remedy and Propagating only: Microsoft documents that they change,
// and AADSTS70021 alone has changed its `error` once and its number twice
// (azure-workload-identity#340, external-secrets#2783).
func (e *Error) classify(grant Grant) {
	e.Class, e.Reason = e.verdict(grant)
	if e.Class == Throttled {
		// That is all there is to know: Entra's 429 is plain text, and what is odd
		// about its body would only distract.
		e.Detail = ""
	}
	e.propagates()
}

// propagates sets Propagating from class and numbers.
func (e *Error) propagates() {
	if e.Class == Throttled || e.Class == Transient {
		return
	}
	if row, known := lookupNumbers(e.Codes); known {
		e.Propagating = row.propagating
	}
}

func (e *Error) verdict(grant Grant) (Class, Reason) {
	if e.HTTPStatus == http.StatusTooManyRequests || slices.ContainsFunc(e.Codes, throttles) {
		return Throttled, ReasonThrottled
	}
	class, reason := e.spokenVerdict(grant)
	if e.RetryAfter == 0 || e.redirects() || e.succeeded() {
		return class, reason
	}
	// Retry-After turns an outage into a request to wait. It does not hide a
	// definite refusal: a gateway that adds the field to every answer would
	// otherwise make a wrong secret look like load. Kind honours it either way.
	if class == Transient || reason == ReasonMalformedResponse || reason == ReasonUnknownError {
		return Throttled, ReasonThrottled
	}
	return class, reason
}

// throttles reports the two numbers that are a rate limit whatever `error` they
// come with: AADSTS50196 arrives as invalid_grant (msal-dotnet#2808).
func throttles(number int64) bool { return number == 50196 || number == 90055 }

func (e *Error) spokenVerdict(grant Grant) (Class, Reason) {
	if e.Code == "" {
		return statusVerdict(e.HTTPStatus)
	}
	entry, known := lookupError(e.Code)
	switch {
	case e.Code == "invalid_grant":
		return e.invalidGrant(grant), entry.Reason
	case e.Code == "access_denied" && grant == GrantDevice:
		// RFC 8628 section 3.5: the user said no, and may say yes to another code.
		return InteractionRequired, entry.Reason
	case known:
		return entry.Class, entry.Reason
	case e.Claims != "" || interactive(e.Suberror):
		return InteractionRequired, ReasonUnknownError
	default:
		return unknownClass(e.HTTPStatus), ReasonUnknownError
	}
}

// invalidGrant follows MSAL.NET where a user can be asked, and asks nobody to
// sign in where there is no user.
func (e *Error) invalidGrant(grant Grant) Class {
	switch {
	case e.Suberror == "client_mismatch":
		return Configuration // a refresh token of another client
	case e.Suberror == "protection_policy_required", e.Suberror == "consent_required":
		return Permission
	case e.Claims != "", interactive(e.Suberror), grant == GrantUser, grant == GrantDevice:
		return InteractionRequired
	case e.Suberror == "message_only":
		return Permission // a policy that no sign-in satisfies
	default:
		return Credential
	}
}

// interactive reports Entra's suberrors that a user can act on.
func interactive(suberror string) bool {
	switch suberror {
	case "basic_action", "additional_action", "user_password_expired":
		return true
	default:
		return false
	}
}

// unknownClass classifies an `error` that the catalogue does not know.
func unknownClass(status int) Class {
	switch {
	case status == http.StatusUnauthorized:
		return Credential
	case status == http.StatusForbidden:
		return Permission
	case status >= http.StatusInternalServerError, status == http.StatusRequestTimeout:
		return Transient
	default:
		return Configuration
	}
}

// statusVerdict classifies an answer without an OAuth error.
func statusVerdict(status int) (Class, Reason) {
	switch {
	case status >= 300 && status <= 399:
		return Configuration, ReasonRedirectRefused
	case status >= 500 && status <= 599, status == http.StatusRequestTimeout:
		return Transient, ReasonServerError
	}
	if entry, known := statuses[status]; known {
		return entry.class, ReasonMalformedResponse
	}
	return Transient, ReasonMalformedResponse
}

func (e *Error) redirects() bool { return e.HTTPStatus >= 300 && e.HTTPStatus <= 399 }
func (e *Error) succeeded() bool { return e.HTTPStatus >= 200 && e.HTTPStatus <= 299 }
