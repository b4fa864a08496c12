// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"context"

	"tokenrequest.dev/operator/internal/oautherr"
)

// Service is what the operator asks of token services. [Client] is one; what
// decorates a Service is another.
type Service interface {
	// Known returns an authority's metadata where that needs no call.
	Known(authority string, t Transport) (Metadata, bool)
	// Discover returns an authority's metadata, with a call if it isn't Known.
	Discover(ctx context.Context, authority string, t Transport) (Metadata, *oautherr.Error)
	// CheckURL refuses an address that may not be called, as far as that can be
	// told without a call.
	CheckURL(address string) *oautherr.Error
	// CheckProxy refuses likewise a proxy that no call may go through; "" is the
	// environment's.
	CheckProxy(address string) *oautherr.Error
	// Token asks for a token, with one POST.
	Token(ctx context.Context, r Request) (*Token, *oautherr.Error)
	// Authorize asks for a device code, with one POST to the request's endpoint,
	// which is a device authorization endpoint (RFC 8628 section 3.1).
	Authorize(ctx context.Context, r Request) (*DeviceAuthorization, *oautherr.Error)
}

var _ Service = (*Client)(nil)
