// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
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

// DefaultAuthMethod returns how a client with a secret authenticates when nobody
// chose: by form for Entra; else with client_secret_basic if the server lists it
// or lists nothing (RFC 8414 section 2), and by form if it lists only others.
func DefaultAuthMethod(m Metadata) AuthMethod {
	if !m.Entra && (len(m.AuthMethods) == 0 || slices.Contains(m.AuthMethods, string(AuthClientSecretBasic))) {
		return AuthClientSecretBasic
	}
	return AuthClientSecretPost
}

// registeredAuthMethods is the IANA registry "OAuth Token Endpoint
// Authentication Methods". Others are dropped, which bounds what is kept.
var registeredAuthMethods = []string{
	"none", "client_secret_basic", "client_secret_post", "client_secret_jwt",
	"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth",
}

// parseMetadata reads a metadata document of the authority (OpenID Connect
// Discovery 1.0 section 4.2, RFC 8414 section 3.2).
func (e egress) parseMetadata(body []byte, authority string) (Metadata, *oautherr.Error) {
	document, err := readObject(body, "issuer", "token_endpoint", "device_authorization_endpoint",
		"token_endpoint_auth_methods_supported")
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
	if device, _ := document.text("device_authorization_endpoint"); e.checkURL(device) == "" {
		m.DeviceAuthorizationEndpoint = device
	}
	listed := document.texts("token_endpoint_auth_methods_supported")
	for _, method := range registeredAuthMethods {
		if slices.Contains(listed, method) {
			m.AuthMethods = append(m.AuthMethods, method)
		}
	}
	return m, nil
}
