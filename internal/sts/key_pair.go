// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
)

// KeyPair is a private key and its certificates, leaf first, as a
// kubernetes.io/tls Secret holds them. It prints nothing of the key. It is
// immutable and safe for concurrent use. Use [ParseKeyPair] to make one.
type KeyPair struct {
	signer crypto.Signer
	leaf   *x509.Certificate
	chain  [][]byte // DER, leaf first
}

// ParseKeyPair reads PEM. Its errors say what is wrong and quote nothing of
// either text.
func ParseKeyPair(certificates, key []byte) (*KeyPair, error) {
	pair, err := tls.X509KeyPair(certificates, key)
	if err != nil {
		return nil, errors.New("certificate and key are no PEM pair")
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key can't sign")
	}
	return &KeyPair{signer: signer, leaf: pair.Leaf, chain: pair.Certificate}, nil
}

// Fingerprint returns the SHA-256 of the leaf certificate, in hexadecimal.
func (k *KeyPair) Fingerprint() string {
	sum := sha256.Sum256(k.leaf.Raw)
	return hex.EncodeToString(sum[:])
}

// String returns "[redacted]".
func (*KeyPair) String() string { return redacted }

// SigningKey is how a client signs its assertions (RFC 7523 section 2.2).
type SigningKey struct {
	// Pair must not be nil.
	Pair *KeyPair
	// Algorithm is RS256, PS256 or ES256; empty means PS256 for an RSA key and
	// ES256 for one on P-256.
	Algorithm string
	// KeyID is the kid header; empty sends none.
	KeyID string
	// SendChain puts the certificates into the x5c header, leaf first.
	SendChain bool
	// Audience is the aud claim; empty means the endpoint that is called.
	Audience string
}
