// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"reflect"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// allowsSomeOfEach allows one value of everything.
func allowsSomeOfEach() *stsv1alpha1.Allowance {
	return &stsv1alpha1.Allowance{
		Scopes:     []stsv1alpha1.Scope{"orders.read"},
		Resources:  []stsv1alpha1.Resource{"https://orders.example"},
		Audiences:  []string{"orders"},
		Grants:     []stsv1alpha1.GrantType{stsv1alpha1.GrantClientCredentials, stsv1alpha1.GrantTokenExchange},
		Parameters: map[string]stsv1alpha1.ParameterValue{"audience": "orders"},
		Claims:     true,
	}
}

// asksForWhatIsAllowed asks for all that allowsSomeOfEach allows.
func asksForWhatIsAllowed() *stsv1alpha1.TokenRequestSpec {
	return &stsv1alpha1.TokenRequestSpec{
		Grant: &stsv1alpha1.Grant{Type: stsv1alpha1.GrantTokenExchange, TokenExchange: &stsv1alpha1.TokenExchangeGrant{
			SubjectTokenType: "urn:ietf:params:oauth:token-type:jwt", RequestedTokenType: accessTokenType, Audiences: []string{"orders"},
		}},
		Scopes:     []stsv1alpha1.Scope{"orders.read"},
		Resources:  []stsv1alpha1.Resource{"https://orders.example"},
		Claims:     `{"access_token":{}}`,
		Parameters: map[string]stsv1alpha1.ParameterValue{"audience": "orders"},
	}
}

type allowanceCase struct {
	allow func(*stsv1alpha1.Allowance)
	ask   func(*stsv1alpha1.TokenRequestSpec)
	says  []string // empty: allowed
}

func fieldsThatCouldWidenAToken() map[string]allowanceCase {
	exchange := func(change func(*stsv1alpha1.TokenExchangeGrant)) func(*stsv1alpha1.TokenRequestSpec) {
		return func(s *stsv1alpha1.TokenRequestSpec) { change(s.Grant.TokenExchange) }
	}
	return map[string]allowanceCase{
		"a scope that isn't listed": {nil, func(s *stsv1alpha1.TokenRequestSpec) { s.Scopes = append(s.Scopes, "orders.write") },
			[]string{`spec.scopes "orders.write"`, "spec.allow.scopes"}},
		"a scope that begins like a listed one": {nil, func(s *stsv1alpha1.TokenRequestSpec) { s.Scopes = []stsv1alpha1.Scope{"orders.readwrite"} },
			[]string{`spec.scopes "orders.readwrite"`}},
		"a scope in another case": {nil, func(s *stsv1alpha1.TokenRequestSpec) { s.Scopes = []stsv1alpha1.Scope{"Orders.Read"} },
			[]string{`spec.scopes "Orders.Read"`}},
		"a scope where none is listed": {func(a *stsv1alpha1.Allowance) { a.Scopes = nil }, nil, []string{`spec.scopes "orders.read"`}},
		"a scope where a star is listed": {func(a *stsv1alpha1.Allowance) { a.Scopes = []stsv1alpha1.Scope{"*"} }, nil,
			[]string{`spec.scopes "orders.read"`}},
		"no scope": {nil, func(s *stsv1alpha1.TokenRequestSpec) { s.Scopes = nil }, []string{"without spec.scopes", "spec.allow.defaultScopes: true"}},
		"no scope where default scopes are allowed": {func(a *stsv1alpha1.Allowance) { a.DefaultScopes = true },
			func(s *stsv1alpha1.TokenRequestSpec) { s.Scopes = nil }, nil},
		"a scope that isn't listed, where default scopes are allowed": {func(a *stsv1alpha1.Allowance) { a.DefaultScopes = true },
			func(s *stsv1alpha1.TokenRequestSpec) { s.Scopes = []stsv1alpha1.Scope{"all"} }, []string{`spec.scopes "all"`}},
		"a resource that isn't listed": {nil, func(s *stsv1alpha1.TokenRequestSpec) { s.Resources = append(s.Resources, "https://pay.example") },
			[]string{`spec.resources "https://pay.example"`, "spec.allow.resources"}},
		"a resource below a listed one": {nil, func(s *stsv1alpha1.TokenRequestSpec) {
			s.Resources = []stsv1alpha1.Resource{"https://orders.example/admin"}
		}, []string{`spec.resources "https://orders.example/admin"`}},
		"a resource where none is listed": {func(a *stsv1alpha1.Allowance) { a.Resources = nil }, nil, []string{`spec.resources "https://orders.example"`}},
		"no resource":                     {nil, func(s *stsv1alpha1.TokenRequestSpec) { s.Resources = nil }, nil},
		"a grant that isn't listed": {nil, func(s *stsv1alpha1.TokenRequestSpec) {
			s.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantDeviceCode, DeviceCode: &stsv1alpha1.DeviceCodeGrant{}}
		}, []string{`spec.grant.type "DeviceCode"`, "spec.allow.grants"}},
		"a grant where none is listed": {func(a *stsv1alpha1.Allowance) { a.Grants = nil }, nil, []string{`spec.grant.type "TokenExchange"`}},
		"client credentials where no grant is listed": {func(a *stsv1alpha1.Allowance) { a.Grants = nil },
			func(s *stsv1alpha1.TokenRequestSpec) { s.Grant = nil }, nil},
		"client credentials spelled out where no grant is listed": {func(a *stsv1alpha1.Allowance) { a.Grants = nil },
			func(s *stsv1alpha1.TokenRequestSpec) {
				s.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantClientCredentials}
			}, nil},
		"client credentials where another grant is listed": {func(a *stsv1alpha1.Allowance) {
			a.Grants = []stsv1alpha1.GrantType{stsv1alpha1.GrantOnBehalfOf}
		}, func(s *stsv1alpha1.TokenRequestSpec) { s.Grant = nil }, []string{`spec.grant.type "ClientCredentials"`}},
		"an audience that isn't listed": {nil, exchange(func(x *stsv1alpha1.TokenExchangeGrant) { x.Audiences = []string{"orders", "pay"} }),
			[]string{`spec.grant.tokenExchange.audiences "pay"`, "spec.allow.audiences"}},
		"an audience where none is listed": {func(a *stsv1alpha1.Allowance) { a.Audiences = nil }, nil,
			[]string{`spec.grant.tokenExchange.audiences "orders"`}},
		"no audience": {nil, exchange(func(x *stsv1alpha1.TokenExchangeGrant) { x.Audiences = nil }), nil},
		"a refresh token in exchange": {nil, exchange(func(x *stsv1alpha1.TokenExchangeGrant) {
			x.RequestedTokenType = "urn:ietf:params:oauth:token-type:refresh_token"
		}), []string{`spec.grant.tokenExchange.requestedTokenType "urn:ietf:params:oauth:token-type:refresh_token"`, "Leave it out"}},
		"no requested token type": {nil, exchange(func(x *stsv1alpha1.TokenExchangeGrant) { x.RequestedTokenType = "" }), nil},
		"a parameter that isn't listed": {nil, func(s *stsv1alpha1.TokenRequestSpec) { s.Parameters["acr_values"] = "high" },
			[]string{`spec.parameters "acr_values=high"`, "spec.allow.parameters"}},
		"a listed parameter of another value": {nil, func(s *stsv1alpha1.TokenRequestSpec) { s.Parameters["audience"] = "pay" },
			[]string{`spec.parameters "audience=pay"`}},
		"a listed parameter in another case": {nil, func(s *stsv1alpha1.TokenRequestSpec) {
			s.Parameters = map[string]stsv1alpha1.ParameterValue{"Audience": "orders"}
		}, []string{`spec.parameters "Audience=orders"`}},
		"an empty parameter that isn't listed": {nil, func(s *stsv1alpha1.TokenRequestSpec) { s.Parameters["audience2"] = "" },
			[]string{`spec.parameters "audience2="`}},
		"a parameter where none is listed": {func(a *stsv1alpha1.Allowance) { a.Parameters = nil }, nil, []string{`spec.parameters "audience=orders"`}},
		"claims where they aren't allowed": {func(a *stsv1alpha1.Allowance) { a.Claims = false }, nil, []string{"spec.claims", "spec.allow.claims: true"}},
		"no claims where they aren't allowed": {func(a *stsv1alpha1.Allowance) { a.Claims = false },
			func(s *stsv1alpha1.TokenRequestSpec) { s.Claims = "" }, nil},
	}
}

func TestAClusterTokenIssuerServesWhatItAllows(t *testing.T) {
	if says := refusedBy("ClusterTokenIssuer shared", allowsSomeOfEach(), asksForWhatIsAllowed()); says != "" {
		t.Fatalf("what is allowed is refused: %s", says)
	}
	if says := refusedBy("ClusterTokenIssuer shared", nil, asksForWhatIsAllowed()); says == "" {
		t.Error("an issuer that allows nothing serves")
	}
	for name, c := range fieldsThatCouldWidenAToken() {
		t.Run(name, func(t *testing.T) {
			allow, spec := allowsSomeOfEach(), asksForWhatIsAllowed()
			if c.allow != nil {
				c.allow(allow)
			}
			if c.ask != nil {
				c.ask(spec)
			}
			says := refusedBy("ClusterTokenIssuer shared", allow, spec)
			if (says == "") != (len(c.says) == 0) {
				t.Fatalf("says %q, want %q", says, c.says)
			}
			for _, part := range c.says {
				if !strings.Contains(says, part) || !strings.HasPrefix(says, "ClusterTokenIssuer shared doesn't allow ") {
					t.Errorf("says %q, which lacks %q", says, part)
				}
			}
		})
	}
}

// A new field of the API has to be thought about before it is served.
func TestEveryFieldOfARequestIsTriedOrHarmless(t *testing.T) {
	const tried, where, brought, narrows = "tried", "where the token goes and when", "the requester's own", "narrows"
	known := map[reflect.Type]map[string]string{
		reflect.TypeFor[stsv1alpha1.TokenRequestSpec](): {
			"Issuer": "not with issuerRef", "IssuerRef": "names the issuer", "Grant": tried, "Scopes": tried, "Resources": tried, "Claims": tried,
			"Parameters": tried, "Secret": where, "RefreshBefore": where, "Suspend": where,
		},
		reflect.TypeFor[stsv1alpha1.Grant](): {
			"Type": tried, "OnBehalfOf": brought, "JWTBearer": brought, "TokenExchange": tried, "RefreshToken": brought, "DeviceCode": brought,
		},
		reflect.TypeFor[stsv1alpha1.AssertionGrant](): {"Assertion": brought},
		reflect.TypeFor[stsv1alpha1.TokenExchangeGrant](): {
			"SubjectToken": brought, "SubjectTokenType": brought, "ActorToken": brought, "ActorTokenType": brought,
			"RequestedTokenType": tried, "Audiences": tried,
		},
		reflect.TypeFor[stsv1alpha1.RefreshTokenGrant](): {"TokenRef": brought, "Store": where},
		reflect.TypeFor[stsv1alpha1.DeviceCodeGrant]():   {"Store": where, "ExpectedSubject": narrows},
		reflect.TypeFor[stsv1alpha1.Allowance](): {
			"Scopes": tried, "Resources": tried, "Audiences": tried, "Grants": tried, "Parameters": tried, "DefaultScopes": tried, "Claims": tried,
		},
	}
	for kind, fields := range known {
		for f := range kind.Fields() {
			if fields[f.Name] == "" {
				t.Errorf("nobody has said whether %s.%s can widen a token", kind.Name(), f.Name)
			}
		}
	}
}

func TestAClusterTokenIssuerServesTheNamespacesThatItSelects(t *testing.T) {
	tests := map[string]struct {
		selector *metav1.LabelSelector
		labels   map[string]string
		want     string
	}{
		"a label that matches":          {&metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}, map[string]string{"team": "shop"}, ""},
		"another value":                 {&metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}, map[string]string{"team": "pay"}, "IssuerNotAllowed"},
		"no label":                      {&metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}, nil, "IssuerNotAllowed"},
		"no selector":                   {nil, map[string]string{"team": "shop"}, "IssuerNotAllowed"},
		"an empty selector":             {&metav1.LabelSelector{}, nil, ""},
		"a selector that can't be read": {&metav1.LabelSelector{MatchLabels: map[string]string{"team": "not a value"}}, nil, "IssuerNotReady"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			request := &stsv1alpha1.TokenRequest{ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "graph"}, Spec: stsv1alpha1.TokenRequestSpec{
				IssuerRef: &stsv1alpha1.IssuerRef{Kind: stsv1alpha1.IssuerKindClusterTokenIssuer, Name: "shared"}}}
			a := newAttempt(request, noon)
			issuer := &stsv1alpha1.ClusterTokenIssuer{Spec: stsv1alpha1.ClusterTokenIssuerSpec{
				IssuerSpec:        stsv1alpha1.IssuerSpec{Credential: &stsv1alpha1.Credential{}},
				NamespaceSelector: test.selector, Allow: &stsv1alpha1.Allowance{DefaultScopes: true}}}
			a.take(&issuer.Spec.IssuerSpec, "operator")
			if got := a.servedBy(issuer, test.labels); got.reason != test.want {
				t.Errorf("reason %q (%s), want %q", got.reason, got.message, test.want)
			}
		})
	}
}
