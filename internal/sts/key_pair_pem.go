// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
)

const (
	// maxPrivateKey is three times what a key of maxRSA bits takes. Longer ones are
	// refused unread: crypto/x509 spends 47 s on an RSA key of 800,000 bits.
	maxPrivateKey = 16 << 10
	// maxRSA is the most that crypto/tls takes of a peer (golang/go#61460).
	maxRSA = 8192
)

// ParseKeyPair reads PEM: certificates, of which one belongs to the key and the
// others are its chain in any order, and one private key in PKCS #8, PKCS #1 or
// SEC 1. Its errors say what is wrong and quote nothing of either text. A
// certificate that has expired is no error here.
func ParseKeyPair(certificates, key []byte) (*KeyPair, error) {
	signer, err := parseSigner(key)
	if err != nil {
		return nil, err
	}
	parsed, err := parseCertificates(certificates)
	if err != nil {
		return nil, err
	}
	public, _ := signer.Public().(interface{ Equal(crypto.PublicKey) bool }) // each of the standard library's is one
	i := slices.IndexFunc(parsed, func(c *x509.Certificate) bool { return public.Equal(c.PublicKey) })
	if i < 0 {
		return nil, errors.New("the private key belongs to none of the certificates")
	}
	leaf := parsed[i]
	return &KeyPair{signer: signer, leaf: leaf, chain: chain(leaf, slices.Delete(parsed, i, i+1))}, nil
}

func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	var parsed []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("a certificate cannot be read")
		}
		parsed = append(parsed, c)
	}
	if len(parsed) == 0 {
		return nil, errors.New("there is no certificate in PEM")
	}
	return parsed, nil
}

// chain returns the leaf, its issuer, that one's and so on, and then whatever
// else was given, in DER. Entra takes an x5c header that begins with another
// certificate than the leaf for a wrong signature (AADSTS700027), and RFC 8446
// section 4.4.2 wants the same order in a handshake.
func chain(leaf *x509.Certificate, others []*x509.Certificate) [][]byte {
	ordered := [][]byte{leaf.Raw}
	for last := leaf; ; {
		i := slices.IndexFunc(others, func(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, last.RawIssuer) })
		if i < 0 {
			break
		}
		last = others[i]
		ordered = append(ordered, last.Raw)
		others = slices.Delete(others, i, i+1)
	}
	for _, c := range others {
		ordered = append(ordered, c.Raw)
	}
	return ordered
}

// parseSigner reads the first private key.
func parseSigner(text []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue // OpenSSL writes EC PARAMETERS before an EC key
		}
		// RFC 7468 section 11, and the older form of RFC 1421 section 4.6.1.1.
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, errors.New("the private key is encrypted, and the operator has no passphrase for it")
		}
		return readSigner(block)
	}
	return nil, errors.New("there is no private key in PEM")
}

// readSigner bounds what a key costs, which grows with the cube of its length: to
// read it, and to sign with it for each call.
func readSigner(block *pem.Block) (crypto.Signer, error) {
	if len(block.Bytes) > maxPrivateKey {
		return nil, errors.New("the private key has more than 16 KiB, the most that the operator takes")
	}
	key, err := parseKey(block)
	if err != nil {
		return nil, errors.New("the private key cannot be read") // err may quote it
	}
	signer, ok := key.(crypto.Signer)
	switch {
	case !ok:
		return nil, errors.New("the private key is of a kind that cannot sign")
	case tooLong(signer.Public()):
		return nil, errors.New("the RSA key has more than 8192 bits, the most that the operator takes")
	}
	return signer, nil
}

// tooLong says that a public key is of RSA and of more than maxRSA bits.
func tooLong(key crypto.PublicKey) bool {
	public, ok := key.(*rsa.PublicKey)
	return ok && public.N.BitLen() > maxRSA
}

func parseKey(block *pem.Block) (any, error) {
	switch block.Type {
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	default:
		return x509.ParsePKCS8PrivateKey(block.Bytes)
	}
}
