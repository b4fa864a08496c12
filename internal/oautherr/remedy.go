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
	return cut(s.fill(e.remedy(s)), maxRemedy)
}

// remedy picks the text: what the AADSTS numbers say is the most exact, then the
// `error`, then the status.
func (e *Error) remedy(s Subject) string {
	numbered, isNumbered := lookupNumbers(e.Codes)
	switch {
	case e.Class == Throttled:
		// A server that throttles says nothing about the credential.
		if isNumbered && numbered.class == Throttled {
			return numbered.remedy
		}
		return waitForLimit
	case e.Reason == ReasonConnectionFailed:
		return e.failure().remedy
	case e.Reason == ReasonRedirectRefused:
		return nameTarget
	case e.HTTPStatus == 0:
		return e.refusedRemedy()
	case e.wantsUser(s) && (!isNumbered || numbered.class == InteractionRequired):
		return e.userlessRemedy()
	case isNumbered:
		return numbered.remedy
	case e.Code == "":
		return e.statusRemedy()
	default:
		return e.errorRemedy(s)
	}
}

// wantsUser reports that the token service wants to see a user where none can be
// sent: the client asks for itself.
func (e *Error) wantsUser(s Subject) bool {
	return e.Class == InteractionRequired && !e.pending() && s.Grant == GrantClient
}

func (e *Error) userlessRemedy() string {
	if e.Claims != "" {
		return tryClaims
	}
	return wantsUser
}

// errorRemedy is for an `error` without a known number.
func (e *Error) errorRemedy(s Subject) string {
	entry, known := lookupError(e.Code)
	switch {
	case e.Class == InteractionRequired && e.Claims != "":
		return meetClaims
	case e.Code == "invalid_grant" && e.Class == InteractionRequired:
		return signInAgain
	case e.Code == "invalid_grant" && e.Class == Permission:
		return permitGrant
	case e.Code == "invalid_token" && s.Grant == GrantClient:
		return checkAnswerer // nothing is traded: a gateway wants a token, where a token service issues them
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

// refusedRemedy is for a call that the operator declined to make.
func (e *Error) refusedRemedy() string {
	i := slices.IndexFunc(oauthErrors, func(entry Entry) bool { return entry.Reason == e.Reason })
	if i < 0 {
		return permitEndpoint
	}
	return oauthErrors[i].remedy
}

// statusRemedy is for an answer without an OAuth error.
func (e *Error) statusRemedy() string {
	if e.Detail == detailOtherIssuer {
		return matchIssuer
	}
	if known, ok := statuses[e.HTTPStatus]; ok {
		return known.remedy
	}
	if e.HTTPStatus >= http.StatusInternalServerError {
		return waitForService
	}
	return checkAnswerer
}
