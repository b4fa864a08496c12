// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"encoding/base64"
	"net/http"
	"net/url"
)

// AuthMethod is how a client authenticates to a token endpoint: a value of the
// IANA registry "OAuth Token Endpoint Authentication Methods".
type AuthMethod string

// The methods that a Request can use.
const (
	// AuthNone names the client and proves nothing: a public client.
	AuthNone AuthMethod = "none"
	// AuthClientSecretBasic sends id and secret in the Authorization header.
	AuthClientSecretBasic AuthMethod = "client_secret_basic"
	// AuthClientSecretPost sends id and secret in the form.
	AuthClientSecretPost AuthMethod = "client_secret_post"
	// AuthPrivateKeyJWT sends a signed assertion in the form (RFC 7523 section
	// 2.2), the client's own or a federated identity's.
	AuthPrivateKeyJWT AuthMethod = "private_key_jwt"
	// AuthTLSClient names the client in the form and proves it in the TLS
	// handshake, with the Transport's ClientCertificate (RFC 8705 section 2.1).
	AuthTLSClient AuthMethod = "tls_client_auth"
)

// authenticate adds what names and proves the client, by one method alone: RFC
// 6749 section 2.3 forbids two, and a client_id beside the header makes some
// servers count two.
func (r Request) authenticate(form url.Values, header http.Header) {
	switch r.Auth {
	case AuthClientSecretBasic:
		header.Set("Authorization", "Basic "+r.basic())
	case AuthClientSecretPost:
		form.Set("client_id", r.ClientID)
		form.Set("client_secret", r.ClientSecret.Reveal())
	default:
		form.Set("client_id", r.ClientID)
	}
}

// basic encodes id and secret as a form does before it joins them (RFC 6749
// section 2.3.1 and appendix B), or a colon or a percent sign in one of them
// would be read as something else.
func (r Request) basic() string {
	pair := url.QueryEscape(r.ClientID) + ":" + url.QueryEscape(r.ClientSecret.Reveal())
	return base64.StdEncoding.EncodeToString([]byte(pair))
}
