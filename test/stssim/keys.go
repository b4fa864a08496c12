// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// verifier is a registered key, with its certificate when that was registered.
type verifier struct {
	key         crypto.PublicKey
	certificate *x509.Certificate
	// issuers are the certificates after the first, as in a tls.crt.
	issuers []*x509.Certificate
}

// parseVerifier reads PEM: one public key, or a certificate and its chain.
func parseVerifier(text string) (verifier, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil {
		return verifier{}, errors.New("reading key: not PEM")
	}
	if block.Type != "CERTIFICATE" {
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return verifier{}, fmt.Errorf("reading public key: %w", err)
		}
		return verifier{key: key}, nil
	}
	var chain []*x509.Certificate
	for ; block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return verifier{}, fmt.Errorf("reading certificate: %w", err)
		}
		chain = append(chain, certificate)
	}
	return verifier{key: chain[0].PublicKey, certificate: chain[0], issuers: chain[1:]}, nil
}

// parseVerifiers reads texts that are PEM or JWK sets.
func parseVerifiers(texts []string) ([]verifier, error) {
	var list []verifier
	for _, text := range texts {
		if strings.HasPrefix(strings.TrimSpace(text), "{") {
			set, err := parseKeySet(text)
			if err != nil {
				return nil, err
			}
			list = append(list, set...)
			continue
		}
		parsed, err := parseVerifier(text)
		if err != nil {
			return nil, err
		}
		list = append(list, parsed)
	}
	return list, nil
}

// thumbprint is x5t#S256 (RFC 7515, section 4.1.8): base64url without padding.
func (v verifier) thumbprint() string {
	sum := sha256.Sum256(v.certificate.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (v verifier) expired(now time.Time) bool {
	return v.certificate != nil && now.After(v.certificate.NotAfter)
}

// signed tells whether the key made the JWT's signature, with one of the
// algorithms.
func (v verifier) signed(token string, algorithms []string) bool {
	parser := jwt.NewParser(jwt.WithoutClaimsValidation(), jwt.WithValidMethods(algorithms))
	_, err := parser.Parse(token, func(*jwt.Token) (any, error) { return v.key, nil })
	return err == nil
}

// matchesChain tells whether the x5c header, if there is one, is this
// certificate or key and then the chain that signed it. RFC 7515, section
// 4.1.6, has an array, even of one, in base64 with padding.
func (v verifier) matchesChain(header map[string]any) bool {
	value, present := header["x5c"]
	if !present {
		return true
	}
	entries, ok := value.([]any)
	if !ok || len(entries) == 0 {
		return false
	}
	var chain []*x509.Certificate
	for _, entry := range entries {
		text, _ := entry.(string)
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return false
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return false
		}
		chain = append(chain, certificate)
	}
	for i, certificate := range chain[1:] {
		if !isSignedBy(chain[i], certificate) {
			return false
		}
	}
	if v.certificate != nil {
		return chain[0].Equal(v.certificate)
	}
	key, ok := chain[0].PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(v.key)
}

// admits tells whether a certificate that was presented in TLS is the
// registered one (RFC 8705, section 2.2), or has its subject and is signed by a
// certificate of the registered chain (section 2.1).
func (v verifier) admits(presented *x509.Certificate) bool {
	if v.certificate.Equal(presented) {
		return true
	}
	if !bytes.Equal(v.certificate.RawSubject, presented.RawSubject) {
		return false
	}
	for _, issuer := range v.issuers {
		if isSignedBy(presented, issuer) {
			return true
		}
	}
	return false
}

// isSignedBy leaves extensions aside: certificates of tests often have none.
func isSignedBy(child, parent *x509.Certificate) bool {
	return parent.CheckSignature(child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature) == nil
}
