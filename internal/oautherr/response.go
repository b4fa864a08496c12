// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

import (
	"bytes"
	"net/http"
	"time"
)

// Response is an HTTP answer of a token service, read as far as it went.
type Response struct {
	// Status is the HTTP status code.
	Status int
	// Header is the answer's header; nil counts as empty.
	Header http.Header
	// Body is what arrived of the body, undecoded, within the caller's cap.
	Body []byte
	// Truncated says that the caller's cap cut the body.
	Truncated bool
	// ReadErr is what ended the body early, such as a reset or a deadline.
	ReadErr error
	// Grant is what the request traded for a token; it decides what
	// invalid_grant and access_denied mean. The zero value is GrantClient.
	Grant Grant
}

// Grant says what a request traded for a token.
type Grant string

// The grants, as far as they change what a refusal means.
const (
	// GrantClient: nothing but the client's own credential (client credentials).
	GrantClient Grant = ""
	// GrantUser: what a user's sign-in left: a refresh token, and the token that
	// another party presents on behalf of its user.
	GrantUser Grant = "User"
	// GrantDevice: a user's sign-in that is under way (a device code).
	GrantDevice Grant = "Device"
	// GrantAssertion: a token of somebody else's making: JWT bearer, token
	// exchange.
	GrantAssertion Grant = "Assertion"
)

// What an answer that OAuth cannot explain looked like.
const (
	detailEmpty     = "the body is empty"
	detailNoObject  = "the body is not one JSON object"
	detailTooLarge  = "the body is larger than the operator accepts"
	detailNoError   = "the body has no OAuth error"
	detailErrorType = `the "error" in the body is no OAuth error code`
)

// FromResponse returns what went wrong, or nil when r is a 2xx answer whose
// complete body is one JSON object without `error`. An `error` of null or ""
// counts as absent, since some servers serialize every member they know. Whether
// a nil answer holds a usable token is for the caller to judge. now is when the
// answer arrived.
//
// Where the body of a refusal has no `error`, a WWW-Authenticate field may have
// it: gateways that stand before a token service answer like a resource (RFC
// 6750 section 3).
//
// A body's media type is not consulted: servers label JSON as text and HTML as
// JSON. A leading UTF-8 byte order mark is skipped.
func FromResponse(r Response, now time.Time) *Error {
	found, isObject := readMembers(r.Body)
	isObject = isObject && !r.Truncated

	e := &Error{HTTPStatus: r.Status}
	success := e.succeeded()
	e.RetryAfter, _ = ParseRetryAfter(r.Header, now)
	if isObject {
		e.read(found)
	}
	e.readChallenge(r.Header)
	switch {
	case e.Code != "":
	case r.ReadErr != nil && (success || !isObject && !statusTells(r.Status)):
		return e.brokenOff(r.ReadErr)
	case success && isObject && !isPresent(found):
		return nil
	default:
		e.Detail = whyUnusable(r, found, isObject)
	}
	e.identify(r.Header)
	e.classify(r.Grant)
	return e.Redact(found.secrets()...)
}

// read takes the whitelisted members over.
func (e *Error) read(m members) {
	e.Code = line(m.text("error"), maxExamined)
	e.Suberror = m.text("suberror")
	e.Claims = m.text("claims")
	e.ErrorURI = m.text("error_uri")
	e.CorrelationID = m.text("correlation_id")
	e.TraceID = m.text("trace_id")
	e.Timestamp = m.text("timestamp")
	e.Codes = boundNumbers(m.numbers("error_codes"))
	e.describe(m.text("error_description"))
}

// identify takes Entra's ids from the header where the body has none: a
// plain-text 429 (msal-dotnet#2855) has no other place for them.
func (e *Error) identify(h http.Header) {
	if e.CorrelationID == "" {
		e.CorrelationID = h.Get("client-request-id")
	}
	if e.TraceID == "" {
		e.TraceID = h.Get("x-ms-request-id")
	}
}

// brokenOff keeps of e what the header of an incomplete answer said.
func (e *Error) brokenOff(readErr error) *Error {
	broken := *FromTransport(readErr)
	broken.HTTPStatus = e.HTTPStatus
	broken.RetryAfter = e.RetryAfter
	broken.bound()
	return &broken
}

// statusTells reports that the status alone explains the failure, whether or not
// the body arrived.
func statusTells(status int) bool {
	return status >= 300 && status <= 399 || status >= 500 || status == http.StatusTooManyRequests
}

// isPresent reports that an `error` member exists that says something, be it
// not a string.
func isPresent(m members) bool {
	value, present := m["error"]
	return present && string(value) != `""`
}

func whyUnusable(r Response, found members, isObject bool) string {
	switch {
	case r.Truncated:
		return detailTooLarge
	case len(bytes.TrimSpace(r.Body)) == 0:
		return detailEmpty
	case !isObject:
		return detailNoObject
	case isPresent(found):
		return detailErrorType
	default:
		return detailNoError
	}
}
