// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

import (
	"net/http"
	"slices"
)

// Remedy returns one sentence, at most 1024 bytes: what a person does now. It is
// a pure function of what stays the same from attempt to attempt.
func (e *Error) Remedy(s Subject) string {
	text := e.remedy(s)
	switch {
	case s.SignsIn && text == signInAgain:
		text = newCode
	case s.SignsIn && text == meetClaims:
		text = newClaims
	}
	return cut(s.fill(text), maxRemedy)
}

// remedy picks the text: who answered and whether, then what was said.
func (e *Error) remedy(s Subject) string {
	switch {
	case e.Class == Throttled:
		// A server that throttles says nothing about the credential.
		if numbered, ok := lookupNumbers(e.Codes); ok && numbered.class == Throttled {
			return numbered.remedy
		}
		return waitForLimit
	case e.Reason == ReasonConnectionFailed:
		return e.failure().remedy
	case e.Reason == ReasonRedirectRefused:
		return nameTarget
	case e.HTTPStatus == 0:
		return e.refusedRemedy()
	default:
		return e.spokenRemedy(s)
	}
}

// spokenRemedy goes by what the AADSTS numbers say, which is the most exact, then
// by the `error`, then by the status.
func (e *Error) spokenRemedy(s Subject) string {
	numbered, isNumbered := lookupNumbers(e.Codes)
	aboutUser := !isNumbered || numbered.class == InteractionRequired
	switch {
	case s.Grant == GrantClient && aboutUser && e.clientRemedy() != "":
		return e.clientRemedy()
	case e.Class == InteractionRequired && e.Claims != "":
		// A sign-in that doesn't meet the challenge is answered with the same one.
		return meetClaims
	case isNumbered:
		return numbered.remedy
	case e.Code == "":
		return e.statusRemedy()
	default:
		return e.errorRemedy(s)
	}
}

// deviceErrors are those of the device authorization grant (RFC 8628 section 3.5)
// and Entra's.
var deviceErrors = []string{
	"authorization_pending", "slow_down", "expired_token", "code_expired", "authorization_declined", "bad_verification_code",
}

// clientRemedy is for what makes no sense to a client that asks for itself: it
// has no user and trades no token. "" is for all else.
func (e *Error) clientRemedy() string {
	switch {
	case e.Code == "invalid_token":
		return checkAnswerer // a gateway wants a token, where a token service issues them
	case slices.Contains(deviceErrors, e.Code):
		return findDevice
	case e.Class != InteractionRequired:
		return ""
	case e.Claims != "":
		return tryClaims
	default:
		return wantsUser
	}
}

// errorRemedy is for an `error` without a known number.
func (e *Error) errorRemedy(s Subject) string {
	entry, known := lookupError(e.Code)
	switch {
	case e.Code == "invalid_grant" && e.grantRemedy(s) != "":
		return e.grantRemedy(s)
	case e.Code == "access_denied" && e.Class == InteractionRequired:
		return newCode
	case e.Code == "invalid_client" && s.Assertion != nil:
		return trustClient
	case known:
		return entry.remedy
	case e.Class == Transient:
		return waitForService
	default:
		return askReference
	}
}

// grantRemedies are those of invalid_grant where its suberror made it another
// class than Credential.
var grantRemedies = map[Class]string{InteractionRequired: signInAgain, Permission: permitGrant, Configuration: ownGrant}

// grantRemedy is for an invalid_grant about which more is known than that: its
// class, or where what was traded comes from. "" is for all else.
func (e *Error) grantRemedy(s Subject) string {
	if known := grantRemedies[e.Class]; known != "" || s.Traded == "" {
		return known
	}
	return replaceTraded
}

// refusedRemedy is for a call that the operator declined to make.
func (e *Error) refusedRemedy() string {
	i := slices.IndexFunc(oauthErrors, func(entry Entry) bool { return entry.Reason == e.Reason })
	if i < 0 {
		return permitEndpoint
	}
	return oauthErrors[i].remedy
}

// noAnswer are the details of what need not come from a token service at all.
var noAnswer = []string{detailEmpty, detailNoObject, detailTooLarge}

// statusRemedy is for an answer without an OAuth error.
func (e *Error) statusRemedy() string {
	switch {
	case e.Detail == detailOtherIssuer:
		return matchIssuer
	case e.succeeded() && !slices.Contains(noAnswer, e.Detail):
		return mendAnswer
	}
	if known, ok := statuses[e.HTTPStatus]; ok {
		return known.remedy
	}
	if e.HTTPStatus >= http.StatusInternalServerError {
		return waitForService
	}
	return checkAnswerer
}
