// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package authserver

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"

	"github.com/go-jose/go-jose/v3"
)

// signingKeys are made for one Server and end with it.
type signingKeys struct {
	jwt  *jose.JSONWebKey // signs JWT access tokens
	hmac []byte           // authenticates opaque tokens
}

func newSigningKeys() (*signingKeys, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("generating the signing key: %w", err)
	}
	secret := make([]byte, 32) // fosite takes 32 bytes or more
	rand.Read(secret)          // never fails
	return &signingKeys{
		jwt:  &jose.JSONWebKey{Key: private, KeyID: "1", Algorithm: string(jose.RS256), Use: "sig"},
		hmac: secret,
	}, nil
}

// signingKey has the signature that fosite asks for. With a JSONWebKey instead
// of its bare key, tokens carry the kid.
func (k *signingKeys) signingKey(context.Context) (any, error) { return k.jwt, nil }
