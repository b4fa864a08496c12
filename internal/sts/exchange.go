// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"tokenrequest.dev/operator/internal/oautherr"
)

const (
	// defaultTimeout ends a call whose caller set none: MSAL Python waits for
	// ever, MSAL Go 30 s.
	defaultTimeout = 20 * time.Second
	// maxBody is the largest answer that is read. Entra's tokens with many group
	// claims have some 20 KiB.
	maxBody = 1 << 20
)

// call is an HTTP request that can be sent again.
type call struct {
	method    string
	url       string
	header    http.Header
	body      string
	transport Transport
	timeout   time.Duration
	trades    oautherr.Grant // what is traded, which decides what a refusal means
}

// answer is the body of a success, and when its request was sent.
type answer struct {
	body []byte
	sent time.Time
}

// exchange makes the call and returns the body of a success. One deadline covers
// connecting, the one retry and the answer's body.
func (c *Client) exchange(ctx context.Context, k call) (answer, *oautherr.Error) {
	transport, refused := c.transport(k.transport)
	if refused != nil {
		return answer{}, refused
	}
	if k.timeout <= 0 {
		k.timeout = defaultTimeout
	}
	limited, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	a := c.send(limited, transport, k)
	if a.err != nil {
		failure := oautherr.FromTransport(a.err)
		failure.Sent = a.connected && failure.Class != oautherr.Client
		return answer{}, failure
	}
	a.response.Grant = k.trades
	return answer{body: a.response.Body, sent: a.sent}, oautherr.FromResponse(a.response, c.now())
}

// attempt is what came of sending a request once.
type attempt struct {
	sent      time.Time
	connected bool // a connection, with TLS established, was there to write to
	response  oautherr.Response
	err       error // why there is no response
}

// send sends the request, and sends it again when no connection came about: DNS,
// connect or the TLS handshake failed, so not a byte of the request was written.
// Later failures aren't repeated: the server may have issued a token for it, or
// spent what was traded in. Nor is what the next attempt can't change: a refusal
// of our own, a certificate that isn't accepted.
func (c *Client) send(ctx context.Context, transport *http.Transport, k call) attempt {
	first := c.attempt(ctx, transport, k)
	if first.err == nil || first.connected || oautherr.FromTransport(first.err).Class != oautherr.Transient {
		return first
	}
	return c.attempt(ctx, transport, k)
}

// attempt uses the transport itself: unlike an http.Client that follows no
// redirect and keeps no cookie.
func (c *Client) attempt(ctx context.Context, transport *http.Transport, k call) attempt {
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	request, err := http.NewRequestWithContext(ctx, k.method, k.url, strings.NewReader(k.body))
	if err != nil {
		return attempt{err: err}
	}
	// With GetBody net/http would send the request again by itself: over HTTP/2
	// up to seven times, and also when the server may have acted on it
	// (golang/go#47635).
	request.GetBody = nil
	maps.Copy(request.Header, k.header)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", c.userAgent)
	sent := c.now().UTC().Truncate(time.Second)
	response, err := transport.RoundTrip(request)
	if err != nil {
		// As from an http.Client: oautherr knows a proxy's 407 by it.
		err = &url.Error{Op: k.method, URL: k.url, Err: whyEnded(ctx, err)}
		return attempt{connected: connected.Load(), err: err}
	}
	defer response.Body.Close()
	return attempt{sent: sent, connected: true, response: readResponse(ctx, response)}
}

// readResponse reads the answer up to maxBody.
func readResponse(ctx context.Context, response *http.Response) oautherr.Response {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil || !json.Valid(body) {
		// A server that notices the end of our call may end its answer in good
		// order, halfway: that is our doing, not a malformed answer.
		err = whyEnded(ctx, err)
	}
	return oautherr.Response{
		Status:    response.StatusCode,
		Header:    response.Header,
		Body:      body[:min(len(body), maxBody)],
		Truncated: len(body) > maxBody,
		ReadErr:   err,
	}
}

// whyEnded returns what ended a call: the cancellation, whatever that looks like
// from below; else err; else the deadline, if it has passed.
func whyEnded(ctx context.Context, err error) error {
	if ended := ctx.Err(); err == nil || errors.Is(ended, context.Canceled) {
		return ended
	}
	return err
}
