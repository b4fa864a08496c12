// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package authserver

import (
	"net/http"
	"slices"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/token/jwt"
)

const tokenPath = "/oauth2/token"

// IssuedToken records one successful token request.
type IssuedToken struct {
	// ClientID is who asked.
	ClientID string
	// GrantType is the grant_type of the request.
	GrantType string
	// Scopes are what was granted, in the order of the request.
	Scopes []string
	// AccessToken is the token itself, in clear.
	AccessToken string
	// RequestedAt is when the request arrived, in UTC.
	RequestedAt time.Time
	// ExpiresAt is when the token dies, in UTC.
	ExpiresAt time.Time
}

// IssuedTokens returns a record of each token issued so far, oldest first.
func (s *Server) IssuedTokens() []IssuedToken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.issued)
}

func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls.Token++
	s.mu.Unlock()

	ctx, provider := r.Context(), s.currentProvider()
	claims := &jwt.JWTClaims{}
	request, err := provider.NewAccessRequest(ctx, r, &oauth2.JWTSession{JWTClaims: claims})
	if err != nil {
		provider.WriteAccessError(ctx, w, request, err)
		return
	}
	// fosite has checked that the client may have these scopes. Whether it gets
	// them is left to the server, and there is no user to ask.
	for _, scope := range request.GetRequestedScopes() {
		request.GrantScope(scope)
	}
	// A token without a user is about the client (RFC 9068 section 2.2).
	claims.Subject = request.GetClient().GetID()
	claims.Extra = map[string]any{"client_id": request.GetClient().GetID()}

	response, err := provider.NewAccessResponse(ctx, request)
	if err != nil {
		provider.WriteAccessError(ctx, w, request, err)
		return
	}
	s.record(request, response)
	provider.WriteAccessResponse(ctx, w, request, response)
}

func (s *Server) record(request fosite.AccessRequester, response fosite.AccessResponder) {
	token := IssuedToken{
		ClientID:    request.GetClient().GetID(),
		GrantType:   request.GetRequestForm().Get("grant_type"),
		Scopes:      slices.Clone(request.GetGrantedScopes()),
		AccessToken: response.GetAccessToken(),
		RequestedAt: request.GetRequestedAt(),
		ExpiresAt:   request.GetSession().GetExpiresAt(fosite.AccessToken),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issued = append(s.issued, token)
}
