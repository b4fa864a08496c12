// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package authserver

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
)

// refreshLifespan is fosite's own.
const refreshLifespan = 30 * 24 * time.Hour

// SeedRefreshToken issues a refresh token as if the person had signed in and
// agreed to the scopes and to offline_access. It is the one step of the flow that
// isn't fosite's: there is no browser to sign in with, and the password grant,
// which needs none, is on its way out of OAuth. It fails for an unknown client.
func (s *Server) SeedRefreshToken(clientID, subject string, scopes ...string) (string, error) {
	ctx := context.Background()
	client, err := s.store.GetClient(ctx, clientID)
	if err != nil {
		return "", fmt.Errorf("seeding a refresh token for client %q: %w", clientID, err)
	}
	session := &oauth2.JWTSession{Subject: subject}
	session.SetExpiresAt(fosite.RefreshToken, time.Now().UTC().Add(refreshLifespan))
	request := fosite.NewRequest()
	request.Client, request.Session = client, session
	for _, scope := range append(slices.Clone(scopes), offlineAccess) {
		request.AppendRequestedScope(scope)
		request.GrantScope(scope)
	}
	// How long access tokens live is no matter of refresh tokens.
	token, signature, err := s.strategy(s.config(defaultLifespan)).GenerateRefreshToken(ctx, request)
	if err == nil {
		err = s.store.CreateRefreshTokenSession(ctx, signature, "", request)
	}
	if err != nil {
		return "", fmt.Errorf("seeding a refresh token for client %q: %w", clientID, err)
	}
	return token, nil
}

// CreateRefreshTokenSession does what the MemoryStore's does, one at a time.
func (s *store) CreateRefreshTokenSession(ctx context.Context, signature, accessSignature string, request fosite.Requester) error {
	s.refresh.Lock()
	defer s.refresh.Unlock()
	return s.MemoryStore.CreateRefreshTokenSession(ctx, signature, accessSignature, request)
}

// GetRefreshTokenSession does what the MemoryStore's does, one at a time.
func (s *store) GetRefreshTokenSession(ctx context.Context, signature string, session fosite.Session) (fosite.Requester, error) {
	s.refresh.Lock()
	defer s.refresh.Unlock()
	return s.MemoryStore.GetRefreshTokenSession(ctx, signature, session)
}

// DeleteRefreshTokenSession does what the MemoryStore's does, one at a time.
func (s *store) DeleteRefreshTokenSession(ctx context.Context, signature string) error {
	s.refresh.Lock()
	defer s.refresh.Unlock()
	return s.MemoryStore.DeleteRefreshTokenSession(ctx, signature)
}

// RevokeRefreshToken does what the MemoryStore's does, one at a time.
func (s *store) RevokeRefreshToken(ctx context.Context, requestID string) error {
	s.refresh.Lock()
	defer s.refresh.Unlock()
	return s.MemoryStore.RevokeRefreshToken(ctx, requestID)
}

// RotateRefreshToken does what the MemoryStore's does, one at a time.
func (s *store) RotateRefreshToken(ctx context.Context, requestID, signature string) error {
	s.refresh.Lock()
	defer s.refresh.Unlock()
	return s.MemoryStore.RotateRefreshToken(ctx, requestID, signature)
}
