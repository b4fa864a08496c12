// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package authserver_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/test/interop/authserver"
)

func TestDiscovery(t *testing.T) {
	tests := map[string]struct {
		path   string
		format authserver.TokenFormat
		jwks   bool
	}{
		"OpenID Connect's document, with JWTs":          {"/.well-known/openid-configuration", authserver.JWT, true},
		"RFC 8414's document, with JWTs":                {"/.well-known/oauth-authorization-server", authserver.JWT, true},
		"OpenID Connect's document, with opaque tokens": {"/.well-known/openid-configuration", authserver.Opaque, false},
		"RFC 8414's document, with opaque tokens":       {"/.well-known/oauth-authorization-server", authserver.Opaque, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := start(t, authserver.Options{TokenFormat: test.format})
			want := map[string]any{
				"issuer":                                server.URL(),
				"token_endpoint":                        server.URL() + "/oauth2/token",
				"grant_types_supported":                 []any{"client_credentials", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
				"response_types_supported":              []any{},
				"token_endpoint_auth_methods_supported": []any{"client_secret_basic", "client_secret_post", "private_key_jwt"},
				"token_endpoint_auth_signing_alg_values_supported": []any{
					"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
				},
			}
			if test.jwks {
				want["jwks_uri"] = server.URL() + "/.well-known/jwks.json"
			}
			var got map[string]any
			getJSON(t, server, server.URL()+test.path, &got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("GET %s (-want +got):\n%s", test.path, diff)
			}
			if want := (authserver.Calls{Discovery: 1}); server.Calls() != want {
				t.Errorf("Calls() = %+v, want %+v", server.Calls(), want)
			}
		})
	}
}

func TestDiscoveryAnnouncesTheAuthenticationMethodsThatWereAskedFor(t *testing.T) {
	server := start(t, authserver.Options{AuthMethods: []authserver.AuthMethod{authserver.ClientSecretPost}})
	var got struct {
		Methods    []string `json:"token_endpoint_auth_methods_supported"`
		Algorithms []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	}
	getJSON(t, server, server.URL()+"/.well-known/openid-configuration", &got)
	if diff := cmp.Diff([]string{"client_secret_post"}, got.Methods); diff != "" {
		t.Errorf("methods (-want +got):\n%s", diff)
	}
	if got.Algorithms != nil {
		t.Errorf("signing algorithms %q, want none: nobody may sign", got.Algorithms)
	}
}

func TestAServerWithoutOpenIDHasOneDocumentAndCountsBothPlaces(t *testing.T) {
	server := start(t, authserver.Options{WithoutOpenID: true})
	response, err := trusting(t, server).Get(server.URL() + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("GET of OpenID Connect's document = %s, want 404", response.Status)
	}
	var got struct{ Issuer string }
	getJSON(t, server, server.URL()+"/.well-known/oauth-authorization-server", &got)
	if got.Issuer != server.URL() {
		t.Errorf("issuer = %q, want %q", got.Issuer, server.URL())
	}
	if want := (authserver.Calls{Discovery: 2}); server.Calls() != want {
		t.Errorf("Calls() = %+v, want %+v", server.Calls(), want)
	}
}

func TestAServerOfOpaqueTokensHasNoKeysToShow(t *testing.T) {
	server := start(t, authserver.Options{TokenFormat: authserver.Opaque})
	response, err := trusting(t, server).Get(server.URL() + "/.well-known/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("GET of the JWKS = %s, want 404", response.Status)
	}
}
