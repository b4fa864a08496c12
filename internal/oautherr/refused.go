// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

import "net/http"

// Malformed returns the Error for a 2xx answer that is a JSON object and yet no
// usable one, such as a token answer without access_token. why completes the
// sentence "the answer cannot be used: ..."; it is the operator's own text and
// must never contain the server's.
func Malformed(why string) *Error {
	e := &Error{Class: Transient, Reason: ReasonMalformedResponse, Detail: why, HTTPStatus: http.StatusOK}
	e.bound()
	return e
}

const detailOtherIssuer = "the metadata's issuer is not the authority (RFC 8414 section 3.3)"

// OtherIssuer returns the Error for a metadata document that names another
// issuer than the authority that it was asked of.
func OtherIssuer() *Error { return Malformed(detailOtherIssuer) }

// Refused returns the Error for a call that the operator declined to make, such
// as one to a loopback address or to a host that is not allowed. why completes
// the sentence "no token was asked for: ..."; it is the operator's own text. The
// reason is mostly ReasonEndpointRefused.
func Refused(reason Reason, why string) *Error {
	e := &Error{Class: Configuration, Reason: reason, Detail: why}
	e.bound()
	return e
}
