// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
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
	// AllowedHosts are the hosts that calls may go to, and through as a proxy that
	// a request names: each stands for itself and for every host below it. Empty
	// allows all.
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
	if refused := c.check(r); refused != nil {
		return nil, refused
	}
	if refused := r.checkGrant(); refused != nil {
		return nil, refused
	}
	var token *Token
	form := r.tokenForm()
	id, err := c.ask(ctx, r, form, r.Grant.Trades(), func(a answer, secrets []string) (err *oautherr.Error) {
		token, err = parseToken(a.body, a.sent, form.Get("scope"), secrets...)
		return err
	})
	if err != nil {
		return nil, err
	}
	token.CorrelationID = id
	return token, nil
}

// Authorize asks for a device code (RFC 8628 section 3.1) as Token asks for a
// token: with one POST, to the request's Endpoint. The Grant doesn't matter.
func (c *Client) Authorize(ctx context.Context, r Request) (*DeviceAuthorization, *oautherr.Error) {
	if refused := c.check(r); refused != nil {
		return nil, refused
	}
	var device *DeviceAuthorization
	// Nobody has signed in yet: whatever is wrong, it is the client.
	_, err := c.ask(ctx, r, r.deviceForm(), oautherr.GrantClient, func(a answer, secrets []string) (err *oautherr.Error) {
		device, err = parseDeviceAuthorization(a.body, a.sent, secrets...)
		return err
	})
	return device, err
}

func (c *Client) check(r Request) *oautherr.Error {
	if refused := c.CheckURL(r.Endpoint); refused != nil {
		return refused
	}
	return r.check()
}

// ask sends the form with the client's authentication and has the body of a
// success read. It returns the request's correlation id.
func (c *Client) ask(
	ctx context.Context, r Request, form url.Values, trades oautherr.Grant, read func(answer, []string) *oautherr.Error,
) (string, *oautherr.Error) {
	id := c.newCorrelationID()
	signed, refused := c.sign(r)
	if refused != nil {
		return id, refused
	}
	secrets := signed.secrets()
	a, err := c.exchange(ctx, signed.call(id, form, trades))
	if err == nil {
		err = read(a, secrets)
	}
	if err = err.Redact(secrets...); err != nil && err.CorrelationID == "" {
		err.CorrelationID = id
	}
	return id, err
}

// sign puts a fresh assertion into a request with a key: a server may take each
// jti but once (RFC 7523 section 3).
func (c *Client) sign(r Request) (Request, *oautherr.Error) {
	if r.Auth != AuthPrivateKeyJWT || r.Key == nil {
		return r, nil
	}
	assertion, err := r.Key.assert(r.ClientID, r.Endpoint, c.newCorrelationID(), c.now())
	if err != nil {
		return r, oautherr.Refused(oautherr.ReasonInvalidClient, err.Error())
	}
	r.ClientAssertion = assertion
	return r, nil
}
