// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// unsupported says what a spec asks for that the API knows and this version of the operator doesn't
// do, and what to write instead; it is empty when everything is done.
func unsupported(request *stsv1alpha1.TokenRequest, issuer *stsv1alpha1.IssuerSpec) string {
	spec := &request.Spec
	switch {
	case spec.Grant != nil && spec.Grant.Type != stsv1alpha1.GrantClientCredentials:
		return "This version of the operator doesn't do the grant " + string(spec.Grant.Type) + " yet. Leave spec.grant out for client credentials."
	case spec.Secret != nil && spec.Secret.Data != nil:
		return "This version of the operator doesn't render spec.secret.data yet. Leave it out for the keys access_token, token_type, scope and expires_at."
	}
	return unsupportedCredential(issuer.Credential)
}

func unsupportedCredential(c *stsv1alpha1.Credential) string {
	const instead = " yet. Use spec.issuer.credential.clientSecret."
	switch {
	case c == nil || c.ClientSecret != nil:
		return ""
	case c.PrivateKeyJWT != nil:
		return "This version of the operator doesn't do spec.issuer.credential.privateKeyJWT" + instead
	case c.TLSClientAuth != nil:
		return "This version of the operator doesn't do spec.issuer.credential.tlsClientAuth" + instead
	default:
		return "This version of the operator doesn't do spec.issuer.credential.federated" + instead
	}
}
