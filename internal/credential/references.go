// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// Reference names an object that an issuer refers to, in a namespace that goes without saying.
type Reference struct {
	Kind string // Secret or ConfigMap
	Name string
}

// String is the reference as an index key.
func (r Reference) String() string { return r.Kind + "/" + r.Name }

// References are the objects that Resolve would read for an issuer.
func References(issuer *stsv1alpha1.IssuerSpec) []Reference {
	var refs []Reference
	if issuer.ClientIDRef != nil {
		refs = append(refs, Reference{Kind: "Secret", Name: string(issuer.ClientIDRef.Name)})
	}
	if c := issuer.Credential; c != nil && c.ClientSecret != nil {
		refs = append(refs, Reference{Kind: "Secret", Name: string(c.ClientSecret.SecretRef.Name)})
	}
	if t := issuer.TLS; t != nil && t.CABundleRef != nil {
		refs = append(refs, Reference{Kind: string(t.CABundleRef.Kind), Name: string(t.CABundleRef.Name)})
	}
	return refs
}
