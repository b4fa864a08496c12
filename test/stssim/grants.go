// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"net/http"
	"slices"
	"strings"
)

// The grants by their grant_type.
const (
	grantClientCredentials = "client_credentials"
	grantRefreshToken      = "refresh_token"
	grantJWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	grantTokenExchange     = "urn:ietf:params:oauth:grant-type:token-exchange"
	grantDeviceCode        = "urn:ietf:params:oauth:grant-type:device_code"
	// legacyDeviceCode is how MSAL for Go and .NET call it, and Entra still hears.
	legacyDeviceCode = "device_code"
)

var (
	entraGrants = []string{grantClientCredentials, grantRefreshToken, grantJWTBearer, grantDeviceCode, legacyDeviceCode}
	plainGrants = []string{grantClientCredentials, grantRefreshToken, grantJWTBearer, grantTokenExchange, grantDeviceCode}

	// signInScopes ask for something about the person, not for a resource.
	signInScopes = []string{"openid", "profile", "email", "offline_access"}
)

// Person is who signed in, as tokens name them.
type Person struct {
	// Subject is the sub claim, which is told to this client.
	Subject string `json:"subject"`
	// ObjectID is oid, Entra's name for the person in the whole tenant.
	ObjectID string `json:"objectID,omitempty"`
	// PreferredUsername is preferred_username, which people read.
	PreferredUsername string `json:"preferredUsername,omitempty"`
}

// award is what a grant was traded for.
type award struct {
	// person is nil when the client got a token for itself.
	person *Person
	// signedIn is set when refresh and ID tokens may come along.
	signedIn bool
	// scope is what the person agreed to; empty is whatever is asked for.
	scope string
	// family is of the refresh token that was traded; 0 begins another.
	family int
	// audience, actor and issued are of a token exchange.
	audience []string
	actor    string
	issued   string
}

// grantType is empty at the device authorization endpoint, where there is none.
func (q *request) grantType() string {
	if q.kind != KindToken {
		return ""
	}
	return q.form.Get("grant_type")
}

// isOnBehalfOf tells Entra's flow from the JWT bearer grant that it builds on.
func (q *request) isOnBehalfOf() bool {
	return !q.plain && q.grantType() == grantJWTBearer && q.form.Get("requested_token_use") == "on_behalf_of"
}

// bringsScope tells the grants that were given a scope when they began, so that
// the token request needs none.
func (q *request) bringsScope() bool {
	return slices.Contains([]string{grantRefreshToken, grantDeviceCode, legacyDeviceCode}, q.grantType())
}

// redeem trades what the request brings. It comes after all other checks, for
// some things can be traded once.
func (s *Server) redeem(req *request, client registered) (award, *refusal) {
	switch req.grantType() {
	case grantJWTBearer:
		if req.isOnBehalfOf() {
			return s.redeemOnBehalfOf(req, client)
		}
		return s.redeemBearer(req, client)
	case grantTokenExchange:
		return s.redeemExchange(req, client)
	case grantRefreshToken:
		return s.redeemRefresh(req, client)
	case grantDeviceCode, legacyDeviceCode:
		return s.redeemDevice(req, client)
	default:
		return award{}, nil
	}
}

// companions are what comes with an access token: a refresh token where one was
// traded or offline_access is granted, and an ID token for openid.
func (s *Server) companions(req *request, client registered, won award, scope string) (refresh, id string) {
	if !won.signedIn {
		return "", ""
	}
	scopes := strings.Fields(scope)
	if won.family != 0 || slices.Contains(scopes, "offline_access") {
		refresh = s.refresh.issue(client, won, scope, s.clock())
		s.tokens.remember([]string{refresh})
	}
	if slices.Contains(scopes, "openid") {
		id = s.tokens.identify(identity{
			issuer: req.issuer(), clientID: client.ID, tenant: client.Tenant, person: *won.person, issuedAt: s.clock(),
		})
	}
	return refresh, id
}

// required refuses a request without one of the parameters.
func required(req *request, names ...string) *refusal {
	for _, name := range names {
		if req.form.Get(name) == "" {
			return refuse(http.StatusBadRequest, "invalid_request", 900144,
				"The request body must contain the following parameter: '"+name+"'.")
		}
	}
	return nil
}

func isSignInScope(scope string) bool { return slices.Contains(signInScopes, scope) }
