// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// assertionType is the client_assertion_type of RFC 7523, section 2.2.
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

	// maxAssertionLifetime is how far ahead a client assertion may expire.
	maxAssertionLifetime = 24 * time.Hour

	federationHint = " Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
)

var (
	// clientAlgorithms are what a client may sign its own assertions with.
	clientAlgorithms = []string{"RS256", "PS256", "ES256"}
	// foreignAlgorithms are what other issuers may sign with: an API server signs
	// with the curve of its key.
	foreignAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)

// readJWT reads header and claims without verifying anything; nil when the
// text is no JWT.
func readJWT(text string) (*jwt.Token, *jwt.RegisteredClaims) {
	claims := &jwt.RegisteredClaims{}
	token, _, err := jwt.NewParser().ParseUnverified(text, claims)
	if err != nil {
		return nil, nil
	}
	return token, claims
}

// malformed is what Entra says of an assertion that it can't make use of. It has
// no words for one that comes again or lacks its jti: these get its code for
// invalid JWTs too, with the reason.
func malformed(reason string) *refusal {
	return refuseClient(50027, strings.TrimSpace("JWT token is invalid or malformed. "+reason))
}

func badSignature(reason string) *refusal {
	return refuseClient(700027, "Client assertion contains an invalid signature. [Reason - "+reason+"]")
}

// checkAssertion checks a client assertion, which the client signed itself or
// an issuer that it is federated with.
func (c registered) checkAssertion(req *request, now time.Time) *refusal {
	if req.form.Get("client_assertion_type") != assertionType {
		return malformed("")
	}
	token, claims := readJWT(req.assertion)
	if token == nil {
		return malformed("")
	}
	if c.isOwn(claims) {
		return c.checkSigned(req, token, claims, now)
	}
	if no := c.checkFederated(req.assertion, claims); no != nil {
		return no
	}
	return checkValidity(claims, now)
}

// isOwn tells an assertion that the client signed from a federated one, also
// when its claims are wrong: a client without federation has no other sort.
func (c registered) isOwn(claims *jwt.RegisteredClaims) bool {
	return strings.EqualFold(claims.Issuer, c.ID) || strings.EqualFold(claims.Subject, c.ID) ||
		len(c.federated) == 0 && len(c.verifiers) > 0
}

// checkSigned is RFC 7523, section 3, with Entra's codes.
func (c registered) checkSigned(req *request, token *jwt.Token, claims *jwt.RegisteredClaims, now time.Time) *refusal {
	if no := c.checkSignature(req.assertion, token.Header, now); no != nil {
		return no
	}
	if claims.Subject != claims.Issuer {
		return refuseClient(50048, "Subject must match Issuer claim in the client assertion.")
	}
	if !strings.EqualFold(claims.Issuer, c.ID) {
		return refuseClient(700021, "Client assertion application identifier doesn't match 'client_id' parameter.")
	}
	if len(claims.Audience) != 1 || !slices.Contains(req.audiences(), claims.Audience[0]) {
		return malformed("")
	}
	if no := checkValidity(claims, now); no != nil {
		return no
	}
	if claims.ExpiresAt.After(now.Add(maxAssertionLifetime)) {
		return outsideValidity(now)
	}
	if claims.ID == "" {
		return malformed("The 'jti' claim is missing.")
	}
	if !c.seen.first(assertionID{keyOf(c.Tenant, c.ID), claims.ID}, claims.ExpiresAt.Time, now) {
		return malformed("An assertion with this 'jti' was already used.")
	}
	return nil
}

// checkSignature finds the key that signed. An assertion names a certificate by
// its thumbprint; bare keys have none and are tried in turn.
func (c registered) checkSignature(assertion string, header map[string]any, now time.Time) *refusal {
	candidates := c.candidates(header)
	if len(candidates) == 0 {
		return badSignature("The key was not found.")
	}
	for _, candidate := range candidates {
		if !candidate.signed(assertion, clientAlgorithms) {
			continue
		}
		if candidate.expired(now) {
			return badSignature("The key used is expired.")
		}
		if !candidate.matchesChain(header) {
			return badSignature("The certificates in the header are not those of the key.")
		}
		return nil
	}
	return badSignature("The signature is not of the key.")
}

// candidates are the keys that the header may mean. Once a certificate is
// registered, x5t#S256 is taken at its word.
func (c registered) candidates(header map[string]any) []verifier {
	thumbprint, named := header["x5t#S256"]
	var bare, certified []verifier
	certificates := false
	for _, v := range c.verifiers {
		switch {
		case v.certificate == nil:
			bare = append(bare, v)
		case v.thumbprint() == thumbprint:
			certified = append(certified, v)
			certificates = true
		default:
			certificates = true
		}
	}
	if named && certificates {
		return certified
	}
	return bare
}

// checkFederated compares in the order in which Entra names what is missing:
// issuer, audience, subject.
func (c registered) checkFederated(assertion string, claims *jwt.RegisteredClaims) *refusal {
	matching := slices.DeleteFunc(slices.Clone(c.federated), func(f federation) bool {
		return f.Issuer != claims.Issuer
	})
	if len(matching) == 0 {
		return refuseClient(700211, "No matching federated identity record found for presented assertion issuer '"+claims.Issuer+"'."+federationHint)
	}
	matching = slices.DeleteFunc(matching, func(f federation) bool {
		return !slices.Contains(claims.Audience, f.Audience)
	})
	if len(matching) == 0 {
		return refuseClient(700212, fmt.Sprintf("No matching federated identity record found for presented assertion audience '%s'.%s", claims.Audience, federationHint))
	}
	matching = slices.DeleteFunc(matching, func(f federation) bool { return f.Subject != claims.Subject })
	if len(matching) == 0 {
		return refuseClient(700213, "No matching federated identity record found for presented assertion subject '"+claims.Subject+"'."+federationHint)
	}
	if !slices.ContainsFunc(matching, func(f federation) bool { return f.trusts(assertion) }) {
		return refuseClient(7000272, "Unable to resolve the key that signed the presented assertion: it is not among those that its issuer publishes.")
	}
	return nil
}

// trusts verifies the signature if there is something to verify it with.
func (f federation) trusts(assertion string) bool {
	return len(f.verifiers) == 0 || slices.ContainsFunc(f.verifiers, func(v verifier) bool {
		return v.signed(assertion, foreignAlgorithms)
	})
}

func checkValidity(claims *jwt.RegisteredClaims, now time.Time) *refusal {
	if claims.ExpiresAt != nil && now.Before(claims.ExpiresAt.Time) &&
		(claims.NotBefore == nil || !now.Before(claims.NotBefore.Time)) {
		return nil
	}
	return outsideValidity(now)
}

func outsideValidity(now time.Time) *refusal {
	return refuseClient(700024, "Client assertion is not within its valid time range. Current time: "+now.UTC().Format("2006-01-02T15:04:05.0000000Z")+".")
}
