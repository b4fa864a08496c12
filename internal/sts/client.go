// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"tokenrequest.dev/operator/internal/oautherr"
)

// Options are what a Client is made of. Now and NewCorrelationID must be set.
type Options struct {
	// Now tells the time: when a request was sent, and how old metadata is.
	Now func() time.Time
	// NewCorrelationID returns a fresh UUID for each token request.
	NewCorrelationID func() string
	// AllowLoopback permits loopback addresses and "localhost", for
	// demonstrations and tests.
	AllowLoopback bool
	// DeniedCIDRs are addresses that no call may go to, beside those that none
	// ever may.
	DeniedCIDRs []netip.Prefix
	// AllowedHosts are the hosts that calls may go to: each stands for itself
	// and for every host below it. Empty allows all.
	AllowedHosts []string
	// UserAgent is sent with each request; empty sends none.
	UserAgent string
}

// Client asks token services. It keeps connections and metadata and is safe for
// concurrent use. Use [New] to make one.
type Client struct {
	now              func() time.Time
	newCorrelationID func() string
	userAgent        string
	egress           egress

	mu          sync.Mutex
	transports  *lru[string, *http.Transport]
	metadata    *lru[metadataKey, knownMetadata]
	discoveries map[metadataKey]*discovery // under way
}

// New returns a client. It panics when the clock or the source of correlation
// ids is missing.
func New(o Options) *Client {
	if o.Now == nil || o.NewCorrelationID == nil {
		panic("sts: Now and NewCorrelationID must be set")
	}
	return &Client{
		now:              o.Now,
		newCorrelationID: o.NewCorrelationID,
		userAgent:        o.UserAgent,
		egress:           newEgress(o),
		transports:       newLRU[string, *http.Transport](maxTransports),
		metadata:         newLRU[metadataKey, knownMetadata](maxMetadata),
		discoveries:      map[metadataKey]*discovery{},
	}
}

// Token asks for one token. It makes exactly one POST, which is sent anew only
// when the connection for it failed: then the request never left. Redirects are
// refused, not followed.
//
// Neither the error nor what the token says of itself holds anything that the
// request kept secret. The error reports Canceled when
// the call was cut short because ctx was cancelled.
func (c *Client) Token(ctx context.Context, r Request) (*Token, *oautherr.Error) {
	if refused := c.CheckURL(r.Endpoint); refused != nil {
		return nil, refused
	}
	if refused := r.check(); refused != nil {
		return nil, refused
	}
	id := c.newCorrelationID()
	token, err := c.exchangeToken(ctx, r.call(id), r.secrets())
	if err != nil {
		err = err.Redact(r.secrets()...)
		if err.CorrelationID == "" {
			err.CorrelationID = id
		}
		return nil, err
	}
	token.CorrelationID = id
	return token, nil
}

func (c *Client) exchangeToken(ctx context.Context, k call, secrets []string) (*Token, *oautherr.Error) {
	answer, err := c.exchange(ctx, k)
	if err != nil {
		return nil, err
	}
	return parseToken(answer.body, answer.sent, secrets...)
}

// Authorize is not written yet.
func (c *Client) Authorize(ctx context.Context, r Request) (*DeviceAuthorization, *oautherr.Error) {
	panic("not written yet")
}
