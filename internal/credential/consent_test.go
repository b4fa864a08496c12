// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
)

func TestWhereACredentialMayBeSent(t *testing.T) {
	tests := map[string]struct {
		hosts string
		to    string
		want  bool
	}{
		"to the host that is named":               {"sts.example.com", "sts.example.com", true},
		"to a host in other letters":              {"STS.Example.COM", "sts.example.com", true},
		"to the last of several hosts":            {"a.example.com, sts.example.com", "sts.example.com", true},
		"to a host among blanks and commas":       {" , sts.example.com ,\n", "sts.example.com", true},
		"to an address that is named":             {"192.0.2.1", "192.0.2.1", true},
		"not to another host":                     {"sts.example.com", "sts.example.org", false},
		"not to a host below the one named":       {"example.com", "sts.example.com", false},
		"not to the host above the one named":     {"sts.example.com", "example.com", false},
		"not to a host that ends like the one":    {"example.com", "evilexample.com", false},
		"not to a host that begins like the one":  {"sts.example.com", "sts.example.com.evil.example", false},
		"not everywhere for a star":               {"*", "sts.example.com", false},
		"not below a star":                        {"*.example.com", "sts.example.com", false},
		"nowhere when the annotation is empty":    {"", "sts.example.com", false},
		"nowhere when it names nothing":           {" , ", "sts.example.com", false},
		"not to a host that can't be told":        {"sts.example.com", "", false},
		"not to a host that can't be told either": {"", "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := &cluster{objects: []client.Object{allowing(app(), test.hosts)}}
			problem := resolve(t, c, newIssuer()).Permits("https://" + test.to + ":8443/token")
			if (problem == nil) != test.want {
				t.Errorf("Permits(%q) = %v, want it permitted: %t", test.to, problem, test.want)
			}
			if problem != nil && problem.Reason != stsv1alpha1.ReasonCredentialNotAllowed {
				t.Errorf("the reason is %s, want %s", problem.Reason, stsv1alpha1.ReasonCredentialNotAllowed)
			}
		})
	}
}

func TestACredentialWithoutAnnotationMayBeSentAnywhere(t *testing.T) {
	for name, issuer := range map[string]*stsv1alpha1.IssuerSpec{
		"a client secret":  newIssuer(),
		"no secret at all": newIssuer(withoutCredential),
	} {
		t.Run(name, func(t *testing.T) {
			if problem := resolve(t, everything(), issuer).Permits("https://sts.example.com/token"); problem != nil {
				t.Errorf("Permits = %v, want it permitted", problem)
			}
		})
	}
}

// A clientIDRef names any key of any Secret: without its owner's word it would carry a client secret
// anywhere, under the name of client_id.
func TestEveryOwnerOfWhatIsSentIsAsked(t *testing.T) {
	const open, closed = "sts.example.com", "login.example.com"
	tests := map[string]struct {
		clientIDs, secrets string
		issuer             *stsv1alpha1.IssuerSpec
		want               string
	}{
		"both allow it":                 {open, open, newIssuer(withClientIDOf("other", "appId")), ""},
		"the client secret's doesn't":   {open, closed, newIssuer(withClientIDOf("other", "appId")), "Secret payments/app key client_secret"},
		"the identifier's doesn't":      {closed, open, newIssuer(withClientIDOf("other", "appId")), "Secret payments/other key appId"},
		"a public client's doesn't":     {closed, open, newIssuer(withoutCredential, withClientIDOf("other", "appId")), "Secret payments/other key appId"},
		"a client secret is sent as id": {open, closed, newIssuer(withoutCredential, withClientIDOf("app", "client_secret")), "Secret payments/app key client_secret"},
		"one Secret for both doesn't":   {open, closed, newIssuer(withClientIDOf("app", "client_id")), "Secret payments/app key client_id"},
		"a trust root isn't sent":       {open, open, newIssuer(withCA(stsv1alpha1.CABundleSecret)), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := everything()
			allowing(c.objects[0].(*corev1.Secret), test.secrets)
			allowing(c.objects[1].(*corev1.Secret), test.clientIDs)
			allowing(c.objects[2].(*corev1.Secret), "")
			var want *credential.Problem
			if test.want != "" {
				want = &credential.Problem{
					Reason:  stsv1alpha1.ReasonCredentialNotAllowed,
					Message: test.want + " may not be sent to sts.example.com. Add that host to its annotation sts.tokenrequest.dev/allowed-hosts if its owner agrees.",
				}
			}
			if diff := cmp.Diff(want, resolve(t, c, test.issuer).Permits("https://"+open)); diff != "" {
				t.Errorf("Permits (-want +got):\n%s", diff)
			}
		})
	}
}

// A proxy alone only passes TLS on, and a trust root alone needs the STS's name to lead elsewhere.
// Both together, of an issuer's own, are a way to read what is sent.
func TestAProxyUnderATrustRootOfTheIssuersOwnHasToBeAllowed(t *testing.T) {
	const sts, both = "sts.example.com", "sts.example.com,proxy.example.com"
	proxy := withProxy("http://proxy.example.com:3128")
	tests := map[string]struct {
		hosts  string
		issuer *stsv1alpha1.IssuerSpec
		want   bool
	}{
		"a proxy under the system's trust roots":       {sts, newIssuer(proxy), true},
		"a trust root without a proxy":                 {sts, newIssuer(withInlineCA(certificate)), true},
		"both, and the proxy isn't allowed":            {sts, newIssuer(proxy, withInlineCA(certificate)), false},
		"both, the trust root out of a ConfigMap":      {sts, newIssuer(proxy, withCA(stsv1alpha1.CABundleConfigMap)), false},
		"both, and the proxy is allowed":               {both, newIssuer(proxy, withInlineCA(certificate)), true},
		"both, and the proxy can't be told":            {sts, newIssuer(withProxy("http://[proxy"), withInlineCA(certificate)), false},
		"both, and only the proxy is allowed":          {"proxy.example.com", newIssuer(proxy, withInlineCA(certificate)), false},
		"both, for a client without anything to guard": {sts, newIssuer(withoutCredential, proxy, withInlineCA(certificate)), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := everything()
			allowing(c.objects[0].(*corev1.Secret), test.hosts)
			if problem := resolve(t, c, test.issuer).Permits("https://" + sts); (problem == nil) != test.want {
				t.Errorf("Permits = %v, want it permitted: %t", problem, test.want)
			}
		})
	}
	t.Run("the message names the proxy", func(t *testing.T) {
		c := everything()
		allowing(c.objects[0].(*corev1.Secret), sts)
		got := resolve(t, c, newIssuer(proxy, withInlineCA(certificate))).Permits("https://" + sts)
		want := &credential.Problem{
			Reason:  stsv1alpha1.ReasonCredentialNotAllowed,
			Message: "Secret payments/app key client_secret may not be sent to the proxy proxy.example.com under a trust root of the issuer's own. Add that host to its annotation sts.tokenrequest.dev/allowed-hosts if its owner agrees.",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Permits (-want +got):\n%s", diff)
		}
	})
}

func TestAnOperatorThatRequiresAllowedHosts(t *testing.T) {
	undeclared := func(what string) *credential.Problem {
		return &credential.Problem{
			Reason:  stsv1alpha1.ReasonCredentialNotAllowed,
			Message: what + " doesn't say where it may be sent, and this operator requires it. Annotate that Secret with sts.tokenrequest.dev/allowed-hosts and the STS's host.",
		}
	}
	declared := func() *cluster {
		c := everything()
		allowing(c.objects[0].(*corev1.Secret), "sts.example.com")
		return c
	}
	tests := map[string]struct {
		cluster *cluster
		issuer  *stsv1alpha1.IssuerSpec
		want    *credential.Problem
	}{
		"refuses a client secret without":      {everything(), newIssuer(), undeclared("Secret payments/app key client_secret")},
		"takes a client secret with":           {declared(), newIssuer(), nil},
		"takes one that may be sent nowhere":   {&cluster{objects: []client.Object{allowing(app(), "")}}, newIssuer(), nil},
		"refuses a client identifier without":  {declared(), newIssuer(withClientIDOf("other", "appId")), undeclared("Secret payments/other key appId")},
		"refuses a public client's without":    {everything(), newIssuer(withoutCredential, withClientIDOf("app", "client_secret")), undeclared("Secret payments/app key client_secret")},
		"takes a client that names no Secret":  {everything(), newIssuer(withoutCredential), nil},
		"takes a trust root, which isn't sent": {everything(), newIssuer(withoutCredential, withCA(stsv1alpha1.CABundleSecret)), nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			resolver := resolverOf(test.cluster)
			resolver.RequireAllowedHosts = true
			got, problem, err := resolver.Resolve(t.Context(), credential.Inline(namespace), test.issuer, anyones(test.issuer))
			if err != nil || (got == nil) != (test.want != nil) {
				t.Errorf("Resolve = %v, %v; want a credential: %t", got, err, test.want == nil)
			}
			if diff := cmp.Diff(test.want, problem); diff != "" {
				t.Errorf("the problem (-want +got):\n%s", diff)
			}
		})
	}
}
