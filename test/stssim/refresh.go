// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// RotationStrict lets a refresh token be used once. One that comes again was
	// stolen, or the answer to it was lost: all tokens of its family end (RFC 9700,
	// section 4.14.2).
	RotationStrict = "strict"
	// RotationLenient issues a new refresh token each time and leaves the old ones
	// valid, as Entra does.
	RotationLenient = "lenient"

	defaultRefreshLifetime = 90 * 24 * time.Hour
)

// SeedRefreshToken issues a refresh token as if the person had signed in and
// agreed to every scope. The client needn't be registered yet; its lifetime is
// the client's if it is.
func (s *Server) SeedRefreshToken(tenant, clientID, subject string) string {
	client, found := s.clients.find(tenant, clientID)
	if !found {
		client.Tenant, client.ID = tenant, clientID
	}
	token := s.refresh.issue(client, award{person: &Person{Subject: subject}}, "", s.clock())
	s.tokens.remember([]string{token})
	return token
}

// RevokeRefreshTokens ends all refresh tokens of a client that were issued so
// far, as an administrator does.
func (s *Server) RevokeRefreshTokens(tenant, clientID string) {
	s.refresh.revoke(func(token *refreshToken) bool { return token.client == keyOf(tenant, clientID) })
}

type refreshToken struct {
	client   clientKey
	person   Person
	scope    string
	family   int
	issuedAt time.Time
	lifetime time.Duration

	spent, revoked bool
}

type refreshTokens struct {
	mu       sync.Mutex
	tokens   map[string]*refreshToken
	families int
}

func newRefreshTokens() *refreshTokens {
	return &refreshTokens{tokens: map[string]*refreshToken{}}
}

// issue makes a token of the award's family, or of a new one.
func (r *refreshTokens) issue(client registered, won award, scope string, now time.Time) string {
	lifetime := time.Duration(client.RefreshLifetime)
	if lifetime == 0 {
		lifetime = defaultRefreshLifetime
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if won.family == 0 {
		r.families++
		won.family = r.families
	}
	text := OpaqueMarker + "refresh-" + rand.Text()
	r.tokens[text] = &refreshToken{
		client: keyOf(client.Tenant, client.ID), person: *won.person, scope: scope, family: won.family,
		issuedAt: now, lifetime: lifetime,
	}
	return text
}

func (r *refreshTokens) revoke(matches func(*refreshToken) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, token := range r.tokens {
		if matches(token) {
			token.revoked = true
		}
	}
}

// redeemRefresh is RFC 6749, section 6.
func (s *Server) redeemRefresh(req *request, client registered) (award, *refusal) {
	if no := required(req, "refresh_token"); no != nil {
		return award{}, no
	}
	return s.refresh.redeem(req, client, s.clock())
}

func (r *refreshTokens) redeem(req *request, client registered, now time.Time) (award, *refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	token, found := r.tokens[req.form.Get("refresh_token")]
	strict := client.rotatesStrictly(req)
	switch {
	case !found || token.client != keyOf(client.Tenant, client.ID):
		return award{}, refuseGrant(70000, "Provided grant is invalid or malformed.")
	case token.revoked:
		return award{}, revokedRefreshToken()
	case strict && token.spent:
		for _, other := range r.tokens {
			other.revoked = other.revoked || other.family == token.family
		}
		return award{}, revokedRefreshToken()
	case !now.Before(token.issuedAt.Add(token.lifetime)):
		return award{}, refuseGrant(700082, "The refresh token has expired due to inactivity. The token was issued on "+
			token.issuedAt.UTC().Format("2006-01-02T15:04:05.0000000Z")+" and was inactive for "+token.lifetime.String()+".")
	case req.plain && !token.covers(req.scope):
		return award{}, &refusal{status: http.StatusBadRequest, code: "invalid_scope", message: "the scope is wider than what was granted"}
	}
	token.spent = true
	person := token.person
	return award{person: &person, signedIn: true, scope: token.scope, family: token.family}, nil
}

func revokedRefreshToken() *refusal {
	return refuseGrant(70008, "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.")
}

// covers tells whether a scope is within what was granted.
func (t *refreshToken) covers(scope string) bool {
	granted := strings.Fields(t.scope)
	return t.scope == "" || !slices.ContainsFunc(strings.Fields(scope), func(wanted string) bool {
		return !slices.Contains(granted, wanted)
	})
}

func (c registered) rotatesStrictly(req *request) bool {
	if c.RefreshRotation == "" {
		return req.plain
	}
	return c.RefreshRotation == RotationStrict
}
