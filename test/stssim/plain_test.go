// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/test/stssim"
)

func TestPlainTokenEndpoint(t *testing.T) {
	none := url.Values{"client_id": nil, "client_secret": nil}
	tests := []struct {
		name       string
		path       string
		form       url.Values
		id, secret string // of the Authorization header
		status     int
		body       string
		challenge  string
	}{
		{
			name: "a secret in the body is accepted, and the default scope told",
			form: acmeForm(), status: 200,
			body: `{"access_token":"TOKEN","token_type":"Bearer","expires_in":3600,"scope":"read write"}`,
		},
		{
			name: "a secret in the header is accepted",
			form: acmeForm(none, url.Values{"scope": {"read"}}), id: "demo", secret: "stssim-acme-secret", status: 200,
			body: `{"access_token":"TOKEN","token_type":"Bearer","expires_in":3600,"scope":"read"}`,
		},
		{
			name: "a wrong secret in the header is challenged",
			form: acmeForm(none), id: "demo", secret: "wrong", status: 401,
			body:      `{"error":"invalid_client","error_description":"client authentication failed"}`,
			challenge: `Basic realm="acme", charset="UTF-8"`,
		},
		{
			name: "a wrong secret in the body is not challenged",
			form: acmeForm(url.Values{"client_secret": {"wrong"}}), status: 401,
			body: `{"error":"invalid_client","error_description":"client authentication failed"}`,
		},
		{
			name: "an unknown client is told nothing else",
			form: acmeForm(url.Values{"client_id": {"nobody"}}), status: 401,
			body: `{"error":"invalid_client","error_description":"client authentication failed"}`,
		},
		{
			name: "two ways of authentication are refused",
			form: acmeForm(), id: "demo", secret: "stssim-acme-secret", status: 400,
			body: `{"error":"invalid_request","error_description":"more than one client authentication method"}`,
		},
		{
			name: "a secret and an assertion are refused",
			form: acmeForm(url.Values{"client_assertion": {"x"}}), status: 400,
			body: `{"error":"invalid_request","error_description":"more than one client authentication method"}`,
		},
		{
			name: "a person's scope is not for a client alone",
			form: acmeForm(url.Values{"scope": {"openid"}}), status: 400,
			body: `{"error":"invalid_scope","error_description":"scope \"openid\" is not allowed"}`,
		},
		{
			name: "a repeated parameter is refused",
			form: acmeForm(url.Values{"scope": {"read", "write"}}), status: 400,
			body: `{"error":"invalid_request","error_description":"parameter \"scope\" is repeated"}`,
		},
		{
			name: "a missing grant type is refused",
			form: acmeForm(url.Values{"grant_type": nil}), status: 400,
			body: `{"error":"invalid_request","error_description":"parameter \"grant_type\" is missing"}`,
		},
		{
			name: "another grant type is refused",
			form: acmeForm(url.Values{"grant_type": {"password"}}), status: 400,
			body: `{"error":"unsupported_grant_type","error_description":"grant type \"password\" is not supported"}`,
		},
		{
			name: "a scope that isn't allowed is refused",
			form: acmeForm(url.Values{"scope": {"read admin"}}), status: 400,
			body: `{"error":"invalid_scope","error_description":"scope \"admin\" is not allowed"}`,
		},
		{
			name: "an unknown realm doesn't exist",
			path: "/plain/nowhere/token", form: acmeForm(), status: 404, body: "no such realm\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim := start(t, stssim.Options{})
			path := test.path
			if path == "" {
				path = plainToken
			}
			request := sim.request(http.MethodPost, path, test.form)
			if test.id != "" {
				request.SetBasicAuth(test.id, test.secret)
			}
			got := sim.do(request)
			for _, token := range sim.Issued() {
				got.body = strings.ReplaceAll(got.body, token, "TOKEN")
			}
			if diff := cmp.Diff(test.body, got.body); diff != "" || got.status != test.status {
				t.Errorf("status %d, want %d, body (-want +got):\n%s", got.status, test.status, diff)
			}
			if challenge := got.header.Get("WWW-Authenticate"); challenge != test.challenge {
				t.Errorf("challenge %q, want %q", challenge, test.challenge)
			}
		})
	}
}

func TestPlainDecodesTheAuthorizationHeader(t *testing.T) {
	const id, secret = "a:b", "p%+ ü&="
	sim := start(t, stssim.Options{Clients: []stssim.Client{{
		Tenant: "acme", ID: id, Secrets: []stssim.Secret{{Value: secret}},
	}}})
	tests := []struct {
		name         string
		user, secret string
		want         int
	}{
		{"form-encoded, as RFC 6749 section 2.3.1 says, it is understood", url.QueryEscape(id), url.QueryEscape(secret), 200},
		{"sent as it stands, it is another credential", id, secret, 401},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			request := sim.request(http.MethodPost, plainToken, url.Values{"grant_type": {"client_credentials"}})
			request.SetBasicAuth(test.user, test.secret)
			if got := sim.do(request); got.status != test.want {
				t.Errorf("status %d, want %d", got.status, test.want)
			}
		})
	}
}

func TestPlainTakesPOSTAlone(t *testing.T) {
	sim := start(t, stssim.Options{})
	if got := sim.get(plainToken); got.status != 405 || got.header.Get("Allow") != "POST" {
		t.Errorf("status %d, Allow %q", got.status, got.header.Get("Allow"))
	}
}

func TestPlainDiscovery(t *testing.T) {
	sim := start(t, stssim.Options{})
	const want = `{"device_authorization_endpoint":"https://as.example/plain/acme/device",` +
		`"grant_types_supported":["client_credentials","refresh_token","urn:ietf:params:oauth:grant-type:jwt-bearer",` +
		`"urn:ietf:params:oauth:grant-type:token-exchange","urn:ietf:params:oauth:grant-type:device_code"],` +
		`"issuer":"https://as.example/plain/acme",` +
		`"mtls_endpoint_aliases":{"token_endpoint":"https://as.example/plain/acme/mtls/token"},` +
		`"response_types_supported":[],` +
		`"scopes_supported":["email","offline_access","openid","profile","read","write"],` +
		`"token_endpoint":"https://as.example/plain/acme/token",` +
		`"token_endpoint_auth_methods_supported":["client_secret_basic","client_secret_post","private_key_jwt","tls_client_auth","none"],` +
		`"token_endpoint_auth_signing_alg_values_supported":["RS256","PS256","ES256"]}`
	tests := []struct{ name, path string }{
		{"as OpenID Connect looks for it", "/plain/acme/.well-known/openid-configuration"},
		{"as RFC 8414 looks for it", "/.well-known/oauth-authorization-server/plain/acme"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			request := sim.request(http.MethodGet, test.path, nil)
			request.Host = "as.example"
			if diff := cmp.Diff(want, sim.do(request).body); diff != "" {
				t.Errorf("document (-want +got):\n%s", diff)
			}
		})
	}
}
