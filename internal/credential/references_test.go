// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"slices"
	"strings"
	"testing"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
)

// What isn't among the references isn't watched, and a change there is never noticed; what is among
// them and isn't read wakes requests for nothing. Every combination of what an issuer may refer to
// is tried.
func TestResolveReadsWhatIsReferredToAndNothingElse(t *testing.T) {
	type change = func(*stsv1alpha1.IssuerSpec)
	type choice struct {
		name   string
		change change
	}
	same := func(*stsv1alpha1.IssuerSpec) {}
	clients := []choice{
		{"a client identifier", same},
		{"a client identifier out of the credential's Secret", withClientIDOf("app", "client_id")},
		{"a client identifier out of another Secret", withClientIDOf("other", "appId")},
		{"a client identifier out of the trust root's Secret", withClientIDOf("ca", "client_id")},
	}
	credentials := []choice{
		{"no credential", withoutCredential},
		{"a client secret", same},
		{"a client secret out of the trust root's Secret", withCredential(clientSecret("ca", "client_id"))},
		{"a key pair", withCredential(signing())},
		{"a client certificate", withCredential(presenting())},
		{"a service account", withCredential(federatedFor(""))},
	}
	roots := []choice{
		{"the system's trust roots", same},
		{"a trust root spelled out", withInlineCA(certificate)},
		{"a trust root out of a ConfigMap", withCA(stsv1alpha1.CABundleConfigMap)},
		{"a trust root out of a Secret", withCA(stsv1alpha1.CABundleSecret)},
	}
	for _, client := range clients {
		for _, held := range credentials {
			for _, root := range roots {
				t.Run(client.name+", "+held.name+", "+root.name, func(t *testing.T) {
					issuer := newIssuer(client.change, held.change, root.change)
					var referred []string
					for _, ref := range credential.References(issuer) {
						referred = append(referred, ref.String()+" in "+namespace)
					}
					c := everything()
					resolve(t, c, issuer)
					// Each object is read once, however many of its keys are wanted.
					want(t, "what was read", slices.Compact(sorted(referred)), sorted(c.read))
				})
			}
		}
	}
}

// A grant's are the request's, wherever the issuer's are.
func TestResolveReadsWhatAGrantRefersToAndNothingElse(t *testing.T) {
	user, actor, graph := ofSecret("assertion"), ofSecret("actor"), ofAccount(entra)
	for name, test := range map[string]struct {
		grant *stsv1alpha1.Grant
		want  []string
	}{
		"no grant":                     {nil, nil},
		"client credentials":           {&stsv1alpha1.Grant{Type: stsv1alpha1.GrantClientCredentials}, nil},
		"an assertion on behalf of":    {onBehalfOf(user), []string{"Secret/user"}},
		"a bearer's assertion":         {jwtBearer(user), []string{"Secret/user"}},
		"one of a service account":     {jwtBearer(graph), []string{"ServiceAccount/graph"}},
		"a subject's token":            {exchange(user, nil), []string{"Secret/user"}},
		"a subject's and an actor's":   {exchange(graph, &actor), []string{"Secret/user", "ServiceAccount/graph"}},
		"both out of one Secret":       {exchange(user, &actor), []string{"Secret/user", "Secret/user"}},
		"both of one service account":  {exchange(graph, &graph), []string{"ServiceAccount/graph", "ServiceAccount/graph"}},
		"a refresh token":              {refreshToken("assertion"), []string{"Secret/user"}},
		"a sign-in":                    {signIn(), nil},
		"an exchange without a source": {exchange(stsv1alpha1.TokenSource{}, nil), nil},
	} {
		t.Run(name, func(t *testing.T) {
			var referred, read []string
			for _, ref := range credential.GrantReferences(test.grant) {
				referred = append(referred, ref.String())
			}
			want(t, "references", test.want, sorted(referred))
			c := everything()
			site := credential.Site{Issuer: "ClusterTokenIssuer contoso spec", IssuerNamespace: "system", Namespace: namespace}
			issuer := newIssuer(withCredential(&stsv1alpha1.Credential{}))
			if _, problem, err := resolverOf(c).Resolve(t.Context(), site, issuer, test.grant); problem != nil || err != nil {
				t.Fatalf("Resolve = %v, %v; want a credential", problem, err)
			}
			for _, ref := range slices.Compact(referred) {
				read = append(read, ref+" in "+namespace)
			}
			want(t, "what was read", read, sorted(c.read))
		})
	}
}

func TestReferenceAsAnIndexKey(t *testing.T) {
	for want, ref := range map[string]credential.Reference{
		"Secret/app":         {Kind: "Secret", Name: "app"},
		"ConfigMap/app":      {Kind: "ConfigMap", Name: "app"},
		"ServiceAccount/app": {Kind: "ServiceAccount", Name: "app"},
	} {
		if got := ref.String(); got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
	}
}

// Objects of the same names in all other namespaces, with everything that is looked for.
func TestNoOtherNamespaceIsEverRead(t *testing.T) {
	c := everything()
	for _, o := range c.objects {
		o.SetNamespace("orders")
	}
	for name, issuer := range map[string]*stsv1alpha1.IssuerSpec{
		"a client secret":                 newIssuer(),
		"a client identifier":             newIssuer(withoutCredential, withClientIDOf("other", "appId")),
		"a trust root out of a ConfigMap": newIssuer(withoutCredential, withCA(stsv1alpha1.CABundleConfigMap)),
		"a trust root out of a Secret":    newIssuer(withoutCredential, withCA(stsv1alpha1.CABundleSecret)),
		"a key pair":                      newIssuer(withCredential(signing())),
		"a service account":               newIssuer(withCredential(federatedFor(""))),
		"a name that looks like a path":   newIssuer(func(i *stsv1alpha1.IssuerSpec) { i.Credential = clientSecret("orders/app", "client_secret") }),
	} {
		t.Run(name, func(t *testing.T) {
			c.read = nil
			got := refuse(t, resolverOf(c), issuer)
			if got.Reason != stsv1alpha1.ReasonCredentialNotFound {
				t.Errorf("the reason is %s, want %s", got.Reason, stsv1alpha1.ReasonCredentialNotFound)
			}
			if len(c.read) != 1 || !strings.HasSuffix(c.read[0], " in "+namespace) {
				t.Errorf("read was %q, want one object in %s", c.read, namespace)
			}
		})
	}
}
