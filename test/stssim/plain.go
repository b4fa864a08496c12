// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
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
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	Scope       string `json:"scope,omitempty"`
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
	if req.kind == KindDiscovery {
		return plainDiscovery(req)
	}
	return s.plainToken(req)
}

// plainDiscovery is RFC 8414, section 2. There is no authorization endpoint,
// hence no response type.
func plainDiscovery(req *request) answer {
	return jsonAnswer(http.StatusOK, plainJSON, map[string]any{
		"issuer":                                req.issuer(),
		"token_endpoint":                        req.issuer() + "/token",
		"grant_types_supported":                 []string{"client_credentials"},
		"response_types_supported":              []string{},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post", "private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported": []string{"RS256", "PS256", "ES256", "EdDSA"},
	})
}

func (s *Server) plainToken(req *request) answer {
	if req.http.Method != http.MethodPost {
		no := textAnswer(http.StatusMethodNotAllowed, "POST only\n")
		no.header.Set("Allow", http.MethodPost)
		return no
	}
	if no := plainRequest(req); no != nil {
		return s.plainError(req, no)
	}
	client, found := s.clients.find(req.tenant, req.clientID)
	if !found || client.authenticate(req, s.clock()) != nil {
		return s.plainError(req, &refusal{
			status: http.StatusUnauthorized, code: "invalid_client", message: "client authentication failed",
		})
	}
	scopes := strings.Fields(req.scope)
	if len(scopes) == 0 {
		// RFC 6749, section 3.3: a default, of which the response then tells.
		scopes = client.Scopes
	}
	for _, scope := range scopes {
		if len(client.Scopes) > 0 && !slices.Contains(client.Scopes, scope) {
			return s.plainError(req, &refusal{
				status: http.StatusBadRequest, code: "invalid_scope", message: "scope " + strconv.Quote(scope) + " is not allowed",
			})
		}
	}
	scope := strings.Join(scopes, " ")
	audience := req.form.Get("resource")
	if audience == "" {
		audience = req.issuer()
	}
	token, lifetime := s.issue(req, client.Client, plainLifetime, grant{audience: audience, scope: scope})
	return jsonAnswer(http.StatusOK, plainJSON, plainSuccess{
		AccessToken: token, TokenType: "Bearer", ExpiresIn: lifetime, Scope: scope,
	})
}

// plainRequest checks what needs no client.
func plainRequest(req *request) *refusal {
	invalid := func(message string) *refusal {
		return &refusal{status: http.StatusBadRequest, code: "invalid_request", message: message}
	}
	for name, values := range req.form {
		// RFC 6749, section 3.2; RFC 8707, section 2, excepts resource.
		if len(values) > 1 && name != "resource" {
			return invalid("parameter " + strconv.Quote(name) + " is repeated")
		}
	}
	if req.basic && (req.form.Has("client_secret") || req.assertion != "") {
		return invalid("more than one client authentication method") // RFC 6749, section 2.3
	}
	switch grantType := req.form.Get("grant_type"); grantType {
	case "":
		return invalid("parameter \"grant_type\" is missing")
	case "client_credentials":
		return nil
	default:
		return &refusal{status: http.StatusBadRequest, code: "unsupported_grant_type", message: "grant type " + strconv.Quote(grantType) + " is not supported"}
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
