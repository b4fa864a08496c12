// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"tokenrequest.dev/operator/internal/sts"
)

func TestParseKeyPairReads(t *testing.T) {
	sec1, _ := x509.MarshalECPrivateKey(ecKey().(*ecdsa.PrivateKey))
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	leaf := issue(t, "leaf", ecKey(), "root", rootKey())
	root := issue(t, "root", rootKey(), "root", rootKey())
	rsaLeaf := selfSigned(t, rsaKey())
	tests := map[string]struct {
		certificates, key, leaf []byte
	}{
		"an RSA key in PKCS #8": {certificatePEM(rsaLeaf), keyPEM(t, rsaKey()), rsaLeaf},
		"an RSA key in PKCS #1": {
			certificatePEM(rsaLeaf), block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey().(*rsa.PrivateKey))), rsaLeaf},
		"an EC key in SEC 1, after its parameters": {
			certificatePEM(leaf), slices.Concat(block("EC PARAMETERS", []byte{5, 0}), block("EC PRIVATE KEY", sec1)), leaf},
		"a chain":                     {certificatePEM(leaf, root), keyPEM(t, ecKey()), leaf},
		"a chain that ends in a leaf": {certificatePEM(root, leaf), keyPEM(t, ecKey()), leaf},
		"text and other things around": {
			slices.Concat([]byte("subject=leaf\n"), block("X509 CRL", nil), certificatePEM(leaf)), keyPEM(t, ecKey()), leaf},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			pair, err := sts.ParseKeyPair(tc.certificates, tc.key)
			if err != nil {
				t.Fatalf("parsing: %v", err)
			}
			sum := sha256.Sum256(tc.leaf)
			if got := pair.Fingerprint(); got != hex.EncodeToString(sum[:]) || !bytes.Equal(pair.Leaf().Raw, tc.leaf) {
				t.Errorf("the fingerprint is %s and the leaf %v", got, pair.Leaf().Subject)
			}
		})
	}
}

func TestParseKeyPairRefuses(t *testing.T) {
	const canary = "canary"
	_, edwards, _ := ed25519.GenerateKey(rand.Reader)
	exchange, _ := ecdh.X25519().GenerateKey(rand.Reader)
	block := func(kind string, header map[string]string) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Headers: header, Bytes: []byte(canary)})
	}
	certificate, key := certificatePEM(selfSigned(t, ecKey())), keyPEM(t, ecKey())
	tests := map[string]struct {
		certificates, key []byte
		why               string
	}{
		"no certificate":                 {nil, key, "there is no certificate in PEM"},
		"a certificate in DER":           {selfSigned(t, ecKey()), key, "there is no certificate in PEM"},
		"a key for a certificate":        {key, key, "there is no certificate in PEM"},
		"a certificate of garbage":       {slices.Concat(certificate, block("CERTIFICATE", nil)), key, "a certificate cannot be read"},
		"no key":                         {certificate, nil, "there is no private key in PEM"},
		"a certificate for a key":        {certificate, certificate, "there is no private key in PEM"},
		"a key of garbage":               {certificate, block("PRIVATE KEY", nil), "the private key cannot be read"},
		"an RSA key of garbage":          {certificate, block("RSA PRIVATE KEY", nil), "the private key cannot be read"},
		"an EC key of garbage":           {certificate, block("EC PRIVATE KEY", nil), "the private key cannot be read"},
		"an encrypted key":               {certificate, block("ENCRYPTED PRIVATE KEY", nil), "the private key is encrypted, and the operator has no passphrase for it"},
		"an encrypted key of old":        {certificate, block("RSA PRIVATE KEY", map[string]string{"Proc-Type": "4,ENCRYPTED"}), "the private key is encrypted, and the operator has no passphrase for it"},
		"a key that agrees and no more":  {certificate, keyPEM(t, exchange), "the private key is of a kind that cannot sign"},
		"another certificate's key":      {certificate, keyPEM(t, otherKey()), "the private key belongs to none of the certificates"},
		"a key of another kind than its": {certificate, keyPEM(t, edwards), "the private key belongs to none of the certificates"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			pair, err := sts.ParseKeyPair(tc.certificates, tc.key)
			if pair != nil || err == nil || err.Error() != tc.why {
				t.Errorf("got %v and %v, want the error %q", pair, err, tc.why)
			}
		})
	}
}

// What a key costs grows with the cube of its length, and a Secret has room for one
// that takes minutes to read and to sign with.
func TestParseKeyPairBoundsTheLengthOfAKey(t *testing.T) {
	const long, large = "the RSA key has more than 8192 bits, the most that the operator takes", "the private key has more than 16 KiB, the most that the operator takes"
	pkcs8 := func(der []byte) []byte {
		key, err := x509.ParsePKCS1PrivateKey(der)
		if err != nil {
			t.Fatalf("parsing a key: %v", err)
		}
		return keyPEM(t, key)
	}
	pkcs1 := func(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: der}) }
	tests := map[string]struct {
		bits int
		form func([]byte) []byte
		why  string
	}{
		"8192 bits":                        {8192, pkcs1, ""},
		"one more in PKCS #1":              {8193, pkcs1, long},
		"one more in PKCS #8":              {8193, pkcs8, long},
		"what isn't even read, in PKCS #1": {32768, pkcs1, large},
		"what isn't even read, in PKCS #8": {32768, pkcs8, large},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			der := longRSA(t, tc.bits)
			key, err := x509.ParsePKCS1PrivateKey(der)
			if err != nil {
				t.Fatalf("parsing a key: %v", err)
			}
			pair, err := sts.ParseKeyPair(certificatePEM(issue(t, "leaf", key, "root", rootKey())), tc.form(der))
			if (err == nil) != (tc.why == "") || err != nil && (err.Error() != tc.why || pair != nil) {
				t.Errorf("got %v, want %q", err, tc.why)
			}
		})
	}
}

func TestKeysDoNotShowThemselves(t *testing.T) {
	key := rsaKey().(*rsa.PrivateKey)
	pair := pairOf(t, key)
	signing := sts.SigningKey{Pair: pair, Algorithm: "PS256", KeyID: "id"}
	holds := sts.Request{Key: &signing, Transport: sts.Transport{ClientCertificate: pair}}
	var shown []string
	for _, value := range []any{pair, *pair, signing, &signing, holds, holds.Transport, &holds} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
			shown = append(shown, fmt.Sprintf(verb, value))
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Errorf("marshalling a %T: %v", value, err)
		}
		var logged bytes.Buffer
		slog.New(slog.NewTextHandler(&logged, nil)).Info("it", "is", value)
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("it", "is", value)
		shown = append(shown, string(text), logged.String())
	}
	for _, secret := range []string{key.D.String(), key.D.Text(16), key.Primes[0].String(), key.Primes[0].Text(16), key.N.String()} {
		for _, text := range shown {
			if strings.Contains(strings.ToLower(text), secret) {
				t.Errorf("a number of the key stands in %s", text)
			}
		}
	}
	for _, alone := range []string{pair.String(), fmt.Sprint(pair), fmt.Sprintf("%#v", pair), pair.GoString(), pair.LogValue().String()} {
		if alone != "[redacted]" {
			t.Errorf("the pair reads %q", alone)
		}
	}
	if text, err := pair.MarshalText(); string(text) != "[redacted]" || err != nil {
		t.Errorf("the pair marshals to %q, %v", text, err)
	}
}
