// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
)

// jsonWebKey is a public key of RFC 7517, of the types in RFC 7518, section 6,
// that API servers sign with.
type jsonWebKey struct {
	Type  string `json:"kty"`
	Curve string `json:"crv"`
	X     string `json:"x"`
	Y     string `json:"y"`
	N     string `json:"n"`
	E     string `json:"e"`
}

// parseKeySet reads a JWK set, as an API server shows it at /openid/v1/jwks.
func parseKeySet(text string) ([]verifier, error) {
	var set struct {
		Keys []jsonWebKey `json:"keys"`
	}
	if err := json.Unmarshal([]byte(text), &set); err != nil {
		return nil, fmt.Errorf("reading key set: %w", err)
	}
	if len(set.Keys) == 0 {
		return nil, errors.New("reading key set: it is empty")
	}
	var list []verifier
	for _, entry := range set.Keys {
		key, err := entry.public()
		if err != nil {
			return nil, fmt.Errorf("reading key set: %w", err)
		}
		list = append(list, verifier{key: key})
	}
	return list, nil
}

func (k jsonWebKey) public() (crypto.PublicKey, error) {
	switch k.Type {
	case "RSA":
		modulus, err := base64.RawURLEncoding.DecodeString(k.N)
		if err != nil {
			return nil, fmt.Errorf("reading modulus: %w", err)
		}
		exponent, err := base64.RawURLEncoding.DecodeString(k.E)
		if err != nil {
			return nil, fmt.Errorf("reading exponent: %w", err)
		}
		e := new(big.Int).SetBytes(exponent)
		if !e.IsInt64() || e.Int64() > math.MaxInt32 {
			return nil, errors.New("reading exponent: it is too large")
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(e.Int64())}, nil
	case "EC":
		return k.point()
	default:
		return nil, fmt.Errorf("key type %q is not supported", k.Type)
	}
}

// point puts the coordinates together as SEC 1, section 2.3.3, does.
func (k jsonWebKey) point() (crypto.PublicKey, error) {
	curves := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}
	curve, known := curves[k.Curve]
	if !known {
		return nil, fmt.Errorf("curve %q is not supported", k.Curve)
	}
	encoded := []byte{4}
	for _, text := range []string{k.X, k.Y} {
		coordinate, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("reading coordinate: %w", err)
		}
		encoded = append(encoded, coordinate...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, encoded)
	if err != nil {
		return nil, fmt.Errorf("reading point: %w", err)
	}
	return key, nil
}
