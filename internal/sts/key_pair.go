// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
)

// KeyPair is a private key and its certificates, leaf first, as a
// kubernetes.io/tls Secret holds them. It prints nothing of either. It is
// immutable and safe for concurrent use. Use [ParseKeyPair] to make one.
type KeyPair struct {
	signer crypto.Signer
	leaf   *x509.Certificate
	chain  [][]byte // DER, leaf first
}

// Fingerprint returns the SHA-256 of the leaf certificate, in hexadecimal.
func (k *KeyPair) Fingerprint() string {
	sum := k.thumbprint()
	return hex.EncodeToString(sum[:])
}

// Leaf returns the certificate of the key. It is shared, not to be changed.
func (k *KeyPair) Leaf() *x509.Certificate { return k.leaf }

func (k *KeyPair) thumbprint() [sha256.Size]byte { return sha256.Sum256(k.leaf.Raw) }

// identity is a hash of all that a handshake shows: a chain that is completed
// under the same leaf is another one.
func (k *KeyPair) identity() []byte {
	sum := sha256.Sum256(slices.Concat(k.chain...))
	return sum[:]
}

// certificate returns the pair as crypto/tls presents it.
func (k *KeyPair) certificate() *tls.Certificate {
	return &tls.Certificate{Certificate: k.chain, PrivateKey: k.signer, Leaf: k.leaf}
}

// String returns "[redacted]".
func (KeyPair) String() string { return redacted }

// GoString returns "[redacted]".
func (KeyPair) GoString() string { return redacted }

// Format writes "[redacted]" for every verb.
func (KeyPair) Format(f fmt.State, verb rune) { Sensitive("").Format(f, verb) }

// MarshalText returns "[redacted]".
func (KeyPair) MarshalText() ([]byte, error) { return Sensitive("").MarshalText() }

// MarshalJSON returns "[redacted]" as a JSON string.
func (KeyPair) MarshalJSON() ([]byte, error) { return Sensitive("").MarshalJSON() }

// LogValue returns "[redacted]".
func (KeyPair) LogValue() slog.Value { return Sensitive("").LogValue() }
