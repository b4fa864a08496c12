// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"encoding/base64"
	"net/http"
	"net/url"

	"tokenrequest.dev/operator/internal/oautherr"
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
// servers count two. The device grant has one beside it all the same.
func (r Request) authenticate(form url.Values, header http.Header) {
	switch r.Auth {
	case AuthClientSecretBasic:
		header.Set("Authorization", "Basic "+r.basic())
	case AuthClientSecretPost:
		form.Set("client_id", r.ClientID)
		form.Set("client_secret", r.ClientSecret.Reveal())
	case AuthPrivateKeyJWT:
		// RFC 7521 section 4.2 lets the client_id go, and Entra wants it.
		form.Set("client_id", r.ClientID)
		form.Set("client_assertion_type", clientAssertionType)
		form.Set("client_assertion", r.ClientAssertion.Reveal())
	default: // AuthNone; AuthTLSClient, whose proof is in the handshake
		form.Set("client_id", r.ClientID)
	}
}

// clientAssertionType is that of every assertion, whoever signed it (RFC 7523
// section 2.2).
const clientAssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// checkAuthentication refuses a method whose proof is missing. MSAL Python sends
// such a request without any credential, and the answer then blames the client's
// registration.
func (r Request) checkAuthentication() *oautherr.Error {
	switch r.Auth {
	case AuthNone:
		return nil
	case AuthClientSecretBasic, AuthClientSecretPost:
		if r.ClientSecret == "" {
			return oautherr.Refused(oautherr.ReasonInvalidClient, "the client secret is empty")
		}
		return nil
	case AuthPrivateKeyJWT:
		return r.checkAssertion()
	case AuthTLSClient:
		if r.Transport.ClientCertificate == nil {
			return oautherr.Refused(oautherr.ReasonInvalidClient, "there is no client certificate")
		}
		return nil
	default:
		return oautherr.Refused(oautherr.ReasonInvalidRequest, "the client authentication method is not supported")
	}
}

func (r Request) checkAssertion() *oautherr.Error {
	switch {
	case r.Key == nil && r.ClientAssertion == "":
		return oautherr.Refused(oautherr.ReasonInvalidClient, "there is neither a signing key nor a client assertion")
	case r.Key != nil && r.ClientAssertion != "":
		return oautherr.Refused(oautherr.ReasonInvalidRequest, "there are both a signing key and a client assertion")
	case r.Key == nil:
		return nil
	}
	if err := r.Key.Check(); err != nil {
		return oautherr.Refused(oautherr.ReasonInvalidClient, err.Error())
	}
	return nil
}

// basic encodes id and secret as a form does before it joins them (RFC 6749
// section 2.3.1 and appendix B), or a colon or a percent sign in one of them
// would be read as something else.
func (r Request) basic() string {
	pair := url.QueryEscape(r.ClientID) + ":" + url.QueryEscape(r.ClientSecret.Reveal())
	return base64.StdEncoding.EncodeToString([]byte(pair))
}
