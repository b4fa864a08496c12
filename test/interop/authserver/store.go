// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package authserver

import (
	"context"
	"fmt"
	"sync"

	"github.com/go-jose/go-jose/v3"
	"github.com/ory/fosite"
	"github.com/ory/fosite/storage"
)

// store is fosite's memory store, except for clients and the keys of issuers:
// these change while requests run, and the mutexes around MemoryStore's aren't
// exported.
type store struct {
	*storage.MemoryStore

	// refresh is around all that MemoryStore does with refresh tokens: it revokes
	// them without the mutex that it reads them with.
	refresh sync.Mutex

	mu      sync.RWMutex
	clients map[string]*fosite.DefaultOpenIDConnectClient // values are never modified once stored
	trusted []TrustedKey
}

func newStore() *store {
	return &store{
		MemoryStore: storage.NewMemoryStore(),
		clients:     map[string]*fosite.DefaultOpenIDConnectClient{},
	}
}

// GetClient returns the client as it is now, or fosite.ErrNotFound. It replaces
// the MemoryStore's.
func (s *store) GetClient(_ context.Context, id string) (fosite.Client, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	client, found := s.clients[id]
	if !found {
		return nil, fosite.ErrNotFound
	}
	return client, nil
}

func (s *store) addClient(client *fosite.DefaultOpenIDConnectClient) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.clients[client.ID]; taken {
		return fmt.Errorf("registering client %q: the id is taken", client.ID)
	}
	s.clients[client.ID] = client
	return nil
}

func (s *store) setSecret(id string, hash []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	former, found := s.clients[id]
	if !found {
		return fmt.Errorf("setting the secret of client %q: no such client", id)
	}
	identity, client := *former.DefaultClient, *former
	identity.Secret = hash
	client.DefaultClient = &identity
	s.clients[id] = &client
	return nil
}

func (s *store) setKeys(id string, keys *jose.JSONWebKeySet) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	former, found := s.clients[id]
	if !found {
		return fmt.Errorf("setting the keys of client %q: no such client", id)
	}
	if former.TokenEndpointAuthMethod != string(PrivateKeyJWT) {
		return fmt.Errorf("setting the keys of client %q: it authenticates by %s", id, former.TokenEndpointAuthMethod)
	}
	client := *former
	client.JSONWebKeys = keys
	s.clients[id] = &client
	return nil
}
