// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential

// Site is where references are looked up. No field of the API names a namespace: the kind of the
// issuer decides.
type Site struct {
	// Issuer names the issuer's spec to people: "spec.issuer", "TokenIssuer payments/contoso
	// spec", "ClusterTokenIssuer contoso spec".
	Issuer string
	// IssuerNamespace is where the issuer's references are looked up: the request's, or the
	// operator's own for a ClusterTokenIssuer.
	IssuerNamespace string
	// Namespace is the request's, where the references of its grant are looked up.
	Namespace string
}

// Inline is the site of an issuer that stands in a request.
func Inline(namespace string) Site {
	return Site{Issuer: "spec.issuer", IssuerNamespace: namespace, Namespace: namespace}
}
