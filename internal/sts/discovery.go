// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"tokenrequest.dev/operator/internal/oautherr"
)

const (
	// maxMetadata bounds how many documents are kept.
	maxMetadata = 1024
	// metadataFresh is how long a document is used without a question.
	metadataFresh = 24 * time.Hour
	// metadataStaleRetry is how long an old document is used before a refresh
	// that failed is tried again.
	metadataStaleRetry = 5 * time.Minute
)

type metadataKey struct{ authority, transport string }

func keyOf(authority string, t Transport) metadataKey {
	return metadataKey{trimAuthority(authority), t.Identity()}
}

type knownMetadata struct {
	Metadata
	fresh time.Time // until when it is used without a question
}

// Known returns the authority's metadata when no call is needed for it: that of
// Entra, computed, or that of a discovery of the last 24 hours.
func (c *Client) Known(authority string, t Transport) (Metadata, bool) {
	if m, ok := entra(authority); ok {
		return m, true
	}
	m, ok := c.remembered(keyOf(authority, t.public()))
	if !ok || !c.now().Before(m.fresh) {
		return Metadata{}, false
	}
	return m.Metadata, true
}

// Discover returns the authority's metadata, with a call if it isn't Known: for
// OpenID Connect's document, and where the server has none, for that of RFC
// 8414. No client certificate is presented. An old document is better than none:
// it is used while discovery fails, whatever the reason, unless ctx was cancelled.
// Each of its calls ends after 20 seconds, and all of it when nobody waits any more.
// Whoever asks for the same document meanwhile shares the calls and what comes of
// them, each for as long as its own ctx lasts.
func (c *Client) Discover(ctx context.Context, authority string, t Transport) (Metadata, *oautherr.Error) {
	if err := c.CheckURL(authority); err != nil {
		return Metadata{}, err
	}
	t = t.public()
	if m, ok := c.Known(authority, t); ok {
		return m, nil
	}
	key := keyOf(authority, t)
	if ctx.Err() != nil {
		return c.outdated(key, oautherr.FromTransport(context.Cause(ctx)))
	}
	d := c.join(ctx, key, t)
	defer c.leave(key, d)
	select {
	case <-d.done:
		return d.metadata, d.err
	case <-ctx.Done():
		err := oautherr.FromTransport(context.Cause(ctx))
		err.Sent = d.connected.Load() && !err.Canceled()
		return c.outdated(key, err)
	}
}

// discovery is a document on its way, and what came of it once done is closed.
type discovery struct {
	cancel    context.CancelFunc
	waiting   int // guarded by the client's mutex
	connected atomic.Bool
	done      chan struct{}
	metadata  Metadata
	err       *oautherr.Error
}

// join returns the discovery that is under way, or begins one. It goes on while
// anybody waits for it, whatever time the one has who was first.
func (c *Client) join(ctx context.Context, key metadataKey, t Transport) *discovery {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, underWay := c.discoveries[key]
	if !underWay {
		ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		d = &discovery{cancel: cancel, done: make(chan struct{})}
		c.discoveries[key] = d
		go func() {
			d.metadata, d.err = c.discover(ctx, key, t, d)
			c.land(key, d)
		}()
	}
	d.waiting++
	return d
}

// leave ends a discovery that nobody waits for any more.
func (c *Client) leave(key metadataKey, d *discovery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d.waiting--; d.waiting == 0 {
		d.cancel()
		c.forget(key, d)
	}
}

func (c *Client) land(key metadataKey, d *discovery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(key, d)
	close(d.done)
}

// forget lets nobody join a discovery that has ended. The next may be under way.
func (c *Client) forget(key metadataKey, d *discovery) {
	if c.discoveries[key] == d {
		delete(c.discoveries, key)
	}
}

func (c *Client) discover(ctx context.Context, key metadataKey, t Transport, d *discovery) (Metadata, *oautherr.Error) {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { d.connected.Store(true) },
	})
	m, err := c.fetchMetadata(ctx, key.authority, t)
	if err != nil {
		return c.outdated(key, err)
	}
	return c.remember(key, m, metadataFresh), nil
}

// outdated returns the old document where there is one, and else why there is no
// new one.
func (c *Client) outdated(key metadataKey, err *oautherr.Error) (Metadata, *oautherr.Error) {
	if old, ok := c.remembered(key); ok && !err.Canceled() {
		return c.remember(key, old.Metadata, metadataStaleRetry), nil
	}
	return Metadata{}, err
}

// fetchMetadata asks for the document at the places where it may be.
func (c *Client) fetchMetadata(ctx context.Context, authority string, t Transport) (Metadata, *oautherr.Error) {
	openID, oauth, err := metadataURLs(authority)
	if err != nil {
		return Metadata{}, err
	}
	answer, err := c.exchange(ctx, call{method: http.MethodGet, url: openID, transport: t})
	if first := err; isNotHere(first) {
		answer, err = c.exchange(ctx, call{method: http.MethodGet, url: oauth, transport: t})
		if isNotHere(err) && first.Reason == oautherr.ReasonRedirectRefused {
			err = first // it says more: where the document may be
		}
	}
	if err != nil {
		return Metadata{}, err
	}
	return c.egress.parseMetadata(answer.body, authority)
}

// isNotHere reports an answer which says that the document isn't at this place:
// a 404 in any dress, such as Keycloak's {"error":"Realm does not exist"}, or a
// redirect, perhaps to a sign-in page. After any other a second call would only
// add to a server's troubles.
func isNotHere(err *oautherr.Error) bool {
	return err != nil && err.Class == oautherr.Configuration &&
		err.Reason != oautherr.ReasonEndpointRefused && err.Reason != oautherr.ReasonConnectionFailed
}

// metadataURLs returns where an authority's documents are: OpenID Connect
// appends to the path (Discovery 1.0 section 4), RFC 8414 puts the well-known
// part before it (section 3.1).
func metadataURLs(authority string) (openID, oauth string, refused *oautherr.Error) {
	u, err := url.Parse(authority)
	if err != nil || u.RawQuery != "" || u.ForceQuery {
		return "", "", oautherr.Refused(oautherr.ReasonEndpointRefused, "the authority has a query")
	}
	origin := "https://" + u.Host
	return authority + "/.well-known/openid-configuration",
		origin + "/.well-known/oauth-authorization-server" + u.EscapedPath(), nil
}

func trimAuthority(authority string) string { return strings.TrimSuffix(authority, "/") }

func (c *Client) remembered(key metadataKey) (knownMetadata, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.metadata.get(key)
}

func (c *Client) remember(key metadataKey, m Metadata, fresh time.Duration) Metadata {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.metadata.put(key, knownMetadata{Metadata: m, fresh: c.now().Add(fresh)})
	return m
}
