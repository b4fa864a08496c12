// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"maps"
	"slices"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// refusal of a field: its path in the request, what stands there, and where the issuer's owner would
// allow it.
type refusedField struct {
	path, value, allow string
}

// accessTokenType is the one token type that a request may ask a ClusterTokenIssuer for.
const accessTokenType = "urn:ietf:params:oauth:token-type:access_token"

// refusedBy says which field of a request a ClusterTokenIssuer doesn't allow, and what to do; it is
// empty when it allows the request.
//
// What isn't tried can't widen a token. secret, refreshBefore and suspend say where it goes and when.
// Of the grant, the tokens to be traded, the store and the type of each are what the requester brings
// from the own namespace, and the STS judges it once the grant as such is allowed; expectedSubject
// only narrows.
func refusedBy(issuer string, allow *stsv1alpha1.Allowance, spec *stsv1alpha1.TokenRequestSpec) string {
	if allow == nil {
		allow = &stsv1alpha1.Allowance{}
	}
	tries := []func(*stsv1alpha1.Allowance, *stsv1alpha1.TokenRequestSpec) *refusedField{
		refusedGrant, refusedScope, refusedResource, refusedExchange, refusedParameter, refusedClaims,
	}
	for _, try := range tries {
		if f := try(allow, spec); f != nil {
			return f.sentence(issuer)
		}
	}
	return ""
}

func (f *refusedField) sentence(issuer string) string {
	if f.allow == "" {
		return fmt.Sprintf("%s doesn't allow %s %q, and its owner can't allow it. Leave it out.", issuer, f.path, f.value)
	}
	if f.value == "" {
		return fmt.Sprintf("%s doesn't allow %s. Write what it allows, or have its owner set %s.", issuer, f.path, f.allow)
	}
	return fmt.Sprintf("%s doesn't allow %s %q. Ask for what it allows, or have its owner add that to %s.", issuer, f.path, f.value, f.allow)
}

// refusedGrant holds the grant to the list, which without a word is that of client credentials.
func refusedGrant(allow *stsv1alpha1.Allowance, spec *stsv1alpha1.TokenRequestSpec) *refusedField {
	grants := allow.Grants
	if len(grants) == 0 {
		grants = []stsv1alpha1.GrantType{stsv1alpha1.GrantClientCredentials}
	}
	if grant := grantOf(spec); !slices.Contains(grants, grant) {
		return &refusedField{"spec.grant.type", string(grant), "spec.allow.grants"}
	}
	return nil
}

// refusedScope holds the scopes to the list. A request without any takes what the STS gives by
// default, which can be everything that the client may have.
func refusedScope(allow *stsv1alpha1.Allowance, spec *stsv1alpha1.TokenRequestSpec) *refusedField {
	if len(spec.Scopes) == 0 && !allow.DefaultScopes {
		return &refusedField{path: "a request without spec.scopes", allow: "spec.allow.defaultScopes: true"}
	}
	return beyond("spec.scopes", "spec.allow.scopes", spec.Scopes, allow.Scopes)
}

func refusedResource(allow *stsv1alpha1.Allowance, spec *stsv1alpha1.TokenRequestSpec) *refusedField {
	return beyond("spec.resources", "spec.allow.resources", spec.Resources, allow.Resources)
}

// refusedExchange holds what a token exchange asks for. Of the types only that of an access token may
// be asked for: a refresh token would outlive all that is allowed here.
func refusedExchange(allow *stsv1alpha1.Allowance, spec *stsv1alpha1.TokenRequestSpec) *refusedField {
	if spec.Grant == nil || spec.Grant.TokenExchange == nil {
		return nil
	}
	exchange := spec.Grant.TokenExchange
	if wanted := string(exchange.RequestedTokenType); wanted != "" && wanted != accessTokenType {
		return &refusedField{path: "spec.grant.tokenExchange.requestedTokenType", value: wanted}
	}
	return beyond("spec.grant.tokenExchange.audiences", "spec.allow.audiences", exchange.Audiences, allow.Audiences)
}

func refusedParameter(allow *stsv1alpha1.Allowance, spec *stsv1alpha1.TokenRequestSpec) *refusedField {
	for _, name := range slices.Sorted(maps.Keys(spec.Parameters)) {
		if value, there := allow.Parameters[name]; !there || value != spec.Parameters[name] {
			return &refusedField{"spec.parameters", name + "=" + string(spec.Parameters[name]), "spec.allow.parameters"}
		}
	}
	return nil
}

// refusedClaims is about the parameter claims, which can ask for anything that the STS knows.
func refusedClaims(allow *stsv1alpha1.Allowance, spec *stsv1alpha1.TokenRequestSpec) *refusedField {
	if spec.Claims != "" && !allow.Claims {
		return &refusedField{path: "spec.claims", allow: "spec.allow.claims: true"}
	}
	return nil
}

// beyond is the first of those asked for that isn't among those allowed.
func beyond[S ~string](path, allow string, asked, allowed []S) *refusedField {
	for _, value := range asked {
		if !slices.Contains(allowed, value) {
			return &refusedField{path, string(value), allow}
		}
	}
	return nil
}

// grantOf is the grant's type, written or not.
func grantOf(spec *stsv1alpha1.TokenRequestSpec) stsv1alpha1.GrantType {
	if spec.Grant == nil {
		return stsv1alpha1.GrantClientCredentials
	}
	return spec.Grant.Type
}
