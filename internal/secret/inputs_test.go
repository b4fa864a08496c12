// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/secret"
)

// inputsCase changes one thing of a request in which every field is set that counts.
type inputsCase struct {
	// field is "Issuer." or "Spec." and a field of IssuerSpec or TokenRequestSpec.
	field  string
	change func(*stsv1alpha1.IssuerSpec, *stsv1alpha1.TokenRequestSpec)
}

type (
	issuerSpec = stsv1alpha1.IssuerSpec
	spec       = stsv1alpha1.TokenRequestSpec
)

func exchange() *stsv1alpha1.Grant {
	return &stsv1alpha1.Grant{Type: stsv1alpha1.GrantTokenExchange, TokenExchange: &stsv1alpha1.TokenExchangeGrant{
		SubjectToken:     stsv1alpha1.TokenSource{SecretRef: &stsv1alpha1.SecretKeyRef{Name: "subject", Key: "token"}},
		SubjectTokenType: "urn:ietf:params:oauth:token-type:jwt",
		Audiences:        []string{"orders"},
	}}
}

func secretCredential() *stsv1alpha1.Credential {
	return &stsv1alpha1.Credential{ClientSecret: &stsv1alpha1.ClientSecretCredential{
		SecretRef: stsv1alpha1.SecretKeyRef{Name: "app", Key: "client_secret"}, Method: stsv1alpha1.ClientSecretPost,
	}}
}

func fullInputs() (*issuerSpec, *spec) {
	return &issuerSpec{
			Authority: "https://sts.example.com", TokenEndpoint: "https://sts.example.com/token",
			ClientID: "orders", ClientIDRef: &stsv1alpha1.SecretKeyRef{Name: "app", Key: "client_id"},
			Credential: secretCredential(),
		}, &spec{
			IssuerRef: &stsv1alpha1.IssuerRef{Kind: stsv1alpha1.IssuerKindTokenIssuer, Name: "shared"},
			Grant:     exchange(),
			Scopes:    []stsv1alpha1.Scope{"a", "b"},
			Resources: []stsv1alpha1.Resource{"urn:a", "urn:b"},
			Claims:    `{"a":1}`,
			Parameters: map[string]stsv1alpha1.ParameterValue{
				"p": "1", "q": "2",
			},
		}
}

// whatCounts would bring another token.
func whatCounts() map[string]inputsCase {
	return map[string]inputsCase{
		"another authority":                {"Issuer.Authority", func(i *issuerSpec, _ *spec) { i.Authority = "https://sts.example.org" }},
		"another endpoint":                 {"Issuer.TokenEndpoint", func(i *issuerSpec, _ *spec) { i.TokenEndpoint = "https://sts.example.com/v2/token" }},
		"authority and endpoint exchanged": {"Issuer.TokenEndpoint", func(i *issuerSpec, _ *spec) { i.Authority, i.TokenEndpoint = i.TokenEndpoint, i.Authority }},
		"another client":                   {"Issuer.ClientID", func(i *issuerSpec, _ *spec) { i.ClientID = "invoices" }},
		"a client id from another Secret":  {"Issuer.ClientIDRef", func(i *issuerSpec, _ *spec) { i.ClientIDRef.Name = "app-2" }},
		"a client id under another key":    {"Issuer.ClientIDRef", func(i *issuerSpec, _ *spec) { i.ClientIDRef.Key = "appId" }},
		"no credential":                    {"Issuer.Credential", func(i *issuerSpec, _ *spec) { i.Credential = nil }},
		"another credential's Secret":      {"Issuer.Credential", func(i *issuerSpec, _ *spec) { i.Credential.ClientSecret.SecretRef.Name = "app-2" }},
		"another credential's key":         {"Issuer.Credential", func(i *issuerSpec, _ *spec) { i.Credential.ClientSecret.SecretRef.Key = "password" }},
		"another authentication method":    {"Issuer.Credential", func(i *issuerSpec, _ *spec) { i.Credential.ClientSecret.Method = stsv1alpha1.ClientSecretBasic }},
		"another kind of credential": {"Issuer.Credential", func(i *issuerSpec, _ *spec) {
			i.Credential = &stsv1alpha1.Credential{TLSClientAuth: &stsv1alpha1.TLSClientAuthCredential{SecretRef: stsv1alpha1.SecretRef{Name: "app"}}}
		}},
		"a key pair in the same Secret": {"Issuer.Credential", func(i *issuerSpec, _ *spec) {
			i.Credential = &stsv1alpha1.Credential{PrivateKeyJWT: &stsv1alpha1.PrivateKeyJWTCredential{SecretRef: stsv1alpha1.SecretRef{Name: "app"}}}
		}},
		"a service account": {"Issuer.Credential", func(i *issuerSpec, _ *spec) {
			i.Credential = &stsv1alpha1.Credential{Federated: &stsv1alpha1.FederatedCredential{ServiceAccountRef: stsv1alpha1.ServiceAccountRef{Name: "app"}}}
		}},
		"an issuer of the cluster":            {"Spec.IssuerRef", func(_ *issuerSpec, s *spec) { s.IssuerRef.Kind = stsv1alpha1.IssuerKindClusterTokenIssuer }},
		"another issuer":                      {"Spec.IssuerRef", func(_ *issuerSpec, s *spec) { s.IssuerRef.Name = "shared-2" }},
		"an issuer of its own":                {"Spec.IssuerRef", func(_ *issuerSpec, s *spec) { s.IssuerRef = nil }},
		"another grant":                       {"Spec.Grant", func(_ *issuerSpec, s *spec) { s.Grant.Type = stsv1alpha1.GrantJWTBearer }},
		"client credentials":                  {"Spec.Grant", func(_ *issuerSpec, s *spec) { s.Grant = nil }},
		"a subject token from another Secret": {"Spec.Grant", func(_ *issuerSpec, s *spec) { s.Grant.TokenExchange.SubjectToken.SecretRef.Name = "subject-2" }},
		"a subject token from elsewhere": {"Spec.Grant", func(_ *issuerSpec, s *spec) {
			s.Grant.TokenExchange.SubjectToken = stsv1alpha1.TokenSource{ServiceAccount: &stsv1alpha1.ServiceAccountToken{Name: "subject", Audience: "token"}}
		}},
		"an actor":          {"Spec.Grant", func(_ *issuerSpec, s *spec) { s.Grant.TokenExchange.ActorToken = &s.Grant.TokenExchange.SubjectToken }},
		"another audience":  {"Spec.Grant", func(_ *issuerSpec, s *spec) { s.Grant.TokenExchange.Audiences = []string{"invoices"} }},
		"one scope more":    {"Spec.Scopes", func(_ *issuerSpec, s *spec) { s.Scopes = append(s.Scopes, "c") }},
		"one scope less":    {"Spec.Scopes", func(_ *issuerSpec, s *spec) { s.Scopes = s.Scopes[:1] }},
		"two scopes in one": {"Spec.Scopes", func(_ *issuerSpec, s *spec) { s.Scopes = []stsv1alpha1.Scope{"ab"} }},
		"no scopes":         {"Spec.Scopes", func(_ *issuerSpec, s *spec) { s.Scopes = nil }},
		"another resource":  {"Spec.Resources", func(_ *issuerSpec, s *spec) { s.Resources[0] = "urn:c" }},
		"resources exchanged for scopes": {"Spec.Resources", func(_ *issuerSpec, s *spec) {
			s.Scopes, s.Resources = []stsv1alpha1.Scope{"urn:a", "urn:b"}, []stsv1alpha1.Resource{"a", "b"}
		}},
		"other claims":       {"Spec.Claims", func(_ *issuerSpec, s *spec) { s.Claims = `{"a":2}` }},
		"another parameter":  {"Spec.Parameters", func(_ *issuerSpec, s *spec) { s.Parameters["p"] = "2" }},
		"one parameter more": {"Spec.Parameters", func(_ *issuerSpec, s *spec) { s.Parameters["r"] = "" }},
		"the values of parameters exchanged": {"Spec.Parameters", func(_ *issuerSpec, s *spec) {
			s.Parameters["p"], s.Parameters["q"] = s.Parameters["q"], s.Parameters["p"]
		}},
	}
}

// whatDoesNot says where the token goes, when it is fetched or how the STS is reached, or is the same
// in other words.
func whatDoesNot() map[string]inputsCase {
	minute := &metav1.Duration{Duration: time.Minute}
	return map[string]inputsCase{
		"another trust root":       {"Issuer.TLS", func(i *issuerSpec, _ *spec) { i.TLS = &stsv1alpha1.IssuerTLS{CABundle: []byte("PEM")} }},
		"another proxy":            {"Issuer.ProxyURL", func(i *issuerSpec, _ *spec) { i.ProxyURL = "http://proxy.example.com:3128" }},
		"another timeout":          {"Issuer.Timeout", func(i *issuerSpec, _ *spec) { i.Timeout = minute }},
		"another place to sign in": {"Issuer.DeviceAuthorizationEndpoint", func(i *issuerSpec, _ *spec) { i.DeviceAuthorizationEndpoint = "https://sts.example.com/device" }},
		"another Secret for the token": {"Spec.Secret", func(_ *issuerSpec, s *spec) {
			s.Secret = &stsv1alpha1.TokenSecret{Name: "elsewhere", Type: "a/b", Labels: map[string]stsv1alpha1.LabelValue{"a": "b"}}
		}},
		"another margin":                 {"Spec.RefreshBefore", func(_ *issuerSpec, s *spec) { s.RefreshBefore = minute }},
		"a pause":                        {"Spec.Suspend", func(_ *issuerSpec, s *spec) { s.Suspend = true }},
		"the issuer resolved":            {"Spec.Issuer", func(i *issuerSpec, s *spec) { s.Issuer = i }},
		"the issuer's group spelled out": {"Spec.IssuerRef", func(_ *issuerSpec, s *spec) { s.IssuerRef.Group = stsv1alpha1.Group }},
		"scopes in another order":        {"Spec.Scopes", func(_ *issuerSpec, s *spec) { s.Scopes = []stsv1alpha1.Scope{"b", "a"} }},
		"a scope twice":                  {"Spec.Scopes", func(_ *issuerSpec, s *spec) { s.Scopes = []stsv1alpha1.Scope{"b", "a", "b"} }},
		"resources in another order":     {"Spec.Resources", func(_ *issuerSpec, s *spec) { s.Resources = []stsv1alpha1.Resource{"urn:b", "urn:a"} }},
	}
}

// A hash that doesn't change with the identity goes on serving the old one's token (msi-acrpull); one
// that changes without cause costs a call for every token there is.
func TestInputs(t *testing.T) {
	before := secret.Inputs(fullInputs())
	check := func(tests map[string]inputsCase, changes bool) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				issuer, spec := fullInputs()
				test.change(issuer, spec)
				if after := secret.Inputs(issuer, spec); (after != before) != changes {
					t.Errorf("Inputs was %s and is %s, want a change: %t", before, after, changes)
				}
			})
		}
	}
	check(whatCounts(), true)
	check(whatDoesNot(), false)
}

// A field that comes to the API has to be in one of the two tables.
func TestEveryFieldWasConsideredForTheInputs(t *testing.T) {
	considered := map[string]bool{}
	for _, test := range slices.Concat(slices.Collect(maps.Values(whatCounts())), slices.Collect(maps.Values(whatDoesNot()))) {
		considered[test.field] = true
	}
	for prefix, of := range map[string]reflect.Type{"Issuer.": reflect.TypeFor[issuerSpec](), "Spec.": reflect.TypeFor[spec]()} {
		for f := range of.Fields() {
			field := prefix + f.Name
			if !considered[field] {
				t.Errorf("%s is in neither table: does it count?", field)
			}
			delete(considered, field)
		}
	}
	for field := range considered {
		t.Errorf("%s isn't a field", field)
	}
}

func TestInputsOfWhatIsAbsentAndWhatThatMeans(t *testing.T) {
	inputs := func(change func(*spec)) string {
		r := newRequest()
		change(&r.Spec)
		return secret.Inputs(r.Spec.Issuer, &r.Spec)
	}
	tests := map[string]struct{ one, other func(*spec) }{
		"no grant is client credentials": {
			func(s *spec) { s.Grant = nil },
			func(s *spec) { s.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantClientCredentials} },
		},
		"no scopes is an empty list":    {func(s *spec) { s.Scopes = nil }, func(s *spec) { s.Scopes = []stsv1alpha1.Scope{} }},
		"no resources is an empty list": {func(s *spec) { s.Resources = nil }, func(s *spec) { s.Resources = []stsv1alpha1.Resource{} }},
		"no parameters is an empty map": {
			func(s *spec) { s.Parameters = nil },
			func(s *spec) { s.Parameters = map[string]stsv1alpha1.ParameterValue{} },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if one, other := inputs(test.one), inputs(test.other); one != other {
				t.Errorf("Inputs are %s and %s, want the same", one, other)
			}
		})
	}
}

func TestInputsLeavesTheSpecAsItIs(t *testing.T) {
	issuer, s := fullInputs()
	s.Scopes = []stsv1alpha1.Scope{"b", "a", "b"}
	s.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantClientCredentials}
	before := s.DeepCopy()
	secret.Inputs(issuer, s)
	if diff := cmp.Diff(before, s); diff != "" {
		t.Errorf("the spec changed (-before +after):\n%s", diff)
	}
}

// The hash is in every Secret there is: as long as its version is v1, its form stays.
func TestTheFormOfTheInputsStays(t *testing.T) {
	const want = "v1:0fd30389db2caf05e1347ae3b8408c59e8b8e41b4057a23f7950180752c1a275"
	if got := secret.Inputs(fullInputs()); got != want {
		t.Errorf("Inputs = %s, want %s", got, want)
	}
}
