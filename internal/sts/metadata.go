// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"cmp"
	"slices"
	"strings"

	"tokenrequest.dev/operator/internal/oautherr"
)

// Metadata is what the operator needs to know of an authorization server.
type Metadata struct {
	// Issuer is the server's issuer identifier. For Entra it is the authority
	// with /v2.0, in which the tenant is written as in the authority.
	Issuer string
	// TokenEndpoint is never empty.
	TokenEndpoint string
	// DeviceAuthorizationEndpoint is empty where there is none, or none that may
	// be called.
	DeviceAuthorizationEndpoint string
	// MTLSTokenEndpoint is the token endpoint in mtls_endpoint_aliases (RFC 8705
	// section 5); empty where there is none, or none that may be called.
	MTLSTokenEndpoint string
	// MTLSDeviceAuthorizationEndpoint likewise.
	MTLSDeviceAuthorizationEndpoint string
	// Scopes are those of openid, profile and offline_access that the server
	// lists in scopes_supported. It is shared, not to be changed.
	Scopes []string
	// AuthMethods are token_endpoint_auth_methods_supported, as far as they are
	// registered with IANA; empty where the server didn't say. It is shared, not
	// to be changed.
	AuthMethods []string
	// Entra tells that this is Microsoft Entra ID, known without discovery.
	Entra bool
}

// Endpoints returns where a client that authenticates so asks for tokens and for
// device codes: at the mTLS alias with a certificate, where there is one (RFC
// 8705 section 5). No device endpoint is "".
func (m Metadata) Endpoints(auth AuthMethod) (token, device string) {
	if auth != AuthTLSClient {
		return m.TokenEndpoint, m.DeviceAuthorizationEndpoint
	}
	return cmp.Or(m.MTLSTokenEndpoint, m.TokenEndpoint),
		cmp.Or(m.MTLSDeviceAuthorizationEndpoint, m.DeviceAuthorizationEndpoint)
}

// DefaultAuthMethod returns how a client with a secret authenticates when nobody
// chose: by form for Entra; else with client_secret_basic if the server lists it
// or lists nothing (RFC 8414 section 2), and by form if it lists only others.
func DefaultAuthMethod(m Metadata) AuthMethod {
	if !m.Entra && (len(m.AuthMethods) == 0 || slices.Contains(m.AuthMethods, string(AuthClientSecretBasic))) {
		return AuthClientSecretBasic
	}
	return AuthClientSecretPost
}

// SignInScopes returns what a request for somebody who signs in adds to its
// scopes: of a server that lists its scopes those that it lists, since it may
// refuse others; one that lists none is taken for an OpenID provider. It is
// shared, not to be changed.
func (m Metadata) SignInScopes() []string {
	if len(m.Scopes) > 0 {
		return m.Scopes
	}
	return signInScopes
}

// registeredAuthMethods is the IANA registry "OAuth Token Endpoint
// Authentication Methods". Others are dropped, which bounds what is kept.
var registeredAuthMethods = []string{
	"none", "client_secret_basic", "client_secret_post", "client_secret_jwt",
	"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth",
}

// signInScopes are the scopes that a request for somebody who signs in adds
// where the server knows them (OpenID Connect Core 1.0 sections 3.1.2.1 and 11).
var signInScopes = []string{"openid", "profile", "offline_access"}

// parseMetadata reads a metadata document of the authority (OpenID Connect
// Discovery 1.0 section 4.2, RFC 8414 section 3.2).
func (e egress) parseMetadata(body []byte, authority string) (Metadata, *oautherr.Error) {
	document, err := readObject(body, "issuer", "token_endpoint", "device_authorization_endpoint",
		"token_endpoint_auth_methods_supported", "scopes_supported", "mtls_endpoint_aliases")
	if err != nil {
		return Metadata{}, oautherr.Malformed(err.Error())
	}
	// Whoever serves a document could otherwise speak for another issuer, and
	// be sent the credentials that are meant for that one (RFC 8414 sections 3.3
	// and 6.2). A trailing slash is the one difference that people make.
	issuer, _ := document.text("issuer")
	if strings.TrimSuffix(issuer, "/") != authority {
		return Metadata{}, oautherr.OtherIssuer()
	}
	m := Metadata{Issuer: issuer}
	m.TokenEndpoint, _ = document.text("token_endpoint")
	if why := e.checkURL(m.TokenEndpoint); why != "" {
		return Metadata{}, oautherr.Refused(oautherr.ReasonEndpointRefused, "in the metadata's token_endpoint, "+why)
	}
	m.DeviceAuthorizationEndpoint = e.callable(document, "device_authorization_endpoint")
	// RFC 8705 section 5. What isn't an object has no aliases.
	aliases, _ := readObject(document["mtls_endpoint_aliases"], "token_endpoint", "device_authorization_endpoint")
	m.MTLSTokenEndpoint = e.callable(aliases, "token_endpoint")
	m.MTLSDeviceAuthorizationEndpoint = e.callable(aliases, "device_authorization_endpoint")
	m.AuthMethods = document.among("token_endpoint_auth_methods_supported", registeredAuthMethods)
	m.Scopes = document.among("scopes_supported", signInScopes)
	return m, nil
}

// callable returns the member when it is a URL that may be called, and else "".
func (e egress) callable(document object, name string) string {
	endpoint, _ := document.text(name)
	if e.checkURL(endpoint) != "" {
		return ""
	}
	return endpoint
}

// among returns those of the known values that the member lists, in their order.
func (o object) among(name string, known []string) []string {
	listed := o.texts(name)
	var kept []string
	for _, value := range known {
		if slices.Contains(listed, value) {
			kept = append(kept, value)
		}
	}
	return kept
}
