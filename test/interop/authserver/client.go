// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package authserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ory/fosite"
	"golang.org/x/crypto/bcrypt"
)

// AuthMethod is how a client authenticates at the token endpoint, by its name in
// the IANA registry of OAuth token endpoint authentication methods. The server
// holds a client to its method: another one is refused as invalid_client.
type AuthMethod string

const (
	// ClientSecretBasic sends id and secret in the Authorization header (RFC 6749
	// section 2.3.1).
	ClientSecretBasic AuthMethod = "client_secret_basic"
	// ClientSecretPost sends id and secret in the form (RFC 6749 section 2.3.1).
	ClientSecretPost AuthMethod = "client_secret_post"
)

// authMethods are what a server can be told to support.
var authMethods = []AuthMethod{ClientSecretBasic, ClientSecretPost}

// Client is a confidential client that may use every grant of the server. Its
// JSON form is what the authserver command reads.
type Client struct {
	// ID is the client_id. Required.
	ID string `json:"id"`
	// Secret is the client_secret in clear, at most 72 bytes, which is bcrypt's
	// limit. Required.
	Secret string `json:"secret"`
	// AuthMethod is the one method that the client may use. The zero value means
	// ClientSecretBasic, as in RFC 7591 section 2.
	AuthMethod AuthMethod `json:"authMethod,omitempty"`
	// Scopes are what the client may request, compared exactly. None means that
	// every request which names a scope is refused.
	Scopes []string `json:"scopes,omitempty"`
}

// RegisterClient adds a client. It fails when the id is taken, when id or secret
// is empty, when the secret is longer than 72 bytes, or when the authentication
// method isn't one of the server's. Errors don't contain the secret.
func (s *Server) RegisterClient(client Client) error {
	registered, err := s.newFositeClient(client)
	if err != nil {
		return fmt.Errorf("registering client %q: %w", client.ID, err)
	}
	return s.store.addClient(registered)
}

// SetSecret replaces a client's secret: from its return on, the former one is
// refused. It fails for an unknown client and for a secret that RegisterClient
// would refuse.
func (s *Server) SetSecret(clientID, secret string) error {
	hash, err := hashSecret(secret)
	if err != nil {
		return fmt.Errorf("setting the secret of client %q: %w", clientID, err)
	}
	return s.store.setSecret(clientID, hash)
}

func (s *Server) newFositeClient(client Client) (*fosite.DefaultOpenIDConnectClient, error) {
	if client.ID == "" {
		return nil, errors.New("an id is needed")
	}
	method := cmp.Or(client.AuthMethod, ClientSecretBasic)
	if !slices.Contains(s.auth, method) {
		return nil, fmt.Errorf("unknown authentication method %q: use one of %q", method, s.auth)
	}
	hash, err := hashSecret(client.Secret)
	if err != nil {
		return nil, err
	}
	// fosite enforces the method of OpenID Connect clients alone.
	return &fosite.DefaultOpenIDConnectClient{
		DefaultClient: &fosite.DefaultClient{
			ID:         client.ID,
			Secret:     hash,
			GrantTypes: grantTypes(),
			Scopes:     slices.Clone(client.Scopes),
		},
		TokenEndpointAuthMethod: string(method),
	}, nil
}

func hashSecret(secret string) ([]byte, error) {
	if secret == "" {
		return nil, errors.New("a secret is needed")
	}
	hash, err := newHasher().Hash(context.Background(), []byte(secret))
	if err != nil {
		return nil, fmt.Errorf("hashing the secret: %w", err)
	}
	return hash, nil
}

// newHasher hashes at bcrypt's lowest cost: the default one takes a quarter of
// a second for each token request, and nothing here is worth attacking.
func newHasher() fosite.Hasher {
	return &fosite.BCrypt{Config: &fosite.Config{HashCost: bcrypt.MinCost}}
}
