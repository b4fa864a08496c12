// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"sync"
	"testing"
	"time"

	"tokenrequest.dev/operator/internal/sts"
)

// Keys are slow to make, and none is changed.
var (
	rsaKey   = sync.OnceValue(func() crypto.Signer { return made(rsa.GenerateKey(rand.Reader, 2048)) })
	rootKey  = sync.OnceValue(func() crypto.Signer { return made(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	ecKey    = sync.OnceValue(func() crypto.Signer { return made(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	otherKey = sync.OnceValue(func() crypto.Signer { return made(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
)

func made[K crypto.Signer](key K, err error) crypto.Signer {
	if err != nil {
		panic(err)
	}
	return key
}

// longRSA returns an RSA key of so many bits, in PKCS #1 (RFC 8017 appendix A.1.2).
// Its factors are odd and no primes, which would take minutes to find; parsers don't
// ask for more.
func longRSA(t *testing.T, bits int) []byte {
	t.Helper()
	one, e := big.NewInt(1), big.NewInt(65537)
	for {
		p, q := oddOf(bits/2), oddOf(bits-bits/2)
		p1, q1 := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
		d, inverse := new(big.Int).ModInverse(e, new(big.Int).Mul(p1, q1)), new(big.Int).ModInverse(q, p)
		if d == nil || inverse == nil {
			continue
		}
		der, err := asn1.Marshal(struct {
			Version                        int
			N, E, D, P, Q, DP, DQ, Inverse *big.Int
		}{0, new(big.Int).Mul(p, q), e, d, p, q, new(big.Int).Mod(d, p1), new(big.Int).Mod(d, q1), inverse})
		if err != nil {
			t.Fatalf("marshalling a key: %v", err)
		}
		return der
	}
}

// oddOf returns an odd number whose product with another such has the bits of both.
func oddOf(bits int) *big.Int {
	n, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), uint(bits))) // never fails
	return n.SetBit(n.SetBit(n.SetBit(n, bits-1, 1), bits-2, 1), 0, 1)
}

// issue returns the certificate of the key by that name, in DER.
func issue(t *testing.T, name string, key crypto.Signer, issuer string, issuerKey crypto.Signer) []byte {
	t.Helper()
	template := func(name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
			// Expired: no matter to the client that presents it.
			NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0),
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template(name), template(issuer), key.Public(), issuerKey)
	if err != nil {
		t.Fatalf("issuing a certificate: %v", err)
	}
	return der
}

func selfSigned(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	return issue(t, "client", key, "client", key)
}

func certificatePEM(ders ...[]byte) []byte {
	var text bytes.Buffer
	for _, der := range ders {
		_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	return text.Bytes()
}

func keyPEM(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatalf("marshalling a key: %v", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// pairOf returns the key with a certificate of its own.
func pairOf(t *testing.T, key crypto.Signer) *sts.KeyPair {
	t.Helper()
	pair, err := sts.ParseKeyPair(certificatePEM(selfSigned(t, key)), keyPEM(t, key))
	if err != nil {
		t.Fatalf("parsing a pair: %v", err)
	}
	return pair
}

// keyOfOrders is the example's certificate and key.
func keyOfOrders() (certificate, key []byte) {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "orders"}}
	leaf, _ := x509.CreateCertificate(rand.Reader, template, template, ecKey().Public(), ecKey())
	der, _ := x509.MarshalPKCS8PrivateKey(ecKey())
	return certificatePEM(leaf), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
