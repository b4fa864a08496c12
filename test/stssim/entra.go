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
	Scope        string `json:"scope,omitempty"`
	ExpiresIn    int    `json:"expires_in"`
	ExtExpiresIn int    `json:"ext_expires_in"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
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
		return s.entraDevice(req)
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
	// Entra lists no grants.
	return jsonAnswer(http.StatusOK, entraJSON, map[string]any{
		"issuer":                                req.issuer(),
		"token_endpoint":                        req.tokenEndpoint(),
		"device_authorization_endpoint":         req.base + "/" + req.tenant + "/oauth2/v2.0/devicecode",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt"},
		"response_types_supported":              []string{"code", "id_token", "code id_token", "id_token token"},
		"response_modes_supported":              []string{"query", "fragment", "form_post"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"scopes_supported":                      signInScopes,
		"cloud_instance_name":                   "microsoftonline.com",
		"tenant_region_scope":                   "EU",
	})
}

func (s *Server) entraToken(req *request) answer {
	client, wanted, no := s.entraAdmit(req)
	var won award
	if no == nil {
		won, no = s.redeem(req, client)
	}
	if no == nil && len(wanted.scopes) == 0 {
		// What was agreed to was checked when the grant began.
		wanted, no = delegatedScope(won.scope)
	}
	if no != nil {
		return s.entraError(req, no)
	}
	return s.entraGranted(req, client, wanted, won)
}

// entraAdmit checks everything but what is traded, in Entra's order.
func (s *Server) entraAdmit(req *request) (registered, wantedScope, *refusal) {
	no := s.entraRequest(req)
	if no == nil {
		no = s.entraGrant(req)
	}
	if no != nil {
		return registered{}, wantedScope{}, no
	}
	client, no := s.entraClient(req)
	if no != nil {
		return registered{}, wantedScope{}, no
	}
	wanted, no := req.entraScope()
	if no == nil {
		no = client.authenticate(req, s.clock())
	}
	if no == nil {
		no = client.consents(req, wanted)
	}
	return client, wanted, no
}

func (s *Server) entraGranted(req *request, client registered, wanted wantedScope, won award) answer {
	g := grant{audience: []string{wanted.resource}, person: won.person, entra: true}
	success := entraSuccess{TokenType: "Bearer"}
	if won.person != nil {
		g.scope = wanted.names()
		// Entra tells what the token is good for, which offline_access isn't.
		success.Scope = strings.Join(slices.DeleteFunc(slices.Clone(wanted.scopes), func(scope string) bool {
			return scope == "offline_access"
		}), " ")
	}
	success.AccessToken, success.ExpiresIn = s.issue(req, client.Client, entraLifetime, g)
	success.ExtExpiresIn = success.ExpiresIn
	success.RefreshToken, success.IDToken = s.companions(req, client, won, strings.Join(wanted.scopes, " "))
	ok := jsonAnswer(http.StatusOK, entraJSON, success)
	s.entraHeaders(req, ok.header)
	return ok
}

// entraDevice begins a device code flow, which Entra leaves to public clients.
func (s *Server) entraDevice(req *request) answer {
	no := s.entraRequest(req)
	if no == nil {
		no = required(req, "client_id", "scope")
	}
	if no != nil {
		return s.entraError(req, no)
	}
	client, no := s.entraClient(req)
	var wanted wantedScope
	if no == nil && !client.Public {
		no = missingCredential()
	}
	if no == nil {
		wanted, no = delegatedScope(req.form.Get("scope"))
	}
	if no == nil {
		no = client.authenticate(req, s.clock())
	}
	if no == nil {
		no = client.consents(req, wanted)
	}
	if no != nil {
		return s.entraError(req, no)
	}
	success := s.authorizeDevice(req, client)
	success.VerificationURI = req.base + "/devicelogin"
	success.Message = "To sign in, use a web browser to open the page " + success.VerificationURI + " and enter the code " + success.UserCode + " to authenticate."
	ok := jsonAnswer(http.StatusOK, entraJSON, success)
	s.entraHeaders(req, ok.header)
	return ok
}

// entraRequest checks what is the same for both endpoints: method and tenant.
func (s *Server) entraRequest(req *request) *refusal {
	if req.http.Method != http.MethodPost {
		return refuse(http.StatusBadRequest, "invalid_request", 900561,
			"The endpoint only accepts POST requests. Received a "+req.http.Method+" request.")
	}
	if !s.clients.tenantExists(req.tenant) {
		return unknownTenant(req.tenant)
	}
	return nil
}

// entraGrant checks the parameters of a token request, and its grant.
func (s *Server) entraGrant(req *request) *refusal {
	names := []string{"grant_type", "client_id", "scope"}
	if req.bringsScope() {
		names = names[:2]
	}
	if no := required(req, names...); no != nil {
		return no
	}
	if req.form.Has("resource") {
		return refuse(http.StatusBadRequest, "invalid_request", 901002, "The 'resource' request parameter is not supported.")
	}
	if !slices.Contains(entraGrants, req.grantType()) {
		return refuse(http.StatusBadRequest, "unsupported_grant_type", 70003,
			"The app requested an unsupported grant type '"+req.grantType()+"'.")
	}
	return nil
}

func (s *Server) entraClient(req *request) (registered, *refusal) {
	client, found := s.clients.find(req.tenant, req.clientID)
	if !found {
		return client, refuse(http.StatusBadRequest, "unauthorized_client", 700016,
			"Application with identifier '"+req.clientID+"' was not found in the directory '"+req.tenant+"'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.")
	}
	return client, nil
}

func unknownTenant(tenant string) *refusal {
	return refuse(http.StatusBadRequest, "invalid_request", 90002,
		"Tenant '"+tenant+"' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.")
}

// wantedScope is a scope as Entra reads it: names within one resource.
type wantedScope struct {
	scopes   []string // as they were asked for
	resource string
}

// names are the scopes without their resource, as the scp claim has them.
func (w wantedScope) names() string {
	var names []string
	for _, scope := range w.scopes {
		if !isSignInScope(scope) {
			names = append(names, strings.TrimPrefix(scope, w.resource+"/"))
		}
	}
	return strings.Join(names, " ")
}

// entraScope reads the scope by the rules of the grant. A client that asks for
// itself asks for one scope, of all that it was given; the rest is delegated.
func (q *request) entraScope() (wantedScope, *refusal) {
	text := q.form.Get("scope")
	switch {
	case q.grantType() == grantClientCredentials:
		return applicationScope(text)
	case text == "":
		return wantedScope{}, nil
	default:
		return delegatedScope(text)
	}
}

// applicationScope reads the scope of a client credentials request. MSAL Go
// appends the OpenID Connect scopes, which Entra passes over.
func applicationScope(text string) (wantedScope, *refusal) {
	scopes := slices.DeleteFunc(strings.Fields(text), isSignInScope)
	if len(scopes) != 1 || scopes[0] == "/.default" {
		return wantedScope{}, refuse(http.StatusBadRequest, "invalid_scope", 70011,
			"The provided value for the input parameter 'scope' is not valid. The scope "+text+" is not valid.")
	}
	if !strings.HasSuffix(scopes[0], "/.default") {
		return wantedScope{}, refuse(http.StatusBadRequest, "invalid_scope", 1002012,
			"The provided value for scope "+text+" is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).")
	}
	return wantedScope{scopes: scopes, resource: strings.TrimSuffix(scopes[0], "/.default")}, nil
}

// defaultResource is whose scopes may be written without their resource.
const defaultResource = "https://graph.microsoft.com"

// delegatedScope reads the scope of a request for a person.
func delegatedScope(text string) (wantedScope, *refusal) {
	wanted := wantedScope{scopes: strings.Fields(text)}
	for _, scope := range wanted.scopes {
		if isSignInScope(scope) {
			continue
		}
		resource := defaultResource
		if slash := strings.LastIndex(scope, "/"); slash > 0 {
			resource = scope[:slash]
		}
		if wanted.resource != "" && wanted.resource != resource {
			return wantedScope{}, refuse(http.StatusBadRequest, "invalid_scope", 700022,
				"The provided value for the input parameter 'scope' isn't valid because it contains more than one resource. The scope "+text+" is not valid.")
		}
		wanted.resource = resource
	}
	if wanted.resource == "" {
		wanted.resource = defaultResource
	}
	return wanted, nil
}

// consents tells whether the scope was granted to the client: as a resource of
// the tenant when it asks for itself, and else by the person.
func (c registered) consents(req *request, wanted wantedScope) *refusal {
	for _, scope := range wanted.scopes {
		switch {
		case len(c.Scopes) == 0 || slices.Contains(c.Scopes, scope):
		case req.grantType() == grantClientCredentials:
			return refuse(http.StatusBadRequest, "invalid_resource", 500011,
				"The resource principal named "+wanted.resource+" was not found in the tenant named "+req.tenant+". This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.")
		case !isSignInScope(scope):
			no := refuseGrant(65001, "The user or administrator has not consented to use the application with ID '"+c.ID+"'. Send an interactive authorization request for this user and resource.")
			no.suberror = "consent_required"
			return no
		}
	}
	return nil
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
			no.prefix + no.message, "Trace ID: " + req.traceID(), "Correlation ID: " + req.correlationID(), "Timestamp: " + now,
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
