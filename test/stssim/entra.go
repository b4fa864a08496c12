// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	entraJSON     = "application/json; charset=utf-8"
	entraLifetime = Duration(3599 * time.Second)
	// entraTime is the layout of timestamps in Entra's errors.
	entraTime = "2006-01-02 15:04:05Z"
)

// entraSuccess has the members of Entra's token response in their order.
type entraSuccess struct {
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	ExtExpiresIn int    `json:"ext_expires_in"`
	AccessToken  string `json:"access_token"`
}

// entraFailure has the members of Entra's error response in their order.
type entraFailure struct {
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	Timestamp     string `json:"timestamp"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
	URI           string `json:"error_uri,omitempty"`
	Suberror      string `json:"suberror,omitempty"`
	Claims        string `json:"claims,omitempty"`
}

// entra answers a call to a path in Entra's shape.
func (s *Server) entra(req *request) answer {
	switch req.kind {
	case KindDiscovery:
		return s.entraDiscovery(req)
	case KindDevice:
		return s.entraError(req, refuseClient(7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."))
	default:
		return s.entraToken(req)
	}
}

func (s *Server) entraDiscovery(req *request) answer {
	if !s.clients.tenantExists(req.tenant) {
		// The discovery endpoint has a word of its own for AADSTS90002.
		no := unknownTenant(req.tenant)
		no.code = "invalid_tenant"
		return s.entraError(req, no)
	}
	tenant := req.base + "/" + req.tenant
	return jsonAnswer(http.StatusOK, entraJSON, map[string]any{
		"issuer":                                req.issuer(),
		"token_endpoint":                        tenant + "/oauth2/v2.0/token",
		"device_authorization_endpoint":         tenant + "/oauth2/v2.0/devicecode",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt"},
		"response_types_supported":              []string{"code", "id_token", "code id_token", "id_token token"},
		"response_modes_supported":              []string{"query", "fragment", "form_post"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
		"cloud_instance_name":                   "microsoftonline.com",
		"tenant_region_scope":                   "EU",
	})
}

func (s *Server) entraToken(req *request) answer {
	if no := s.entraRequest(req); no != nil {
		return s.entraError(req, no)
	}
	client, found := s.clients.find(req.tenant, req.clientID)
	if !found {
		return s.entraError(req, refuse(http.StatusBadRequest, "unauthorized_client", 700016,
			"Application with identifier '"+req.clientID+"' was not found in the directory '"+req.tenant+"'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."))
	}
	scope, no := entraScope(req.form.Get("scope"))
	if no == nil {
		no = client.authenticate(req, s.clock())
	}
	resource := strings.TrimSuffix(scope, "/.default")
	if no == nil && len(client.Scopes) > 0 && !slices.Contains(client.Scopes, scope) {
		no = refuse(http.StatusBadRequest, "invalid_resource", 500011,
			"The resource principal named "+resource+" was not found in the tenant named "+req.tenant+". This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.")
	}
	if no != nil {
		return s.entraError(req, no)
	}
	token, lifetime := s.issue(req, client.Client, entraLifetime, grant{audience: resource})
	ok := jsonAnswer(http.StatusOK, entraJSON, entraSuccess{
		TokenType: "Bearer", ExpiresIn: lifetime, ExtExpiresIn: lifetime, AccessToken: token,
	})
	s.entraHeaders(req, ok.header)
	return ok
}

// entraRequest checks what needs no client, in Entra's order: method, tenant,
// parameters, grant.
func (s *Server) entraRequest(req *request) *refusal {
	if req.http.Method != http.MethodPost {
		return refuse(http.StatusBadRequest, "invalid_request", 900561,
			"The endpoint only accepts POST requests. Received a "+req.http.Method+" request.")
	}
	if !s.clients.tenantExists(req.tenant) {
		return unknownTenant(req.tenant)
	}
	for _, name := range []string{"grant_type", "client_id", "scope"} {
		if req.form.Get(name) == "" {
			return refuse(http.StatusBadRequest, "invalid_request", 900144,
				"The request body must contain the following parameter: '"+name+"'.")
		}
	}
	if req.form.Has("resource") {
		return refuse(http.StatusBadRequest, "invalid_request", 901002, "The 'resource' request parameter is not supported.")
	}
	if grantType := req.form.Get("grant_type"); grantType != "client_credentials" {
		return refuse(http.StatusBadRequest, "unsupported_grant_type", 70003,
			"The app requested an unsupported grant type '"+grantType+"'.")
	}
	return nil
}

func unknownTenant(tenant string) *refusal {
	return refuse(http.StatusBadRequest, "invalid_request", 90002,
		"Tenant '"+tenant+"' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.")
}

// entraScope returns the one scope of a client credentials request. MSAL Go
// appends the OpenID Connect scopes, which Entra passes over.
func entraScope(text string) (string, *refusal) {
	scopes := slices.DeleteFunc(strings.Fields(text), func(scope string) bool {
		return slices.Contains([]string{"openid", "profile", "email", "offline_access"}, scope)
	})
	if len(scopes) != 1 || scopes[0] == "/.default" {
		return "", refuse(http.StatusBadRequest, "invalid_scope", 70011,
			"The provided value for the input parameter 'scope' is not valid. The scope "+text+" is not valid.")
	}
	if !strings.HasSuffix(scopes[0], "/.default") {
		return "", refuse(http.StatusBadRequest, "invalid_scope", 1002012,
			"The provided value for scope "+text+" is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).")
	}
	return scopes[0], nil
}

// entraError gives a refusal Entra's shape. The trailers of the description are
// one line apart or one space, as Options.MultilineErrors says; both are seen
// in public reports.
func (s *Server) entraError(req *request, no *refusal) answer {
	now := s.clock().UTC().Format(entraTime)
	separator := " "
	if s.multiline {
		separator = "\r\n"
	}
	failure := entraFailure{
		Error: no.code,
		Description: strings.TrimSpace(strings.Join([]string{
			no.message, "Trace ID: " + req.traceID(), "Correlation ID: " + req.correlationID(), "Timestamp: " + now,
		}, separator)),
		Codes:         no.aadsts,
		Timestamp:     now,
		TraceID:       req.traceID(),
		CorrelationID: req.correlationID(),
		Suberror:      no.suberror,
		Claims:        no.claims,
	}
	if failure.Codes == nil {
		failure.Codes = []int{}
	}
	if len(no.aadsts) > 0 {
		failure.URI = fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", no.aadsts[0])
	}
	bad := jsonAnswer(no.status, entraJSON, failure)
	bad.oauth = no.code
	s.entraHeaders(req, bad.header)
	return bad
}

func (s *Server) entraHeaders(req *request, header http.Header) {
	header.Set("x-ms-request-id", req.traceID())
	if req.echoesRequestID() {
		header.Set("client-request-id", req.correlationID())
	}
}

// traceID and correlationID are numbered, not random, so that answers can be
// compared byte by byte; they still differ from call to call, as Entra's do.
func (q *request) traceID() string {
	return fmt.Sprintf("57551111-0000-4000-8000-%012d", q.number)
}

func (q *request) correlationID() string {
	if q.echoesRequestID() {
		return q.http.Header.Get("client-request-id")
	}
	return fmt.Sprintf("57552222-0000-4000-8000-%012d", q.number)
}

func (q *request) echoesRequestID() bool {
	return strings.EqualFold(q.http.Header.Get("return-client-request-id"), "true") &&
		q.http.Header.Get("client-request-id") != ""
}
