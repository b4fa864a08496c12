// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"cmp"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Token is what a token service issued. It prints without the token itself.
type Token struct {
	// AccessToken is 1 to 262144 characters, each of VSCHAR (RFC 6749 A.12).
	AccessToken Sensitive
	// TokenType is the server's own spelling of "Bearer" or another type; never
	// empty.
	TokenType string
	// IssuedTokenType is RFC 8693's issued_token_type, where the server said one.
	IssuedTokenType string
	// Scope is what was granted, as the server wrote it. An empty Scope means
	// what was asked for, unless ScopeSaid (RFC 6749 section 5.1).
	Scope string
	// ScopeSaid tells that the server named the scope.
	ScopeSaid bool
	// IssuedAt is when the request was sent, in UTC and truncated to the second:
	// the token can't be older than that, so ExpiresAt is never too late.
	IssuedAt time.Time
	// ExpiresAt is when the token ends, in UTC; zero where that isn't known.
	ExpiresAt time.Time
	// Lifetime is ExpiresAt less IssuedAt; zero where that isn't known.
	Lifetime time.Duration
	// RefreshIn is how long after IssuedAt the server wants the token renewed
	// (Entra's refresh_in); zero where it didn't say.
	RefreshIn time.Duration
	// RefreshToken is what the server wants to see next time; empty where it gave
	// none, which leaves the former one in force (RFC 6749 section 6).
	RefreshToken Sensitive
	// Identity is who signed in, by the id_token; nil where there was none.
	Identity *Identity
	// CorrelationID is the client-request-id that the request carried.
	CorrelationID string
}

// maxLifetime caps every duration a server states, so that no sum of times
// overflows: a token of ten years is refreshed no differently from one of
// thirty.
const maxLifetime = 10 * 365 * 24 * time.Hour

// expire sets when the token ends. Where the server stated no lifetime, or one of
// ten years and more, which nobody means, the token's own exp stands in for it, if
// the token is a JWT; it isn't verified, since the token isn't for us, and is
// believed in nothing else. An exp that has passed is no better than none: the
// likelier fault is a clock.
func (t *Token) expire(lifetime time.Duration) {
	if lifetime == 0 || lifetime >= maxLifetime {
		own := max(min(jwtExpiry(t.AccessToken).Sub(t.IssuedAt), maxLifetime), 0)
		lifetime = cmp.Or(own, lifetime)
	}
	if lifetime == 0 {
		return
	}
	t.Lifetime = lifetime
	t.ExpiresAt = t.IssuedAt.Add(lifetime)
}

// jwtExpiry returns the exp of a JWT, and the zero time for any other token.
func jwtExpiry(token Sensitive) time.Time {
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token.Reveal(), claims); err != nil {
		return time.Time{}
	}
	exp, err := claims.GetExpirationTime()
	if err != nil || exp == nil {
		return time.Time{}
	}
	return exp.Time
}
