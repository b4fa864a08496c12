// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
)

// issuerRows name an issuer.
var issuerRows = []row{
	refusalWith("No TokenIssuer", "The TokenIssuer that the request names doesn't exist.", nil, named(stsv1alpha1.IssuerKindTokenIssuer, nil)),
	refusalWith("No ClusterTokenIssuer", "The ClusterTokenIssuer that the request names doesn't exist.", nil, named(stsv1alpha1.IssuerKindClusterTokenIssuer, nil)),
	refusalWith("A TokenIssuer without a credential", "The TokenIssuer has no credential, and the grant is client credentials.",
		ofNamespace(func(i *stsv1alpha1.IssuerSpec) { i.Credential = nil }), named(stsv1alpha1.IssuerKindTokenIssuer, nil)),
	refusalWith("A TokenIssuer without a device endpoint", "The TokenIssuer names neither authority nor device authorization endpoint, and the grant is DeviceCode.",
		ofNamespace(func(i *stsv1alpha1.IssuerSpec) { i.Credential = nil }), named(stsv1alpha1.IssuerKindTokenIssuer, byDevice)),
	refusalWith("A TokenIssuer without its Secret", "The Secret that the TokenIssuer refers to doesn't exist.",
		ofNamespace(nil), named(stsv1alpha1.IssuerKindTokenIssuer, nil)),
	refusalWith("A selector that can't be read", "The ClusterTokenIssuer's namespaceSelector has a label that Kubernetes doesn't know.",
		ofCluster(&metav1.LabelSelector{MatchLabels: map[string]string{"team": "pay ments"}}, nil), named(stsv1alpha1.IssuerKindClusterTokenIssuer, nil)),
	refusalWith("A namespace that isn't served", "The ClusterTokenIssuer's namespaceSelector selects other namespaces.",
		ofCluster(&metav1.LabelSelector{MatchLabels: map[string]string{"team": "billing"}}, everything()), named(stsv1alpha1.IssuerKindClusterTokenIssuer, nil)),
	unallowed("A scope that isn't allowed", "The ClusterTokenIssuer allows another scope.",
		func(a *stsv1alpha1.Allowance) { a.Scopes = []stsv1alpha1.Scope{"https://vault.example/.default"} }, nil),
	unallowed("No scope at all", "The request names no scope, and the ClusterTokenIssuer doesn't allow that.", nil,
		func(r *stsv1alpha1.TokenRequest) { r.Spec.Scopes = nil }),
	unallowed("A resource that isn't allowed", "The ClusterTokenIssuer allows no resource.", nil,
		func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Resources = []stsv1alpha1.Resource{"https://graph.example/mail"}
		}),
	unallowed("A grant that isn't allowed", "The ClusterTokenIssuer allows client credentials alone.", nil, byDevice),
	unallowed("An audience that isn't allowed", "The ClusterTokenIssuer allows no audience.",
		func(a *stsv1alpha1.Allowance) { a.Grants = []stsv1alpha1.GrantType{stsv1alpha1.GrantTokenExchange} },
		func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Grant = exchangeFor(func(g *stsv1alpha1.TokenExchangeGrant) { g.Audiences = []string{"billing"} })
		}),
	unallowed("A refresh token for a token", "The request wants a refresh token from a token exchange.",
		func(a *stsv1alpha1.Allowance) { a.Grants = []stsv1alpha1.GrantType{stsv1alpha1.GrantTokenExchange} },
		func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Grant = exchangeFor(func(g *stsv1alpha1.TokenExchangeGrant) {
				g.RequestedTokenType = "urn:ietf:params:oauth:token-type:refresh_token"
			})
		}),
	unallowed("A parameter that isn't allowed", "The ClusterTokenIssuer allows another value of the parameter.",
		func(a *stsv1alpha1.Allowance) {
			a.Parameters = map[string]stsv1alpha1.ParameterValue{"slice": "production"}
		},
		func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Parameters = map[string]stsv1alpha1.ParameterValue{"slice": "testslice"}
		}),
	unallowed("Claims that aren't allowed", "The ClusterTokenIssuer doesn't let requests send claims.", nil,
		func(r *stsv1alpha1.TokenRequest) { r.Spec.Claims = challenge }),
}

// contoso is the issuer of a row: those of the cluster need names of their own.
func contoso(namespace string) stsv1alpha1.ObjectName {
	return stsv1alpha1.ObjectName("contoso-" + namespace)
}

func unallowed(name, does string, allow func(*stsv1alpha1.Allowance), spec func(*stsv1alpha1.TokenRequest)) row {
	allowed := everything()
	if allow != nil {
		allow(allowed)
	}
	return refusalWith(name, does, ofCluster(&metav1.LabelSelector{}, allowed), named(stsv1alpha1.IssuerKindClusterTokenIssuer, spec))
}

// everything is all that a row's request asks for unless the row says otherwise.
func everything() *stsv1alpha1.Allowance {
	return &stsv1alpha1.Allowance{Scopes: []stsv1alpha1.Scope{scope}}
}

func named(kind stsv1alpha1.IssuerKind, spec func(*stsv1alpha1.TokenRequest)) func(*stsv1alpha1.TokenRequest) {
	return func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Issuer, r.Spec.IssuerRef = nil, &stsv1alpha1.IssuerRef{Kind: kind, Name: contoso(r.Namespace)}
		if spec != nil {
			spec(r)
		}
	}
}

func byDevice(r *stsv1alpha1.TokenRequest) {
	r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantDeviceCode, DeviceCode: &stsv1alpha1.DeviceCodeGrant{}}
}

func exchangeFor(change func(*stsv1alpha1.TokenExchangeGrant)) *stsv1alpha1.Grant {
	exchange := &stsv1alpha1.TokenExchangeGrant{SubjectToken: tradedToken(), SubjectTokenType: jwtType}
	change(exchange)
	return &stsv1alpha1.Grant{Type: stsv1alpha1.GrantTokenExchange, TokenExchange: exchange}
}

// sharedSpec names a Secret that isn't there.
func sharedSpec() stsv1alpha1.IssuerSpec {
	return stsv1alpha1.IssuerSpec{
		TokenEndpoint: "https://127.0.0.1:1/token", ClientID: clientID,
		Credential: &stsv1alpha1.Credential{ClientSecret: &stsv1alpha1.ClientSecretCredential{
			SecretRef: stsv1alpha1.SecretKeyRef{Name: "missing", Key: operator.CredentialKey}}},
	}
}

func ofNamespace(change func(*stsv1alpha1.IssuerSpec)) func(operator.Tenant) []client.Object {
	return func(t operator.Tenant) []client.Object {
		spec := sharedSpec()
		if change != nil {
			change(&spec)
		}
		return []client.Object{&stsv1alpha1.TokenIssuer{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: string(contoso(t.Namespace))}, Spec: spec}}
	}
}

func ofCluster(selector *metav1.LabelSelector, allow *stsv1alpha1.Allowance) func(operator.Tenant) []client.Object {
	return func(t operator.Tenant) []client.Object {
		return []client.Object{&stsv1alpha1.ClusterTokenIssuer{ObjectMeta: metav1.ObjectMeta{Name: string(contoso(t.Namespace))},
			Spec: stsv1alpha1.ClusterTokenIssuerSpec{IssuerSpec: sharedSpec(), NamespaceSelector: selector, Allow: allow}}}
	}
}
