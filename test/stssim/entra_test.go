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

// trailer is how the first call's description ends at the clock's first instant.
const trailer = ` Trace ID: 57551111-0000-4000-8000-000000000001 Correlation ID: 57552222-0000-4000-8000-000000000001 Timestamp: 2026-03-01 12:00:00Z"`

// entraError is the golden error of the first call.
func entraError(code, description, number string) string {
	return `{"error":"` + code + `","error_description":"AADSTS` + number + `: ` + description + trailer +
		`,"error_codes":[` + number + `],"timestamp":"2026-03-01 12:00:00Z",` +
		`"trace_id":"57551111-0000-4000-8000-000000000001","correlation_id":"57552222-0000-4000-8000-000000000001",` +
		`"error_uri":"https://login.microsoftonline.com/error?code=` + number + `"}`
}

func TestEntraTokenEndpoint(t *testing.T) {
	tests := []struct {
		name   string
		path   string
		form   url.Values
		status int
		body   string
	}{
		{
			name: "a good request is granted",
			form: demoForm(), status: 200,
			body: `{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"TOKEN"}`,
		},
		{
			name: "the OpenID Connect scopes that MSAL Go adds are passed over",
			form: demoForm(url.Values{"scope": {graph + " openid offline_access profile"}}), status: 200,
			body: `{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"TOKEN"}`,
		},
		{
			name: "the tenant is found in any case",
			path: "/CONTOSO.onmicrosoft.com/oauth2/v2.0/token", form: demoForm(), status: 200,
			body: `{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"TOKEN"}`,
		},
		{
			name: "an unknown tenant is AADSTS90002",
			path: "/nowhere.example/oauth2/v2.0/token", form: demoForm(), status: 400,
			body: entraError("invalid_request", "Tenant 'nowhere.example' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.", "90002"),
		},
		{
			name: "a missing grant_type is AADSTS900144",
			form: demoForm(url.Values{"grant_type": nil}), status: 400,
			body: entraError("invalid_request", "The request body must contain the following parameter: 'grant_type'.", "900144"),
		},
		{
			name: "a missing scope is AADSTS900144",
			form: demoForm(url.Values{"scope": nil}), status: 400,
			body: entraError("invalid_request", "The request body must contain the following parameter: 'scope'.", "900144"),
		},
		{
			name: "a resource parameter is AADSTS901002",
			form: demoForm(url.Values{"resource": {"https://graph.microsoft.com"}}), status: 400,
			body: entraError("invalid_request", "The 'resource' request parameter is not supported.", "901002"),
		},
		{
			name: "another grant is AADSTS70003",
			form: demoForm(url.Values{"grant_type": {"password"}}), status: 400,
			body: entraError("unsupported_grant_type", "The app requested an unsupported grant type 'password'.", "70003"),
		},
		{
			name: "an unknown client is AADSTS700016",
			form: demoForm(url.Values{"client_id": {"nobody"}}), status: 400,
			body: entraError("unauthorized_client", "Application with identifier 'nobody' was not found in the directory 'contoso.onmicrosoft.com'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.", "700016"),
		},
		{
			name: "a scope without /.default is AADSTS1002012",
			form: demoForm(url.Values{"scope": {"User.Read"}}), status: 400,
			body: entraError("invalid_scope", "The provided value for scope User.Read is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).", "1002012"),
		},
		{
			name: "two resources are AADSTS70011",
			form: demoForm(url.Values{"scope": {"a/.default b/.default"}}), status: 400,
			body: entraError("invalid_scope", "The provided value for the input parameter 'scope' is not valid. The scope a/.default b/.default is not valid.", "70011"),
		},
		{
			name: "no credential is AADSTS7000218",
			form: demoForm(url.Values{"client_secret": nil}), status: 401,
			body: entraError("invalid_client", "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.", "7000218"),
		},
		{
			name: "a wrong secret is AADSTS7000215",
			form: demoForm(url.Values{"client_secret": {"wrong"}}), status: 401,
			body: entraError("invalid_client", "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '"+demoClient+"'.", "7000215"),
		},
		{
			name: "an expired secret is AADSTS7000222",
			form: demoForm(url.Values{"client_id": {expiredClient}, "client_secret": {expiredSecret}}), status: 401,
			body: entraError("invalid_client", "The provided client secret keys for app '"+expiredClient+"' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.", "7000222"),
		},
		{
			name: "a device code for a client that isn't public is AADSTS7000218",
			path: "/" + contoso + "/oauth2/v2.0/devicecode", form: demoForm(), status: 401,
			body: entraError("invalid_client", "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.", "7000218"),
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim := start(t, stssim.Options{})
			path := test.path
			if path == "" {
				path = entraToken
			}
			got := sim.post(path, test.form)
			for _, token := range sim.Issued() {
				got.body = strings.ReplaceAll(got.body, token, "TOKEN")
			}
			if got.status != test.status {
				t.Errorf("status %d, want %d", got.status, test.status)
			}
			if diff := cmp.Diff(test.body, got.body); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if kind := got.header.Get("Content-Type"); kind != "application/json; charset=utf-8" {
				t.Errorf("content type %q", kind)
			}
		})
	}
}

func TestEntraUnknownResource(t *testing.T) {
	sim := start(t, stssim.Options{Clients: []stssim.Client{{
		Tenant: contoso, ID: demoClient, Secrets: []stssim.Secret{{Value: demoSecret}}, Scopes: []string{graph},
	}}})
	got := sim.post(entraToken, demoForm(url.Values{"scope": {"api://other/.default"}}))
	want := entraError("invalid_resource", "The resource principal named api://other was not found in the tenant named contoso.onmicrosoft.com. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.", "500011")
	if diff := cmp.Diff(want, got.body); diff != "" || got.status != 400 {
		t.Errorf("status %d, body (-want +got):\n%s", got.status, diff)
	}
}

func TestEntraTakesPOSTAlone(t *testing.T) {
	sim := start(t, stssim.Options{})
	got := sim.get(entraToken)
	want := entraError("invalid_request", "The endpoint only accepts POST requests. Received a GET request.", "900561")
	if diff := cmp.Diff(want, got.body); diff != "" || got.status != 400 {
		t.Errorf("status %d, body (-want +got):\n%s", got.status, diff)
	}
}

func TestEntraIgnoresTheAuthorizationHeader(t *testing.T) {
	tests := []struct {
		name string
		form url.Values
		want string
	}{
		{"with the client in the body the credential is missing", demoForm(url.Values{"client_secret": nil}), "[7000218]"},
		{"without it the client is missing", demoForm(url.Values{"client_id": nil, "client_secret": nil}), "[900144]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim := start(t, stssim.Options{})
			request := sim.request(http.MethodPost, entraToken, test.form)
			request.SetBasicAuth(demoClient, demoSecret)
			got := sim.do(request)
			if codes := member(t, got.body, "error_codes"); codes != test.want {
				t.Errorf("error_codes %s, want %s", codes, test.want)
			}
			if challenge := got.header.Get("WWW-Authenticate"); challenge != "" {
				t.Errorf("challenge %q, which Entra doesn't send", challenge)
			}
		})
	}
}

func TestEntraDescriptionOnSeveralLines(t *testing.T) {
	sim := start(t, stssim.Options{MultilineErrors: true})
	got := sim.post("/nowhere/oauth2/v2.0/token", demoForm())
	description := member(t, got.body, "error_description")
	want := `\r\nTrace ID: 57551111-0000-4000-8000-000000000001\r\nCorrelation ID: 57552222-0000-4000-8000-000000000001\r\nTimestamp: 2026-03-01 12:00:00Z"`
	if !strings.HasSuffix(description, want) {
		t.Errorf("description %s doesn't end in %s", description, want)
	}
}

func TestEntraEchoesTheRequestIDWhenAsked(t *testing.T) {
	const sent = "9d6b7a6e-3c63-4a64-9d0e-0a1b2c3d4e5f"
	tests := []struct {
		name, ask, correlationID, header string
	}{
		{"asked, it comes back in body and header", "true", sent, sent},
		{"not asked, the service chooses", "", "57552222-0000-4000-8000-000000000001", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim := start(t, stssim.Options{})
			request := sim.request(http.MethodPost, entraToken, demoForm(url.Values{"client_secret": {"wrong"}}))
			request.Header.Set("client-request-id", sent)
			request.Header.Set("return-client-request-id", test.ask)
			got := sim.do(request)
			if id := member(t, got.body, "correlation_id"); id != `"`+test.correlationID+`"` {
				t.Errorf("correlation_id %s, want %q", id, test.correlationID)
			}
			if id := got.header.Get("client-request-id"); id != test.header {
				t.Errorf("header client-request-id %q, want %q", id, test.header)
			}
		})
	}
}

func TestEntraDiscovery(t *testing.T) {
	sim := start(t, stssim.Options{})
	request := sim.request(http.MethodGet, "/"+contoso+"/v2.0/.well-known/openid-configuration", nil)
	request.Host = "login.example"
	got := sim.do(request)
	want := map[string]string{
		"issuer":                                `"https://login.example/contoso.onmicrosoft.com/v2.0"`,
		"token_endpoint":                        `"https://login.example/contoso.onmicrosoft.com/oauth2/v2.0/token"`,
		"device_authorization_endpoint":         `"https://login.example/contoso.onmicrosoft.com/oauth2/v2.0/devicecode"`,
		"token_endpoint_auth_methods_supported": `["client_secret_post","private_key_jwt"]`,
		"scopes_supported":                      `["openid","profile","email","offline_access"]`,
		"grant_types_supported":                 "",
	}
	for name, value := range want {
		if found := member(t, got.body, name); found != value {
			t.Errorf("%s is %s, want %s", name, found, value)
		}
	}
}

func TestEntraDiscoveryOfAnUnknownTenant(t *testing.T) {
	sim := start(t, stssim.Options{})
	got := sim.get("/nowhere/v2.0/.well-known/openid-configuration")
	if code := member(t, got.body, "error"); code != `"invalid_tenant"` || got.status != 400 {
		t.Errorf("status %d, error %s", got.status, code)
	}
}
