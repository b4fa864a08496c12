// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// SeedUserToken issues an access token that a person has for the client: what
// the client then trades on the person's behalf.
func (s *Server) SeedUserToken(tenant, clientID string, person Person) string {
	return s.tokens.issue(grant{
		issuer: s.EntraAuthority(tenant) + "/v2.0", audience: []string{clientID}, clientID: clientID, tenant: tenant,
		person: &person, issuedAt: s.clock(), lifetime: time.Duration(entraLifetime),
	})
}

// redeemBearer is RFC 7523, section 2.1: a JWT of a trusted issuer, for this
// server.
func (s *Server) redeemBearer(req *request, client registered) (award, *refusal) {
	if no := required(req, "assertion"); no != nil {
		return award{}, no
	}
	claims, no := client.checkForeign(req.form.Get("assertion"), s.clock())
	if no != nil {
		return award{}, no
	}
	if !slices.ContainsFunc(claims.Audience, func(audience string) bool { return slices.Contains(req.audiences(), audience) }) {
		return award{}, refuseGrant(500131, "Assertion audience does not match the Client app presenting the assertion. The audience in the assertion was '"+strings.Join(claims.Audience, " ")+"'.")
	}
	return award{person: &Person{Subject: claims.Subject}}, nil
}

// checkForeign checks a JWT of a trusted issuer by RFC 7523, section 3, but for
// its audience. It may come again: jti is optional there, and what a file holds
// is sent until it is exchanged.
func (c registered) checkForeign(assertion string, now time.Time) (*jwt.RegisteredClaims, *refusal) {
	token, claims := readJWT(assertion)
	if token == nil {
		return nil, refuseGrant(50013, "Assertion failed signature validation. [Reason - The assertion is malformed.]")
	}
	trusted := slices.ContainsFunc(c.trusted, func(t trust) bool {
		return t.issuer == claims.Issuer && slices.ContainsFunc(t.verifiers, func(v verifier) bool {
			return v.signed(assertion, foreignAlgorithms)
		})
	})
	switch {
	case !trusted:
		return nil, refuseGrant(50013, "Assertion failed signature validation. [Reason - The key was not found.]")
	case claims.Subject == "":
		return nil, refuseGrant(50013, "Assertion is invalid. [Reason - The subject is missing.]")
	case claims.ExpiresAt == nil || !now.Before(claims.ExpiresAt.Time):
		return nil, expiredAssertion(now)
	case claims.NotBefore != nil && now.Before(claims.NotBefore.Time):
		return nil, refuseGrant(50013, "Assertion is not within its valid time range.")
	default:
		return claims, nil
	}
}

func expiredAssertion(now time.Time) *refusal {
	return refuseGrant(500133, "Assertion is not within its valid time range. Ensure that the access token is not expired before using it for user assertion, or request a new token. Current time: "+now.UTC().Format("2006-01-02T15:04:05.0000000Z")+".")
}

// redeemOnBehalfOf trades a person's token for the client for one for another
// resource.
func (s *Server) redeemOnBehalfOf(req *request, client registered) (award, *refusal) {
	if no := required(req, "assertion"); no != nil {
		return award{}, no
	}
	assertion := req.form.Get("assertion")
	if slices.Contains(client.UserAssertions, assertion) {
		return award{person: &Person{Subject: "user"}, signedIn: true}, nil
	}
	token, known := s.tokens.find(assertion)
	switch {
	case !known || !strings.EqualFold(token.tenant, client.Tenant):
		return award{}, refuseGrant(50013, "Assertion failed signature validation. [Reason - The provided signature value did not match the expected signature value.]")
	case token.expired(s.clock()):
		return award{}, expiredAssertion(s.clock())
	case !client.isAudience(token.audience):
		return award{}, refuseGrant(500131, "Assertion audience does not match the Client app presenting the assertion. The audience in the assertion was '"+strings.Join(token.audience, " ")+"'.")
	case token.person == nil:
		return award{}, refuseGrant(7000113, "Application '"+client.ID+"' is not authorized to make application on-behalf-of calls.")
	default:
		return award{person: token.person, signedIn: true}, nil
	}
}

// isAudience tells whether a token is for the client as a resource.
func (c registered) isAudience(audiences []string) bool {
	return slices.ContainsFunc(audiences, func(audience string) bool {
		return strings.EqualFold(strings.TrimPrefix(audience, "api://"), c.ID) || slices.Contains(c.Audiences, audience)
	})
}
