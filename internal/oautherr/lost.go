// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

import "net/http"

// Lost says that the server may have done what it was asked to, and that its
// answer got lost: on the way, behind a gateway that got none (502, 504), or in
// a success that nobody understands. What is good for one use may be used up
// then (RFC 9700 section 4.14.2); after any other failure it is as good as
// before. The zero value was never sent.
func (e *Error) Lost() bool {
	switch e.HTTPStatus {
	case 0:
		return e.Sent
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	default:
		return e.succeeded()
	}
}
