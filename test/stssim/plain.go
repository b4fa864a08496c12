// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	plainJSON     = "application/json;charset=UTF-8"
	plainLifetime = Duration(time.Hour)
)

// plainSuccess is the response of RFC 6749, section 5.1.
type plainSuccess struct {
	AccessToken  string `json:"access_token"`
	IssuedType   string `json:"issued_token_type,omitempty"` // RFC 8693, section 2.2.1
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	Scope        string `json:"scope,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"` // OpenID Connect Core, section 3.1.3.3
}

// plainFailure is the response of RFC 6749, section 5.2.
type plainFailure struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// plainPath answers a call to a path below /plain, or for its metadata.
func (s *Server) plainPath(req *request) answer {
	if !s.clients.tenantExists(req.tenant) {
		return textAnswer(http.StatusNotFound, "no such realm\n")
	}
	switch {
	case req.kind == KindDiscovery:
		return s.plainDiscovery(req)
	case req.http.Method != http.MethodPost:
		no := textAnswer(http.StatusMethodNotAllowed, "POST only\n")
		no.header.Set("Allow", http.MethodPost)
		return no
	case req.kind == KindDevice:
		return s.plainDevice(req)
	default:
		return s.plainToken(req)
	}
}

// plainDiscovery is RFC 8414, section 2. There is no authorization endpoint,
// hence no response type.
func (s *Server) plainDiscovery(req *request) answer {
	return jsonAnswer(http.StatusOK, plainJSON, map[string]any{
		"issuer":                        req.issuer(),
		"token_endpoint":                req.tokenEndpoint(),
		"device_authorization_endpoint": req.issuer() + "/device",
		// RFC 8705, section 5. A certificate is asked for in every handshake, so
		// that the other endpoints need no alias.
		"mtls_endpoint_aliases":                            map[string]string{"token_endpoint": req.issuer() + "/mtls/token"},
		"grant_types_supported":                            plainGrants,
		"response_types_supported":                         []string{},
		"scopes_supported":                                 s.realmScopes(req.tenant),
		"token_endpoint_auth_methods_supported":            []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth", "none"},
		"token_endpoint_auth_signing_alg_values_supported": clientAlgorithms,
	})
}

// realmScopes are those that clients of the realm are registered with, and
// those of OpenID Connect.
func (s *Server) realmScopes(realm string) []string {
	scopes := slices.Clone(signInScopes)
	for _, client := range s.clients.list() {
		if strings.EqualFold(client.Tenant, realm) {
			scopes = append(scopes, client.Scopes...)
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

func (s *Server) plainToken(req *request) answer {
	client, no := s.plainAdmit(req)
	if no == nil {
		no = client.allows(req)
	}
	var won award
	if no == nil {
		won, no = s.redeem(req, client)
	}
	if no != nil {
		return s.plainError(req, no)
	}
	return s.plainGranted(req, client, won)
}

func (s *Server) plainGranted(req *request, client registered, won award) answer {
	scope := req.scope
	if scope == "" {
		scope = won.scope
	}
	if scope == "" {
		// RFC 6749, section 3.3: a default, of which the response then tells.
		scope = strings.Join(client.Scopes, " ")
	}
	g := grant{audience: won.audience, scope: scope, person: won.person, actor: won.actor}
	if len(g.audience) == 0 {
		g.audience = []string{cmp.Or(req.form.Get("resource"), req.issuer())}
	}
	if won.issued == jwtTokenType {
		client.Opaque = false
	}
	success := plainSuccess{TokenType: "Bearer", IssuedType: won.issued, Scope: scope}
	success.AccessToken, success.ExpiresIn = s.issue(req, client.Client, plainLifetime, g)
	success.RefreshToken, success.IDToken = s.companions(req, client, won, scope)
	return jsonAnswer(http.StatusOK, plainJSON, success)
}

// plainDevice is RFC 8628, section 3.1.
func (s *Server) plainDevice(req *request) answer {
	client, no := s.plainAdmit(req)
	if no == nil {
		no = client.allows(req)
	}
	if no != nil {
		return s.plainError(req, no)
	}
	success := s.authorizeDevice(req, client)
	success.VerificationURI = req.issuer() + "/signin"
	success.VerificationURIComplete = success.VerificationURI + "?user_code=" + success.UserCode
	return jsonAnswer(http.StatusOK, plainJSON, success)
}

// plainAdmit checks the form of the request, and the client.
func (s *Server) plainAdmit(req *request) (registered, *refusal) {
	no := checkPlainForm(req)
	if no == nil && req.kind == KindToken {
		no = checkPlainGrant(req)
	}
	if no != nil {
		return registered{}, no
	}
	client, found := s.clients.find(req.tenant, req.clientID)
	if !found || client.authenticate(req, s.clock()) != nil {
		return registered{}, &refusal{
			status: http.StatusUnauthorized, code: "invalid_client", message: "client authentication failed",
		}
	}
	return client, nil
}

// allows checks the scope against the registration. A client that asks for
// itself can't ask for what is a person's.
func (c registered) allows(req *request) *refusal {
	for scope := range strings.FieldsSeq(req.scope) {
		personal := isSignInScope(scope) && req.grantType() != grantClientCredentials
		if len(c.Scopes) > 0 && !slices.Contains(c.Scopes, scope) && !personal {
			return &refusal{
				status: http.StatusBadRequest, code: "invalid_scope", message: "scope " + strconv.Quote(scope) + " is not allowed",
			}
		}
	}
	return nil
}

// checkPlainForm checks what needs no client and is the same for both endpoints.
func checkPlainForm(req *request) *refusal {
	for name, values := range req.form {
		// RFC 6749, section 3.2. RFC 8707, section 2, excepts resource, and RFC
		// 8693, section 2.1, audience.
		if len(values) > 1 && name != "resource" && (name != "audience" || req.grantType() != grantTokenExchange) {
			return invalidRequest("parameter " + strconv.Quote(name) + " is repeated")
		}
	}
	if req.basic && (req.form.Has("client_secret") || req.assertion != "") || req.form.Has("client_secret") && req.assertion != "" {
		return invalidRequest("more than one client authentication method") // RFC 6749, section 2.3
	}
	return nil
}

func checkPlainGrant(req *request) *refusal {
	switch {
	case req.grantType() == "":
		return invalidRequest("parameter \"grant_type\" is missing")
	case slices.Contains(plainGrants, req.grantType()):
		return nil
	default:
		return &refusal{
			status: http.StatusBadRequest, code: "unsupported_grant_type",
			message: "grant type " + strconv.Quote(req.grantType()) + " is not supported",
		}
	}
}

// plainError gives a refusal the shape of RFC 6749, section 5.2, which demands
// a challenge of the scheme that the client used.
func (s *Server) plainError(req *request, no *refusal) answer {
	bad := jsonAnswer(no.status, plainJSON, plainFailure{Error: no.code, Description: no.message})
	bad.oauth = no.code
	if no.status == http.StatusUnauthorized && req.basic {
		bad.header.Set("WWW-Authenticate", "Basic realm="+strconv.Quote(req.tenant)+", charset=\"UTF-8\"")
	}
	return bad
}
