// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"tokenrequest.dev/operator/internal/oautherr"
)

// Request is one token request (RFC 6749 section 4). It prints without its
// secrets.
type Request struct {
	// Endpoint is the token endpoint's URL, and for Authorize that of the device
	// authorization endpoint.
	Endpoint string
	// Auth says how the client authenticates. It must be set.
	Auth AuthMethod
	// ClientID is the client's identifier; it must not be empty.
	ClientID string
	// ClientSecret must not be empty for the methods that send it.
	ClientSecret Sensitive
	// Key signs a client assertion for AuthPrivateKeyJWT, a new one for each
	// call; it must be set then, unless ClientAssertion is.
	Key *SigningKey
	// ClientAssertion is a client assertion that somebody else has signed, a
	// federated identity's, for AuthPrivateKeyJWT. Key must be nil then.
	ClientAssertion Sensitive
	// Grant is what is traded for the token; the zero value is the client
	// credentials grant.
	Grant Grant
	// Hidden are further values that nothing which comes of the call may show,
	// such as a client identifier out of a Secret.
	Hidden []Sensitive
	// Scopes go out in this order, joined with spaces; none sends no scope.
	Scopes []string
	// Resources are RFC 8707's resource indicators, one field each.
	Resources []string
	// Claims is the claims parameter, JSON, sent as it is; empty sends none.
	Claims string
	// Parameters are further form fields. A name that belongs to OAuth is
	// refused.
	Parameters map[string]string
	// Transport is how the endpoint is reached.
	Transport Transport
	// Timeout ends the whole call, its retry and the answer's body included.
	// Zero and less mean 20 seconds.
	Timeout time.Duration
}

// ownParameters are the form fields that decide who asks, with what and for
// what. A request sets them itself or not at all; through Parameters they would
// pass by the checks that are made of its typed fields. "audience" isn't among
// them: outside RFC 8693 it is a common extension, without which some servers
// issue nothing.
var ownParameters = []string{
	"actor_token", "actor_token_type", "assertion", "auth_req_id", "claims", "client_assertion",
	"client_assertion_type", "client_id", "client_secret", "code", "code_verifier", "device_code",
	"grant_type", "password", "redirect_uri", "refresh_token", "requested_token_type",
	"requested_token_use", "resource", "scope", "subject_token", "subject_token_type",
	"user_federated_identity_credential", "username",
}

// check refuses what would be sent with a part missing or smuggled in.
func (r Request) check() *oautherr.Error {
	if r.ClientID == "" {
		return oautherr.Refused(oautherr.ReasonInvalidRequest, "the client id is empty")
	}
	if refused := r.checkAuthentication(); refused != nil {
		return refused
	}
	for name := range r.Parameters {
		// Without regard to case, because some servers read forms that way.
		if name == "" || slices.Contains(ownParameters, strings.ToLower(name)) {
			return oautherr.Refused(oautherr.ReasonInvalidRequest, "an additional parameter has no name, or one of OAuth's own")
		}
	}
	return nil
}

// checkGrant refuses a grant of which a part is missing, or stands twice.
func (r Request) checkGrant() *oautherr.Error {
	if refused := r.Grant.check(); refused != nil {
		return refused
	}
	for name := range r.Parameters {
		// In RFC 8693 it is the grant's own.
		if r.Grant.Type == GrantTokenExchange && strings.EqualFold(name, "audience") {
			return oautherr.Refused(oautherr.ReasonInvalidRequest, "an additional parameter is the audience, which the grant has a list for")
		}
	}
	return nil
}

// call returns the HTTP request to make.
func (r Request) call(correlationID string, form url.Values, trades oautherr.Grant) call {
	header := http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"},
		// Entra then answers a throttled client with 429 and Retry-After, as it
		// does for its own libraries.
		"X-Ms-Lib-Capability":      {"retry-after, h429"},
		"Client-Request-Id":        {correlationID},
		"Return-Client-Request-Id": {"true"},
	}
	r.authenticate(form, header)
	return call{
		method:    http.MethodPost,
		url:       r.Endpoint,
		header:    header,
		body:      form.Encode(),
		transport: r.Transport,
		timeout:   r.Timeout,
		trades:    trades,
	}
}

// secrets are what nothing that comes of the call may show, with the names of
// whoever the traded tokens are about.
func (r Request) secrets() []string {
	var secrets []string
	for _, hidden := range slices.Concat([]Sensitive{r.ClientSecret, r.ClientAssertion}, r.Grant.secrets(), r.Hidden) {
		if hidden != "" {
			secrets = append(secrets, hidden.Reveal())
		}
	}
	for _, traded := range r.Grant.secrets() {
		secrets = append(secrets, namesIn(traded.Reveal())...)
	}
	return secrets
}
