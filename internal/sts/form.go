// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"net/url"
	"strings"
)

// tokenForm returns the fields of a token request without the client's
// authentication: what is asked for, and what is traded for it.
func (r Request) tokenForm() url.Values {
	form := r.wanted()
	form.Set("grant_type", string(r.Grant.grantType()))
	switch r.Grant.grantType() {
	case GrantJWTBearer: // RFC 7523 section 2.1
		form.Set("assertion", r.Grant.Assertion.Reveal())
		if r.Grant.OnBehalfOf {
			form.Set("requested_token_use", "on_behalf_of")
		}
	case GrantTokenExchange:
		r.Grant.exchange(form)
	case GrantRefreshToken: // RFC 6749 section 6
		form.Set("refresh_token", r.Grant.RefreshToken.Reveal())
	case GrantDeviceCode:
		// RFC 8628 section 3.4 has no scope, which was asked for with the code.
		form.Del("scope")
		form.Set("device_code", r.Grant.DeviceCode.Reveal())
		form.Set("client_id", r.ClientID)
	default: // client credentials, RFC 6749 section 4.4.2
	}
	return form
}

// deviceForm returns the fields of a device authorization request (RFC 8628
// section 3.1), without the client's authentication. The client_id stands in it
// by every method: servers read it there, to tell the person who asks.
func (r Request) deviceForm() url.Values {
	form := r.wanted()
	form.Set("client_id", r.ClientID)
	return form
}

// wanted returns the fields that say what is asked for: with any grant, since
// RFC 8707 section 2.2 defines resource for all token requests, and Entra reads
// claims with all of them.
func (r Request) wanted() url.Values {
	form := url.Values{}
	for name, value := range r.Parameters {
		form.Set(name, value)
	}
	if len(r.Scopes) > 0 {
		form.Set("scope", strings.Join(r.Scopes, " "))
	}
	for _, resource := range r.Resources {
		form.Add("resource", resource)
	}
	if r.Claims != "" {
		form.Set("claims", r.Claims)
	}
	return form
}

// exchange adds the fields of RFC 8693 section 2.1.
func (g Grant) exchange(form url.Values) {
	form.Set("subject_token", g.SubjectToken.Reveal())
	form.Set("subject_token_type", g.SubjectTokenType)
	if g.ActorToken != "" {
		form.Set("actor_token", g.ActorToken.Reveal())
		form.Set("actor_token_type", g.ActorTokenType)
	}
	if g.RequestedTokenType != "" {
		form.Set("requested_token_type", g.RequestedTokenType)
	}
	for _, audience := range g.Audiences {
		form.Add("audience", audience)
	}
}
