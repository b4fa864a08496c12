// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package authserver

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/go-jose/go-jose/v3"
)

const (
	openIDConfigurationPath = "/.well-known/openid-configuration"
	authorizationServerPath = "/.well-known/oauth-authorization-server"
	jwksPath                = "/.well-known/jwks.json"
)

// metadata is RFC 8414 section 2. The same document is served where OpenID
// Connect Discovery expects one, as many servers do; the members about ID tokens
// are left out, since none are issued.
type metadata struct {
	Issuer        string `json:"issuer"`
	TokenEndpoint string `json:"token_endpoint"`
	// JWKSURI is absent when the tokens are opaque.
	JWKSURI             string   `json:"jwks_uri,omitempty"`
	GrantTypesSupported []string `json:"grant_types_supported"`
	// ResponseTypesSupported is required and, without an authorization endpoint,
	// empty. RFC 8414 section 3.2 would have an empty array left out; clients that
	// insist on required members are the more common ones.
	ResponseTypesSupported            []string     `json:"response_types_supported"`
	TokenEndpointAuthMethodsSupported []AuthMethod `json:"token_endpoint_auth_methods_supported"`
	// SigningAlgorithms are required with private_key_jwt, and absent without.
	SigningAlgorithms []string `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
}

// serveOpenIDMetadata answers 404 when there is no such document, having counted
// the question.
func (s *Server) serveOpenIDMetadata(w http.ResponseWriter, r *http.Request) {
	if s.openID {
		s.serveMetadata(w, r)
		return
	}
	s.countDiscovery()
	http.NotFound(w, r)
}

func (s *Server) serveMetadata(w http.ResponseWriter, _ *http.Request) {
	s.countDiscovery()
	document := metadata{
		Issuer:                            s.url,
		TokenEndpoint:                     s.url + tokenPath,
		GrantTypesSupported:               grantTypes(),
		ResponseTypesSupported:            []string{},
		TokenEndpointAuthMethodsSupported: s.auth,
	}
	if slices.Contains(s.auth, PrivateKeyJWT) {
		document.SigningAlgorithms = signingAlgorithms
	}
	if s.format == JWT {
		document.JWKSURI = s.url + jwksPath
	}
	writeJSON(w, document)
}

func (s *Server) countDiscovery() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls.Discovery++
}

func (s *Server) serveJWKS(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{s.keys.jwt.Public()}})
}

func writeJSON(w http.ResponseWriter, document any) {
	body, err := json.Marshal(document)
	if err != nil {
		http.Error(w, "encoding the document", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// A write fails when the client has gone: there is nobody left to tell.
	_, _ = w.Write(body)
}
