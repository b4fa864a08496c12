// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

// call is one request that a token service got, for a token or for an authority's metadata.
type call struct {
	id       string
	process  *process
	metadata bool // for an authority's metadata

	key        rateKey
	credential string // whoever holds it, and its version
	question   string // what is asked, in all that tells requests apart
	asker      asking // whose reconcile made the call

	left time.Duration // true time
	sent time.Time     // by the wall clock

	reply chan answer

	// Set when the answer has been given, or the process that waited for it has died.
	over bool
	// Set when the answer has been given.
	answer       answer
	landed       time.Duration // true time
	landedCredit time.Duration
	sets         int // how often the wall clock had been set
	// collected: the request that asked has seen the answer.
	collected bool
}

func (c *call) outageKey() outageKey   { return outageKey{c.key, c.credential} }
func (c *call) refusalKey() refusalKey { return refusalKey{c.outageKey(), c.question} }

// outlived says that the token which the call has brought has ended.
func (c *call) outlived(now time.Time) bool {
	return c.answer.lifetime > 0 && !now.Before(c.sent.Truncate(time.Second).Add(c.answer.lifetime))
}

func (c *call) String() string {
	what := "the call"
	if c.metadata {
		what = "the discovery"
	}
	said := ""
	if c.answer.name != "" {
		said = ", answered: " + c.answer.name
	}
	return fmt.Sprintf("%s %s (%s at %s as %s for %q, with %s%s)", what, strings.TrimLeft(c.id, "0-4"), c.key.namespace, c.key.endpoint, c.key.client, c.key.scopes, c.credential, said)
}

// A process is its own sts.Service: what it has discovered dies with it.
var _ sts.Service = (*process)(nil)

// CheckURL allows every address.
func (p *process) CheckURL(string) *oautherr.Error { return nil }

// CheckProxy implements sts.Service.
func (p *process) CheckProxy(string) *oautherr.Error { return nil }

// Known returns what this process has discovered.
func (p *process) Known(authority string, _ sts.Transport) (sts.Metadata, bool) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	m, ok := p.known[authority]
	return m, ok
}

// Discover asks for an authority's metadata, unless they are known.
func (p *process) Discover(ctx context.Context, authority string, t sts.Transport) (sts.Metadata, *oautherr.Error) {
	if m, ok := p.Known(authority, t); ok {
		return m, nil
	}
	w := p.world
	c := w.discoveryOf(authority)
	c.process = p
	w.leaves(c)
	if e := w.await(ctx, c); e != nil {
		return sts.Metadata{}, e
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p.known[authority] = sts.Metadata{Issuer: authority, TokenEndpoint: commonEndpoint}
	return p.known[authority], nil
}

// Authorize is asked by nobody: no request of this world has a user.
func (p *process) Authorize(context.Context, sts.Request) (*sts.DeviceAuthorization, *oautherr.Error) {
	return nil, oautherr.Refused(oautherr.ReasonEndpointRefused, "nobody signs in here")
}

// Token asks for a token.
func (p *process) Token(ctx context.Context, r sts.Request) (*sts.Token, *oautherr.Error) {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	w := p.world
	secret := r.ClientSecret.Reveal()
	namespace, _, _ := strings.Cut(strings.TrimPrefix(secret, "secret of "), ",")
	c := &call{
		process: p, key: rateKey{namespace, r.Endpoint, r.ClientID, scopeSet(r.Scopes)}, credential: secret,
		question: questionOf(namespace, r.ClientID, r.Scopes, r.Resources),
	}
	w.leaves(c)
	if e := w.await(ctx, c); e != nil {
		return nil, e
	}
	token := &sts.Token{
		AccessToken: sts.Sensitive(c.id), TokenType: "Bearer", IssuedAt: c.sent.UTC().Truncate(time.Second),
		Lifetime: c.answer.lifetime, RefreshIn: c.answer.refreshIn, CorrelationID: c.id,
	}
	if token.Lifetime > 0 {
		token.ExpiresAt = token.IssuedAt.Add(token.Lifetime)
	}
	return token, nil
}

func questionOf(namespace, client string, scopes, resources []string) string {
	return fmt.Sprintf("%s %s [%s] [%s]", namespace, client, scopeSet(scopes), scopeSet(resources))
}

// leaves registers a call that has just left.
func (w *world) leaves(c *call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.serial++
	c.id = fmt.Sprintf("00000000-0000-4000-8000-%012d", w.serial)
	c.left, c.sent = w.time.trueTime(), w.time.wall.Now()
	c.reply, c.asker = make(chan answer), w.asked[c.question]
	w.calls[c.id] = c
	w.arrived = append(w.arrived, c)
	w.note("%v leaves", c)
	forced := slices.Contains(slices.Collect(maps.Values(w.forced)), c.question)
	w.books.leaves(c, forced)
}

// await waits for the answer that the world decides on, until the caller's patience ends.
func (w *world) await(ctx context.Context, c *call) *oautherr.Error {
	said := timedOut()
	select {
	case said = <-c.reply:
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c.over = true
	if errors.Is(ctx.Err(), context.Canceled) {
		return oautherr.FromTransport(ctx.Err())
	}
	c.answer, c.landed, c.landedCredit, c.sets = said, w.time.trueTime(), w.time.credited(), w.time.sets()
	w.note("%v", c)
	w.books.lands(c)
	if !c.metadata {
		delete(w.asked, c.question)
		delete(w.landed, c.asker.name)
	}
	if !c.metadata && said.remember == nothing {
		w.landed[c.asker.name] = c
	}
	if said.remember == nothing {
		return nil
	}
	return said.err(c.id, w.time.wall.Now())
}
