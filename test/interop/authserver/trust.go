// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package authserver

import (
	"context"
	"crypto"
	"errors"
	"slices"

	"github.com/go-jose/go-jose/v3"
	"github.com/ory/fosite"
)

// TrustedKey lets clients trade the JWTs of an issuer about one subject (RFC 7523
// section 2.1). fosite has such a JWT carry iat and jti, end within 24 hours, and
// come once.
type TrustedKey struct {
	// Issuer and Subject are compared with iss and sub. Both are required.
	Issuer, Subject string
	// KeyID is the kid of the JWTs; empty is for JWTs without one.
	KeyID string
	// Key verifies them. Required.
	Key crypto.PublicKey
	// Scopes are what may be requested with them, compared exactly.
	Scopes []string
}

// TrustKey adds a key. It fails when the issuer, the subject or the key is
// missing.
func (s *Server) TrustKey(key TrustedKey) error {
	if key.Issuer == "" || key.Subject == "" || !key.jwk().Valid() || !key.jwk().IsPublic() {
		return errors.New("trusting a key: issuer, subject and a public key are needed")
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.trusted = append(s.store.trusted, key)
	return nil
}

func (k TrustedKey) jwk() *jose.JSONWebKey {
	return &jose.JSONWebKey{Key: k.Key, KeyID: k.KeyID, Use: "sig"}
}

// GetPublicKey replaces the MemoryStore's.
func (s *store) GetPublicKey(_ context.Context, issuer, subject, keyID string) (*jose.JSONWebKey, error) {
	key, err := s.trustedKey(issuer, subject, keyID)
	if err != nil {
		return nil, err
	}
	return key.jwk(), nil
}

// GetPublicKeys replaces the MemoryStore's.
func (s *store) GetPublicKeys(_ context.Context, issuer, subject string) (*jose.JSONWebKeySet, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	set := &jose.JSONWebKeySet{}
	for _, key := range s.trusted {
		if key.Issuer == issuer && key.Subject == subject {
			set.Keys = append(set.Keys, *key.jwk())
		}
	}
	if len(set.Keys) == 0 {
		return nil, fosite.ErrNotFound
	}
	return set, nil
}

// GetPublicKeyScopes replaces the MemoryStore's.
func (s *store) GetPublicKeyScopes(_ context.Context, issuer, subject, keyID string) ([]string, error) {
	key, err := s.trustedKey(issuer, subject, keyID)
	return key.Scopes, err
}

func (s *store) trustedKey(issuer, subject, keyID string) (TrustedKey, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	at := slices.IndexFunc(s.trusted, func(key TrustedKey) bool {
		return key.Issuer == issuer && key.Subject == subject && key.KeyID == keyID
	})
	if at < 0 {
		return TrustedKey{}, fosite.ErrNotFound
	}
	return s.trusted[at], nil
}
