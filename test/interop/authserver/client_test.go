// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package authserver_test

import (
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v3"

	"tokenrequest.dev/operator/test/interop/authserver"
)

func TestRegisterClientRefuses(t *testing.T) {
	tests := map[string]struct {
		client authserver.Client
		want   string
	}{
		"a client without an id":    {authserver.Client{Secret: "s"}, "an id is needed"},
		"a client without a secret": {authserver.Client{ID: "new"}, "a secret is needed"},
		"a secret beyond bcrypt":    {authserver.Client{ID: "new", Secret: strings.Repeat("s", 73)}, "72 bytes"},
		"an authentication method unknown to it": {
			authserver.Client{ID: "new", Secret: "s", AuthMethod: "tls_client_auth"}, `unknown authentication method "tls_client_auth"`,
		},
		"an id that is taken": {authserver.Client{ID: "basic", Secret: "s"}, "the id is taken"},
	}
	key := newKey(t)
	private := &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key, Use: "sig"}}}
	for name, refused := range map[string]struct {
		change func(*authserver.Client)
		want   string
	}{
		"private_key_jwt without keys":              {func(c *authserver.Client) { c.JWKS = nil }, "public keys are needed"},
		"private_key_jwt with a private key":        {func(c *authserver.Client) { c.JWKS = private }, "is no public key"},
		"private_key_jwt with a secret":             {func(c *authserver.Client) { c.Secret = "correct horse" }, "of no use"},
		"private_key_jwt with an unknown algorithm": {func(c *authserver.Client) { c.SigningAlgorithm = "HS256" }, `unknown signing algorithm "HS256"`},
	} {
		client := authserver.Client{ID: "new", AuthMethod: authserver.PrivateKeyJWT, JWKS: authserver.KeySet("", key.Public())}
		refused.change(&client)
		tests[name] = struct {
			client authserver.Client
			want   string
		}{client, refused.want}
	}
	server := start(t, authserver.Options{Clients: clients})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := server.RegisterClient(test.client)
			wantError(t, err, test.want)
			if err != nil && len(test.client.Secret) > 1 && strings.Contains(err.Error(), test.client.Secret) {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

func TestSetSecretRefuses(t *testing.T) {
	server := start(t, authserver.Options{Clients: clients})
	tests := map[string]struct{ id, secret, want string }{
		"a client that nobody registered": {"stranger", "s", "no such client"},
		"an empty secret":                 {"basic", "", "a secret is needed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			wantError(t, server.SetSecret(test.id, test.secret), test.want)
		})
	}
}

func wantError(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("got error %v, want one with %q", err, text)
	}
}
