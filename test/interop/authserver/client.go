// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package authserver

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v3"
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
	// PrivateKeyJWT sends a JWT that the client signed (RFC 7523 section 2.2).
	PrivateKeyJWT AuthMethod = "private_key_jwt"
)

// authMethods are what a server can be told to support.
var authMethods = []AuthMethod{ClientSecretBasic, ClientSecretPost, PrivateKeyJWT}

// Client is a confidential client that may use every grant of the server. Its
// JSON form is what the authserver command reads.
type Client struct {
	// ID is the client_id. Required.
	ID string `json:"id"`
	// Secret is the client_secret in clear, at most 72 bytes, which is bcrypt's
	// limit. Required, but for PrivateKeyJWT, which has none.
	Secret string `json:"secret,omitempty"`
	// JWKS are the public keys of a client with PrivateKeyJWT, each with the use
	// "sig". An assertion that has a kid is verified with the key of that kid. See
	// KeySet.
	JWKS *jose.JSONWebKeySet `json:"jwks,omitempty"`
	// SigningAlgorithm is the one that its assertions are signed with. The zero
	// value means RS256, as in OpenID Connect Dynamic Client Registration.
	SigningAlgorithm string `json:"signingAlgorithm,omitempty"`
	// AuthMethod is the one method that the client may use. The zero value means
	// ClientSecretBasic, as in RFC 7591 section 2.
	AuthMethod AuthMethod `json:"authMethod,omitempty"`
	// Scopes are what the client may request, compared exactly. None means that
	// every request which names a scope is refused.
	Scopes []string `json:"scopes,omitempty"`
}

// RegisterClient adds a client. It fails when the id is taken, when id or secret
// is empty, when the secret is longer than 72 bytes, when there are no public
// keys for PrivateKeyJWT, or when the authentication method isn't one of the
// server's. Errors don't contain the secret.
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

// SetKeys replaces the public keys of a client with PrivateKeyJWT: from its
// return on, what another key signed is refused. It fails for an unknown client,
// for one that has a secret, and for keys that RegisterClient would refuse.
func (s *Server) SetKeys(clientID string, keys *jose.JSONWebKeySet) error {
	if err := checkKeys(keys); err != nil {
		return fmt.Errorf("setting the keys of client %q: %w", clientID, err)
	}
	return s.store.setKeys(clientID, cloneKeys(keys))
}

func (s *Server) newFositeClient(client Client) (*fosite.DefaultOpenIDConnectClient, error) {
	if client.ID == "" {
		return nil, errors.New("an id is needed")
	}
	method := cmp.Or(client.AuthMethod, ClientSecretBasic)
	if !slices.Contains(s.auth, method) {
		return nil, fmt.Errorf("unknown authentication method %q: use one of %q", method, s.auth)
	}
	// fosite enforces the method of OpenID Connect clients alone.
	registered := &fosite.DefaultOpenIDConnectClient{
		DefaultClient: &fosite.DefaultClient{
			ID:         client.ID,
			GrantTypes: grantTypes(),
			Scopes:     slices.Clone(client.Scopes),
		},
		TokenEndpointAuthMethod: string(method),
	}
	if method == PrivateKeyJWT {
		return registered, client.setKeys(registered)
	}
	var err error
	registered.Secret, err = hashSecret(client.Secret)
	return registered, err
}

// setKeys registers how the client's assertions are verified.
func (c Client) setKeys(registered *fosite.DefaultOpenIDConnectClient) error {
	if c.Secret != "" {
		return errors.New("a secret is of no use with private_key_jwt")
	}
	if err := checkKeys(c.JWKS); err != nil {
		return err
	}
	algorithm := cmp.Or(c.SigningAlgorithm, string(jose.RS256))
	if !slices.Contains(signingAlgorithms, algorithm) {
		return fmt.Errorf("unknown signing algorithm %q: use one of %q", algorithm, signingAlgorithms)
	}
	registered.JSONWebKeys = cloneKeys(c.JWKS)
	registered.TokenEndpointAuthSigningAlgorithm = algorithm
	return nil
}

func checkKeys(keys *jose.JSONWebKeySet) error {
	if keys == nil || len(keys.Keys) == 0 {
		return errors.New("public keys are needed")
	}
	for _, key := range keys.Keys {
		if !key.Valid() || !key.IsPublic() || key.Use != "sig" {
			return fmt.Errorf("key %q is no public key to verify signatures with", key.KeyID)
		}
	}
	return nil
}

func cloneKeys(keys *jose.JSONWebKeySet) *jose.JSONWebKeySet {
	return &jose.JSONWebKeySet{Keys: slices.Clone(keys.Keys)}
}

// KeySet is the set of one public key, which may have an empty kid.
func KeySet(keyID string, key crypto.PublicKey) *jose.JSONWebKeySet {
	return &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key, KeyID: keyID, Use: "sig"}}}
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
