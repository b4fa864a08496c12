// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// Reference names an object that an issuer or a grant refers to, in a namespace that goes without
// saying: the issuer's or the request's.
type Reference struct {
	Kind string // Secret, ConfigMap or ServiceAccount
	Name string
}

// String is the reference as an index key.
func (r Reference) String() string { return r.Kind + "/" + r.Name }

// References are the objects that Resolve would read for an issuer, in the issuer's namespace.
func References(issuer *stsv1alpha1.IssuerSpec) []Reference {
	var refs []Reference
	if issuer.ClientIDRef != nil {
		refs = append(refs, secretReference(issuer.ClientIDRef.Name))
	}
	if c := issuer.Credential; c != nil {
		refs = append(refs, credentialReferences(c)...)
	}
	if t := issuer.TLS; t != nil && t.CABundleRef != nil {
		refs = append(refs, Reference{Kind: string(t.CABundleRef.Kind), Name: string(t.CABundleRef.Name)})
	}
	return refs
}

func credentialReferences(c *stsv1alpha1.Credential) []Reference {
	switch {
	case c.ClientSecret != nil:
		return []Reference{secretReference(c.ClientSecret.SecretRef.Name)}
	case c.PrivateKeyJWT != nil:
		return []Reference{secretReference(c.PrivateKeyJWT.SecretRef.Name)}
	case c.TLSClientAuth != nil:
		return []Reference{secretReference(c.TLSClientAuth.SecretRef.Name)}
	case c.Federated != nil:
		return []Reference{accountReference(c.Federated.ServiceAccountRef.Name)}
	}
	return nil
}

// GrantReferences are the objects that Resolve would read for a grant, in the request's namespace; a nil
// grant has none.
func GrantReferences(grant *stsv1alpha1.Grant) []Reference {
	switch {
	case grant == nil:
		return nil
	case grant.OnBehalfOf != nil:
		return sourceReferences(&grant.OnBehalfOf.Assertion)
	case grant.JWTBearer != nil:
		return sourceReferences(&grant.JWTBearer.Assertion)
	case grant.TokenExchange != nil:
		return append(sourceReferences(&grant.TokenExchange.SubjectToken), sourceReferences(grant.TokenExchange.ActorToken)...)
	case grant.RefreshToken != nil:
		return []Reference{secretReference(grant.RefreshToken.TokenRef.Name)}
	}
	return nil
}

func sourceReferences(source *stsv1alpha1.TokenSource) []Reference {
	switch {
	case source == nil:
		return nil
	case source.SecretRef != nil:
		return []Reference{secretReference(source.SecretRef.Name)}
	case source.ServiceAccount != nil:
		return []Reference{accountReference(source.ServiceAccount.Name)}
	}
	return nil
}

func secretReference(name stsv1alpha1.ObjectName) Reference {
	return Reference{Kind: "Secret", Name: string(name)}
}

func accountReference(name stsv1alpha1.ObjectName) Reference {
	return Reference{Kind: "ServiceAccount", Name: string(name)}
}
