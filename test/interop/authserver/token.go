// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package authserver

import (
	"cmp"
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
	// Subject is whom the token is about: a person, or the client itself.
	Subject string
	// GrantType is the grant_type of the request.
	GrantType string
	// Scopes are what was granted, in the order of the request.
	Scopes []string
	// AccessToken is the token itself, in clear.
	AccessToken string
	// RefreshToken is what came with it, in clear; empty when nothing did.
	RefreshToken string
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
	request, err := provider.NewAccessRequest(ctx, r, &oauth2.JWTSession{})
	if err != nil {
		provider.WriteAccessError(ctx, w, request, err)
		return
	}
	// fosite has checked that the client may have these scopes. Whether it gets
	// them is left to the server, and there is no user to ask.
	for _, scope := range request.GetRequestedScopes() {
		request.GrantScope(scope)
	}
	describe(request)

	response, err := provider.NewAccessResponse(ctx, request)
	if err != nil {
		provider.WriteAccessError(ctx, w, request, err)
		return
	}
	s.record(request, response)
	provider.WriteAccessResponse(ctx, w, request, response)
}

// describe says in the token whom it is about: without a person, the client (RFC
// 9068 section 2.2). The session of a refresh is a copy of the one before, whose
// claims are written anew.
func describe(request fosite.AccessRequester) {
	session, ok := request.GetSession().(*oauth2.JWTSession)
	if !ok {
		return
	}
	id := request.GetClient().GetID()
	session.Subject = cmp.Or(session.Subject, id)
	session.JWTClaims = &jwt.JWTClaims{Subject: session.Subject, Extra: map[string]any{"client_id": id}}
}

func (s *Server) record(request fosite.AccessRequester, response fosite.AccessResponder) {
	// It is absent, or a string.
	refreshToken, _ := response.GetExtra("refresh_token").(string)
	token := IssuedToken{
		ClientID:     request.GetClient().GetID(),
		Subject:      request.GetSession().GetSubject(),
		GrantType:    request.GetRequestForm().Get("grant_type"),
		Scopes:       slices.Clone(request.GetGrantedScopes()),
		AccessToken:  response.GetAccessToken(),
		RefreshToken: refreshToken,
		RequestedAt:  request.GetRequestedAt(),
		ExpiresAt:    request.GetSession().GetExpiresAt(fosite.AccessToken),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issued = append(s.issued, token)
}
