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
		{"a key pair", withCredential(keyPairOf("pair"))},
		{"a client certificate", withCredential(clientCertificateOf("pair"))},
		{"a service account", withCredential(federatedBy("graph", ""))},
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

func TestReferenceAsAnIndexKey(t *testing.T) {
	for want, ref := range map[string]credential.Reference{
		"Secret/app":    {Kind: "Secret", Name: "app"},
		"ConfigMap/app": {Kind: "ConfigMap", Name: "app"},
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
