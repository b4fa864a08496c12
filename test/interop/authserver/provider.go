// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package authserver

import (
	"fmt"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/token/jwt"
)

// TokenFormat is the shape of the access tokens that a Server issues.
type TokenFormat string

const (
	// JWT makes access tokens JSON Web Tokens, signed with RS256 by a key that the
	// server's jwks_uri shows.
	JWT TokenFormat = "jwt"
	// Opaque makes access tokens random strings with an HMAC, which mean nothing
	// to anyone but the server.
	Opaque TokenFormat = "opaque"
)

var tokenFormats = []TokenFormat{JWT, Opaque}

// grants is what the server supports: fosite gets the handlers from here, and
// clients and discovery the names.
var grants = []struct {
	name    string
	handler compose.Factory
}{
	{string(fosite.GrantTypeClientCredentials), compose.OAuth2ClientCredentialsGrantFactory},
	{string(fosite.GrantTypeRefreshToken), compose.OAuth2RefreshTokenGrantFactory},
	{string(fosite.GrantTypeJWTBearer), compose.RFC7523AssertionGrantFactory},
}

// signingAlgorithms are what fosite verifies client assertions with.
var signingAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}

// offlineAccess is the scope without which nothing is refreshed.
const offlineAccess = "offline_access"

func grantTypes() []string {
	names := make([]string, 0, len(grants))
	for _, grant := range grants {
		names = append(names, grant.name)
	}
	return names
}

// SetLifespan sets how long the access tokens live that are issued from its
// return on. It fails unless the lifespan is positive.
func (s *Server) SetLifespan(lifespan time.Duration) error {
	if lifespan <= 0 {
		return fmt.Errorf("setting the lifespan to %s: it has to be positive", lifespan)
	}
	// fosite reads its Config without a lock, so that a new lifespan needs a new
	// provider. What was issued stays known: it is in the store.
	provider := s.compose(lifespan)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.provider = provider
	return nil
}

func (s *Server) currentProvider() fosite.OAuth2Provider {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.provider
}

func (s *Server) compose(lifespan time.Duration) fosite.OAuth2Provider {
	config := s.config(lifespan)
	handlers := make([]compose.Factory, 0, len(grants))
	for _, grant := range grants {
		handlers = append(handlers, grant.handler)
	}
	return compose.Compose(config, s.store, s.strategy(config), handlers...)
}

func (s *Server) config(lifespan time.Duration) *fosite.Config {
	return &fosite.Config{
		AccessTokenLifespan: lifespan,
		AccessTokenIssuer:   s.url,
		TokenURL:            s.url + tokenPath,
		GlobalSecret:        s.keys.hmac,
		JWTScopeClaimKey:    jwt.JWTScopeFieldString, // RFC 8693 section 4.2
		ScopeStrategy:       fosite.ExactScopeStrategy,
		// A Config fills these in on their first use, which would be a data race.
		AudienceMatchingStrategy: fosite.DefaultAudienceMatchingStrategy,
		ClientSecretsHasher:      newHasher(),
		RefreshTokenScopes:       []string{offlineAccess},
	}
}

// strategy returns what makes the tokens. The JWT strategy signs access tokens
// alone; the other kinds stay opaque.
func (s *Server) strategy(config *fosite.Config) oauth2.CoreStrategy {
	opaque := compose.NewOAuth2HMACStrategy(config)
	if s.format == Opaque {
		return opaque
	}
	return compose.NewOAuth2JWTStrategy(s.keys.signingKey, opaque, config)
}
