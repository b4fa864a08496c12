// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// assertionType is the client_assertion_type of RFC 7523, section 2.2.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

const federationHint = " Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"

func parsePublicKey(text string) (crypto.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("reading key: not PEM")
	}
	if block.Type == "CERTIFICATE" {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading certificate: %w", err)
		}
		return certificate.PublicKey, nil
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading public key: %w", err)
	}
	return key, nil
}

// checkAssertion checks a client assertion: one that names the client as its
// issuer was signed with the client's key, any other is a federated one.
func (c registered) checkAssertion(req *request, now time.Time) *refusal {
	if req.form.Get("client_assertion_type") != assertionType {
		return refuseClient(50027, "JWT token is invalid or malformed.")
	}
	var claims jwt.RegisteredClaims
	parser := jwt.NewParser(jwt.WithoutClaimsValidation())
	if _, _, err := parser.ParseUnverified(req.assertion, &claims); err != nil {
		return refuseClient(50027, "JWT token is invalid or malformed.")
	}
	if claims.Issuer != c.ID {
		if no := c.checkFederated(claims); no != nil {
			return no
		}
		return checkValidity(claims, now)
	}
	return c.checkSigned(req, claims, now)
}

func (c registered) checkSigned(req *request, claims jwt.RegisteredClaims, now time.Time) *refusal {
	parser := jwt.NewParser(
		jwt.WithoutClaimsValidation(),
		jwt.WithValidMethods([]string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}),
	)
	_, err := parser.Parse(req.assertion, func(*jwt.Token) (any, error) {
		var set jwt.VerificationKeySet
		for _, key := range c.keys {
			set.Keys = append(set.Keys, key)
		}
		return set, nil
	})
	if err != nil {
		return refuseClient(700027, "Client assertion contains an invalid signature. [Reason - The key was not found.]")
	}
	if claims.Subject != c.ID {
		return refuseClient(700021, "Client assertion application identifier doesn't match 'client_id' parameter.")
	}
	ours := []string{req.base + req.http.URL.Path, req.issuer()}
	if !slices.ContainsFunc(claims.Audience, func(audience string) bool { return slices.Contains(ours, audience) }) {
		return refuseClient(50027, "JWT token is invalid or malformed.")
	}
	return checkValidity(claims, now)
}

// checkFederated compares in the order in which Entra names what is missing:
// issuer, audience, subject.
func (c registered) checkFederated(claims jwt.RegisteredClaims) *refusal {
	matching := slices.DeleteFunc(slices.Clone(c.Federated), func(f FederatedCredential) bool {
		return f.Issuer != claims.Issuer
	})
	if len(matching) == 0 {
		return refuseClient(700211, "No matching federated identity record found for presented assertion issuer '"+claims.Issuer+"'."+federationHint)
	}
	matching = slices.DeleteFunc(matching, func(f FederatedCredential) bool {
		return !slices.Contains(claims.Audience, f.Audience)
	})
	if len(matching) == 0 {
		return refuseClient(700212, fmt.Sprintf("No matching federated identity record found for presented assertion audience '%s'.%s", claims.Audience, federationHint))
	}
	if !slices.ContainsFunc(matching, func(f FederatedCredential) bool { return f.Subject == claims.Subject }) {
		return refuseClient(700213, "No matching federated identity record found for presented assertion subject '"+claims.Subject+"'."+federationHint)
	}
	return nil
}

func checkValidity(claims jwt.RegisteredClaims, now time.Time) *refusal {
	if claims.ExpiresAt != nil && now.Before(claims.ExpiresAt.Time) &&
		(claims.NotBefore == nil || !now.Before(claims.NotBefore.Time)) {
		return nil
	}
	return refuseClient(700024, "Client assertion is not within its valid time range. Current time: "+now.UTC().Format("2006-01-02T15:04:05.0000000Z")+".")
}
