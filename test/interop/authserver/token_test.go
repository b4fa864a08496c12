// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package authserver_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/go-jose/go-jose/v3/jwt"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"tokenrequest.dev/operator/test/interop/authserver"
)

// oddSecret changes under a form encoding that is left out, or done twice.
const oddSecret = "s:e c%20r+e/t=&\u00e9"

var clients = []authserver.Client{
	{ID: "basic", Secret: oddSecret, Scopes: []string{"read", "write"}},
	{ID: "post", Secret: oddSecret, AuthMethod: authserver.ClientSecretPost, Scopes: []string{"read", "write"}},
}

func TestAClientIsIssuedAToken(t *testing.T) {
	tests := map[string]struct {
		format authserver.TokenFormat
		config clientcredentials.Config
		scopes []string
	}{
		"with client_secret_basic": {
			config: clientcredentials.Config{ClientID: "basic", AuthStyle: oauth2.AuthStyleInHeader, Scopes: []string{"read"}},
			scopes: []string{"read"},
		},
		"with client_secret_post": {
			config: clientcredentials.Config{ClientID: "post", AuthStyle: oauth2.AuthStyleInParams, Scopes: []string{"read"}},
			scopes: []string{"read"},
		},
		"with all its scopes": {
			config: clientcredentials.Config{ClientID: "basic", AuthStyle: oauth2.AuthStyleInHeader, Scopes: []string{"write", "read"}},
			scopes: []string{"write", "read"},
		},
		"without a scope": {
			config: clientcredentials.Config{ClientID: "basic", AuthStyle: oauth2.AuthStyleInHeader},
			scopes: []string{},
		},
		"that is opaque": {
			format: authserver.Opaque,
			config: clientcredentials.Config{ClientID: "basic", AuthStyle: oauth2.AuthStyleInHeader, Scopes: []string{"read"}},
			scopes: []string{"read"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := start(t, authserver.Options{Clients: clients, TokenFormat: test.format})
			test.config.ClientSecret = oddSecret
			token, err := request(t, server, test.config)
			if err != nil {
				t.Fatal(err)
			}
			if token.Type() != "Bearer" {
				t.Errorf("token_type = %q, want bearer", token.TokenType)
			}
			if got, want := token.Extra("scope"), strings.Join(test.scopes, " "); got != want {
				t.Errorf("scope = %q, want %q", got, want)
			}
			issued := server.IssuedTokens()
			if len(issued) != 1 {
				t.Fatalf("IssuedTokens() has %d records, want 1", len(issued))
			}
			want := authserver.IssuedToken{
				ClientID:    test.config.ClientID,
				Subject:     test.config.ClientID,
				GrantType:   "client_credentials",
				Scopes:      test.scopes,
				AccessToken: token.AccessToken,
				RequestedAt: issued[0].RequestedAt,
				ExpiresAt:   issued[0].ExpiresAt,
			}
			if diff := cmp.Diff(want, issued[0]); diff != "" {
				t.Errorf("IssuedTokens() (-want +got):\n%s", diff)
			}
			if want := (authserver.Calls{Token: 1}); server.Calls() != want {
				t.Errorf("Calls() = %+v, want %+v", server.Calls(), want)
			}
		})
	}
}

func TestARequestIsRefused(t *testing.T) {
	tests := map[string]struct {
		config clientcredentials.Config
		status int
		code   string
	}{
		"for a wrong secret in the header": {
			clientcredentials.Config{ClientID: "basic", ClientSecret: "wrong", AuthStyle: oauth2.AuthStyleInHeader},
			http.StatusUnauthorized, "invalid_client",
		},
		"for a wrong secret in the form": {
			clientcredentials.Config{ClientID: "post", ClientSecret: "wrong", AuthStyle: oauth2.AuthStyleInParams},
			http.StatusUnauthorized, "invalid_client",
		},
		"for no secret": {
			clientcredentials.Config{ClientID: "post", AuthStyle: oauth2.AuthStyleInParams},
			http.StatusUnauthorized, "invalid_client",
		},
		"for a client that nobody registered": {
			clientcredentials.Config{ClientID: "stranger", ClientSecret: oddSecret, AuthStyle: oauth2.AuthStyleInHeader},
			http.StatusUnauthorized, "invalid_client",
		},
		"for the secret in the form when the header was registered": {
			clientcredentials.Config{ClientID: "basic", ClientSecret: oddSecret, AuthStyle: oauth2.AuthStyleInParams},
			http.StatusUnauthorized, "invalid_client",
		},
		"for the secret in the header when the form was registered": {
			clientcredentials.Config{ClientID: "post", ClientSecret: oddSecret, AuthStyle: oauth2.AuthStyleInHeader},
			http.StatusUnauthorized, "invalid_client",
		},
		"for a scope that the client may not have": {
			clientcredentials.Config{ClientID: "basic", ClientSecret: oddSecret, AuthStyle: oauth2.AuthStyleInHeader, Scopes: []string{"read", "admin"}},
			http.StatusBadRequest, "invalid_scope",
		},
		"for a scope that only begins like one of the client's": {
			clientcredentials.Config{ClientID: "basic", ClientSecret: oddSecret, AuthStyle: oauth2.AuthStyleInHeader, Scopes: []string{"read.all"}},
			http.StatusBadRequest, "invalid_scope",
		},
		"for a grant that the server doesn't have": {
			clientcredentials.Config{
				ClientID: "basic", ClientSecret: oddSecret, AuthStyle: oauth2.AuthStyleInHeader,
				EndpointParams: url.Values{"grant_type": {"password"}},
			},
			http.StatusBadRequest, "invalid_request",
		},
	}
	server := start(t, authserver.Options{Clients: clients})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := server.Calls()
			_, err := request(t, server, test.config)
			wantRefused(t, err, test.status, test.code)
			if got, want := server.Calls().Token, before.Token+1; got != want {
				t.Errorf("Calls().Token = %d, want %d: refusals count", got, want)
			}
		})
	}
	if issued := server.IssuedTokens(); len(issued) != 0 {
		t.Errorf("IssuedTokens() = %+v, want none", issued)
	}
}

func TestOnlyAPOSTIsATokenRequest(t *testing.T) {
	server := start(t, authserver.Options{Clients: clients})
	response, err := trusting(t, server).Get(server.URL() + "/oauth2/token")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET of the token endpoint = %s, want 405", response.Status)
	}
	if got := server.Calls().Token; got != 0 {
		t.Errorf("Calls().Token = %d, want 0", got)
	}
}

func TestASecretThatWasReplacedIsRefused(t *testing.T) {
	server := start(t, authserver.Options{Clients: clients})
	config := clientcredentials.Config{ClientID: "basic", ClientSecret: oddSecret, AuthStyle: oauth2.AuthStyleInHeader}
	if err := server.SetSecret("basic", "next"); err != nil {
		t.Fatal(err)
	}
	_, err := request(t, server, config)
	wantRefused(t, err, http.StatusUnauthorized, "invalid_client")

	config.ClientSecret = "next"
	if _, err := request(t, server, config); err != nil {
		t.Errorf("request with the new secret: %v", err)
	}
}

func TestALifespanAppliesToTheTokensIssuedAfterIt(t *testing.T) {
	server := start(t, authserver.Options{Clients: clients, Lifespan: time.Hour})
	for _, lifespan := range []time.Duration{time.Hour, 24 * time.Hour, time.Minute} {
		if err := server.SetLifespan(lifespan); err != nil {
			t.Fatal(err)
		}
		token, err := request(t, server, clientcredentials.Config{ClientID: "basic", ClientSecret: oddSecret, AuthStyle: oauth2.AuthStyleInHeader})
		if err != nil {
			t.Fatal(err)
		}
		// expires_in counts from the answer and is cut to a second: it is rarely the
		// lifespan itself.
		seconds, _ := token.Extra("expires_in").(float64)
		if got := time.Duration(seconds) * time.Second; got > lifespan || got <= lifespan/2 {
			t.Errorf("expires_in = %s, want about %s", got, lifespan)
		}
	}
	if err := server.SetLifespan(0); err == nil {
		t.Error("SetLifespan(0) succeeds, want an error")
	}
}

func TestAJWTVerifiesAgainstThePublishedKey(t *testing.T) {
	server := start(t, authserver.Options{Clients: clients})
	token, err := request(t, server, clientcredentials.Config{
		ClientID: "basic", ClientSecret: oddSecret, AuthStyle: oauth2.AuthStyleInHeader, Scopes: []string{"read", "write"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var keys jose.JSONWebKeySet
	getJSON(t, server, server.URL()+"/.well-known/jwks.json", &keys)
	if len(keys.Keys) != 1 || !keys.Keys[0].IsPublic() {
		t.Fatalf("the JWKS has %d keys, want one public key", len(keys.Keys))
	}
	parsed, err := jwt.ParseSigned(token.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if got := parsed.Headers[0].Algorithm; got != "RS256" {
		t.Errorf("alg = %q, want RS256", got)
	}
	var claims struct {
		jwt.Claims
		ClientID string `json:"client_id"`
		Scope    string `json:"scope"`
	}
	if err := parsed.Claims(keys, &claims); err != nil { // finds the key by kid
		t.Fatalf("verifying the token: %v", err)
	}
	got := []string{claims.Issuer, claims.Subject, claims.ClientID, claims.Scope}
	if diff := cmp.Diff([]string{server.URL(), "basic", "basic", "read write"}, got); diff != "" {
		t.Errorf("iss, sub, client_id, scope (-want +got):\n%s", diff)
	}
	if got, want := claims.Expiry.Time().Unix(), server.IssuedTokens()[0].ExpiresAt.Unix(); got != want {
		t.Errorf("exp = %d, IssuedTokens() says %d", got, want)
	}
}

func TestAnOpaqueTokenIsNoJWT(t *testing.T) {
	server := start(t, authserver.Options{Clients: clients, TokenFormat: authserver.Opaque})
	token, err := request(t, server, clientcredentials.Config{ClientID: "basic", ClientSecret: oddSecret, AuthStyle: oauth2.AuthStyleInHeader})
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err := jwt.ParseSigned(token.AccessToken); err == nil {
		t.Errorf("the access token is a JWT: %+v", parsed.Headers)
	}
}

// The race detector judges this one more than the assertions do.
func TestTheServerMayChangeWhileItServes(t *testing.T) {
	const changes, requests = 4, 16
	server := start(t, authserver.Options{Clients: clients})
	var group sync.WaitGroup
	for range requests {
		group.Go(func() {
			if _, err := request(t, server, clientcredentials.Config{ClientID: "basic", ClientSecret: oddSecret, AuthStyle: oauth2.AuthStyleInHeader}); err != nil {
				t.Error(err)
			}
		})
	}
	for i := range changes {
		group.Go(func() {
			id := fmt.Sprintf("client-%d", i)
			if err := server.RegisterClient(authserver.Client{ID: id, Secret: "first"}); err != nil {
				t.Error(err)
			}
			if err := server.SetSecret(id, "second"); err != nil {
				t.Error(err)
			}
			if err := server.SetLifespan(time.Duration(i+1) * time.Minute); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got, want := server.Calls(), (authserver.Calls{Token: requests}); got != want {
		t.Errorf("Calls() = %+v, want %+v", got, want)
	}
	if got := len(server.IssuedTokens()); got != requests {
		t.Errorf("IssuedTokens() has %d records, want %d", got, requests)
	}
}

// wantRefused checks the answer as golang.org/x/oauth2 has parsed it.
func wantRefused(t *testing.T, err error, status int, code string) {
	t.Helper()
	var refusal *oauth2.RetrieveError
	if !errors.As(err, &refusal) {
		t.Fatalf("the request ended with %v, want a refusal", err)
	}
	if refusal.Response.StatusCode != status || refusal.ErrorCode != code {
		t.Errorf("refused with %s %q, want %d %q", refusal.Response.Status, refusal.ErrorCode, status, code)
	}
}

// getJSON decodes the answer to a GET, which has to be 200 and JSON.
func getJSON(t *testing.T, server *authserver.Server, address string, into any) {
	t.Helper()
	response, err := trusting(t, server).Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || got != "application/json" {
		t.Fatalf("GET %s = %s with content type %q, want 200 and application/json", address, response.Status, got)
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatalf("GET %s: %v", address, err)
	}
}
