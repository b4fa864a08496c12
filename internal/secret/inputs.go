// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// inputs is what a token is asked for, in a canonical form: everything that would make another
// token, and the names of the credentials, never their bytes. secret.*, suspend, refreshBefore and
// tls are absent on purpose: they change where the token goes or how the STS is reached, not the
// token.
type inputs struct {
	IssuerRef     *issuerRef                            `json:"issuerRef,omitempty"`
	Authority     string                                `json:"authority,omitempty"`
	TokenEndpoint string                                `json:"tokenEndpoint,omitempty"`
	ClientID      string                                `json:"clientID,omitempty"`
	ClientIDRef   *stsv1alpha1.SecretKeyRef             `json:"clientIDRef,omitempty"`
	Credential    *stsv1alpha1.Credential               `json:"credential,omitempty"`
	Grant         *stsv1alpha1.Grant                    `json:"grant,omitempty"`
	Scopes        []stsv1alpha1.Scope                   `json:"scopes,omitempty"`
	Resources     []stsv1alpha1.Resource                `json:"resources,omitempty"`
	Claims        string                                `json:"claims,omitempty"`
	Parameters    map[string]stsv1alpha1.ParameterValue `json:"parameters,omitempty"`
}

// issuerRef tells issuers apart whose specs are alike: a reference means another object in another
// namespace. The group is left out, for there is only one.
type issuerRef struct {
	Kind stsv1alpha1.IssuerKind `json:"kind"`
	Name stsv1alpha1.ObjectName `json:"name"`
}

// Inputs is the versioned hash of what the token is asked for: client, endpoint, authentication,
// grant, scopes and resources in any order, claims, parameters, and kind and name of each
// reference. msi-acrpull leaves the identity out of such a hash, and so goes on serving the old
// identity's token.
func Inputs(issuer *stsv1alpha1.IssuerSpec, spec *stsv1alpha1.TokenRequestSpec) string {
	in := inputs{
		Authority:     string(issuer.Authority),
		TokenEndpoint: string(issuer.TokenEndpoint),
		ClientID:      issuer.ClientID,
		ClientIDRef:   issuer.ClientIDRef,
		Credential:    issuer.Credential,
		Grant:         spec.Grant,
		Scopes:        sortedSet(spec.Scopes),
		Resources:     sortedSet(spec.Resources),
		Claims:        string(spec.Claims),
		Parameters:    spec.Parameters,
	}
	if ref := spec.IssuerRef; ref != nil {
		in.IssuerRef = &issuerRef{Kind: ref.Kind, Name: ref.Name}
	}
	if in.Grant != nil && in.Grant.Type == stsv1alpha1.GrantClientCredentials {
		in.Grant = nil // what an absent grant means
	}
	// encoding/json writes struct fields in order and map keys sorted. These types hold nothing
	// that it can refuse.
	canonical, err := json.Marshal(in)
	if err != nil {
		panic("marshalling the inputs of a token request: " + err.Error())
	}
	sum := sha256.Sum256(canonical)
	return hashVersion + hex.EncodeToString(sum[:])
}

func sortedSet[S ~string](list []S) []S {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}
