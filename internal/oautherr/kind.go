// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

import (
	"net/http"
	"slices"
	"time"
)

// Kind says which gate remembers an Error.
type Kind string

// The kinds.
const (
	// KindNone: nothing remembers it, because the caller gave up.
	KindNone Kind = ""
	// KindRateLimited: the rate gate, shared by all who ask as this client for
	// these scopes.
	KindRateLimited Kind = "RateLimited"
	// KindUnavailable: the error gate, with exponential growth.
	KindUnavailable Kind = "Unavailable"
	// KindRefused: the negative cache of this very request.
	KindRefused Kind = "Refused"
	// KindPending: no gate; the device-code poll goes on at its interval, which
	// RetryAfter, where it is set, lengthens.
	KindPending Kind = "Pending"
)

// Kind returns which gate remembers e. It depends on stored fields only, so a
// restored Error has the kind it had.
//
// Retry-After makes a rate limit of every answer but a definite refusal: it
// states when the server wants to hear from us again (RFC 9110 section 10.2.3).
// A refusal stays one, whose own memory is the longer: behind a gateway that
// puts "Retry-After: 1" on each answer, a wrong secret would be sent every
// second. See [Error.AsksToWait].
func (e *Error) Kind() Kind {
	switch {
	case e.Canceled():
		return KindNone
	case e.HTTPStatus == http.StatusTooManyRequests:
		return KindRateLimited
	case e.pending():
		return KindPending
	case e.Class == Throttled:
		return KindRateLimited
	case e.HTTPStatus < http.StatusInternalServerError && e.Class != Transient && e.spoken():
		return KindRefused
	case e.RetryAfter > 0:
		return KindRateLimited
	default:
		return KindUnavailable
	}
}

// AsksToWait reports that the server asks not to be called for some time, by
// this client and for these scopes, whatever else e says.
func (e *Error) AsksToWait() bool { return e.Kind() == KindRateLimited || e.Pause() > 0 }

// Permanent reports that only a changed spec, a changed credential, a changed
// issuer or a person at the token service can help; kstatus calls that Stalled.
//
// A refusal that may be a change on its way is not permanent: whoever knows
// since when it lasts decides when Propagating stops counting. Nor is an answer
// that did not come from the OAuth protocol, because a proxy or an ingress in
// front of a restarting server gives the same 404.
func (e *Error) Permanent() bool {
	switch {
	case e.Propagating, e.Canceled(), e.pending():
		return false
	case e.Class == Throttled, e.Class == Transient, e.HTTPStatus >= http.StatusInternalServerError:
		return false
	default:
		return e.Reason != ReasonMalformedResponse && e.Reason != ReasonUnknownError
	}
}

// Recalled returns an Error with as much of a former one as a status keeps, which
// is what [Error.Permanent] goes by.
func Recalled(class Class, reason Reason, httpStatus int, codes []int64) *Error {
	e := &Error{Class: class, Reason: reason, HTTPStatus: httpStatus, Codes: codes}
	e.propagates()
	return e
}

// Interaction reports that a person has to act at the token service before it
// issues anything: a user who signs in, or an administrator where Conditional
// Access blocks the client. Those numbers count whatever class their `error` and
// suberror gave, since Entra reports one policy as invalid_grant,
// interaction_required or access_denied, depending on the grant.
func (e *Error) Interaction() bool {
	if e.Class == Throttled || e.Class == Transient {
		return false
	}
	return e.Class == InteractionRequired || slices.ContainsFunc(e.Codes, conditionalAccess)
}

// conditionalAccess reports AADSTS530xx and its longer variants, such as 530032.
func conditionalAccess(number int64) bool {
	return number/100 == 530 || number/1000 == 530 || number/10_000 == 530
}

// loopPause is how long Microsoft wants a client to keep still that it has taken
// for a loop (AADSTS50196).
const loopPause = 5 * time.Minute

// Pause is how long nobody may ask again, counted from the answer: RetryAfter,
// and at least five minutes for a client that is taken for a loop, since each
// call within them prolongs the verdict. 0 leaves it to the caller. What a
// device-code poll expects has none, because a client's other requests must not
// wait for a user who is still typing.
func (e *Error) Pause() time.Duration {
	if e.pending() {
		return 0
	}
	if slices.Contains(e.Codes, 50196) {
		return max(e.RetryAfter, loopPause)
	}
	return e.RetryAfter
}

func (e *Error) pending() bool {
	return e.Reason == ReasonAuthorizationPending || e.Reason == ReasonSlowDown
}

// spoken reports that the refusal is one in OAuth's terms or our own, rather
// than a failure to have the conversation at all.
func (e *Error) spoken() bool {
	switch e.Reason {
	case ReasonConnectionFailed, ReasonRedirectRefused:
		return false
	case ReasonMalformedResponse:
		// A bare 401 says what OAuth's own 401 does.
		return e.HTTPStatus == http.StatusUnauthorized
	default:
		return true
	}
}
