// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

func TestAServiceAccountIsNotedAndNothingIsMinted(t *testing.T) {
	for name, test := range map[string]struct{ audience, want string }{
		"for Entra when nothing is said": {"", entra},
		"for another audience":           {"https://sts.example.com", "https://sts.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			got := resolve(t, everything(), newIssuer(withCredential(federatedFor(test.audience))))
			wantRead(t, got, "ServiceAccount payments/graph", "uid-of-graph/"+test.want)
			if got.Method != sts.AuthPrivateKeyJWT || got.Assertion != "" || got.Key != nil || got.Hidden != nil {
				t.Errorf("the credential is %+v", got)
			}
			want := &oautherr.Assertion{Subject: "system:serviceaccount:payments:graph", Audience: test.want}
			if diff := cmp.Diff(want, got.FederatedAssertion(nil)); diff != "" {
				t.Errorf("FederatedAssertion (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("others have no federated assertion", func(t *testing.T) {
		if got := resolve(t, everything(), newIssuer()).FederatedAssertion(nil); got != nil {
			t.Errorf("FederatedAssertion = %v, want nil", got)
		}
	})
}

// Controllers of Kubernetes write to ServiceAccounts, and nothing of that matters here.
func TestTheVersionOfAServiceAccountIsNoPartOfTheIdentity(t *testing.T) {
	issuer := newIssuer(withCredential(federatedFor("")))
	a := serviceAccount(entra)
	c := &cluster{objects: []client.Object{a}}
	before := resolve(t, c, issuer).Identity
	a.ResourceVersion = "8"
	if after := resolve(t, c, issuer).Identity; after != before {
		t.Errorf("the identity was %q and is %q", before, after)
	}
	a.UID = "made-anew"
	if after := resolve(t, c, issuer).Identity; after == before {
		t.Errorf("the identity is %q still, of another object", after)
	}
}

func TestAServiceAccountServesOnlyWhomItNames(t *testing.T) {
	command := func(audience, word string) string {
		return "ServiceAccount payments/graph doesn't let tokens be made for the audience " + audience +
			". If its owner agrees: kubectl annotate serviceaccount graph --namespace=payments --overwrite sts.tokenrequest.dev/allowed-audiences=" + word
	}
	add := func(audience string) string {
		return "ServiceAccount payments/graph doesn't let tokens be made for the audience " + audience +
			". Add it to its annotation sts.tokenrequest.dev/allowed-audiences, after a comma, if its owner agrees; the request goes on by itself."
	}
	without := serviceAccount("")
	without.Annotations = nil
	tests := map[string]struct {
		account  *corev1.ServiceAccount
		audience string
		want     string
	}{
		"the audience":                   {serviceAccount("spiffe://a"), "spiffe://a", ""},
		"among others":                   {serviceAccount("a, spiffe://a ,b"), "spiffe://a", ""},
		"Entra's by its name":            {serviceAccount(entra), "", ""},
		"no annotation":                  {without, "spiffe://a", command("spiffe://a", "spiffe://a")},
		"an empty annotation":            {serviceAccount(""), "spiffe://a", command("spiffe://a", "spiffe://a")},
		"Entra's isn't there by default": {without, "", command(entra, entra)},
		"in other letters":               {serviceAccount("SPIFFE://a"), "spiffe://a", add("spiffe://a")},
		"a part of another":              {serviceAccount("spiffe://ab"), "spiffe://a", add("spiffe://a")},
		"a star":                         {serviceAccount("*"), "spiffe://a", add("spiffe://a")},
		"what a shell would run":         {without, "a;rm$(x)", command("a;rm$(x)", "'a;rm$(x)'")},
		"what would end a quotation":     {without, "a';x", command("a';x", `'a'\'';x'`)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := &cluster{objects: []client.Object{test.account}}
			issuer := newIssuer(withCredential(federatedFor(test.audience)))
			if test.want == "" {
				resolve(t, c, issuer)
				return
			}
			want := credential.Problem{Reason: stsv1alpha1.ReasonCredentialNotAllowed, Message: test.want}
			if diff := cmp.Diff(want, refuse(t, resolverOf(c), issuer)); diff != "" {
				t.Errorf("the problem (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAMissingServiceAccountIsAProblem(t *testing.T) {
	want := credential.Problem{Reason: stsv1alpha1.ReasonCredentialNotFound, Message: "ServiceAccount payments/graph doesn't exist. Create it; the request goes on by itself."}
	if diff := cmp.Diff(want, refuse(t, resolverOf(&cluster{}), newIssuer(withCredential(federatedFor(""))))); diff != "" {
		t.Errorf("the problem (-want +got):\n%s", diff)
	}
}

// Whatever its owner allows: the token would be the ServiceAccount itself, in another's hands.
func TestTheAPIServersOwnAudiencesAreRefused(t *testing.T) {
	tests := map[string]bool{
		"https://kubernetes.default.svc":                    true,
		"https://kubernetes.default.svc/":                   true,
		"https://kubernetes.default.svc:443":                true,
		"https://kubernetes.default.svc:443/":               true,
		"https://kubernetes.default.svc.cluster.local":      true,
		"https://kubernetes.default.svc.cluster.local:6443": true,
		"https://kubernetes.default.svc.example.org":        true,
		"HTTPS://Kubernetes.Default.Svc":                    true,
		"http://kubernetes.default":                         true,
		"kubernetes.default":                                true,
		"kubernetes.default.svc":                            true,
		"kubernetes.default.svc.cluster.local.":             true,
		"https://kubernetes.default.example.com":            false,
		"https://notkubernetes.default.svc":                 false,
		"https://sts.example.com/kubernetes.default.svc":    false,
		entra: false,
	}
	for audience, refused := range tests {
		t.Run(audience, func(t *testing.T) {
			c := &cluster{objects: []client.Object{serviceAccount(audience)}}
			issuer := newIssuer(withCredential(federatedFor(audience)))
			if !refused {
				resolve(t, c, issuer)
				return
			}
			want := credential.Problem{Reason: stsv1alpha1.ReasonCredentialNotAllowed, Message: "The audience " + audience +
				" is the API server's own, so that a token for it would open this cluster. Name the STS's audience in spec.issuer.credential.federated.audience."}
			if diff := cmp.Diff(want, refuse(t, resolverOf(c), issuer)); diff != "" {
				t.Errorf("the problem (-want +got):\n%s", diff)
			}
		})
	}
}

// The messages about an issuer that others share name it, and where its references are.
func TestProblemsNameTheIssuerThatTheyAreAbout(t *testing.T) {
	site := credential.Site{Issuer: "ClusterTokenIssuer contoso spec", IssuerNamespace: "system", Namespace: namespace}
	for want, issuer := range map[string]*stsv1alpha1.IssuerSpec{
		"ClusterTokenIssuer contoso spec.tls.caBundle holds no":             newIssuer(withCredential(&stsv1alpha1.Credential{}), withInlineCA("none")),
		"in ClusterTokenIssuer contoso spec.credential.federated.audience.": newIssuer(withCredential(federatedFor("kubernetes.default"))),
		"Secret system/app doesn't exist":                                   newIssuer(),
		"Secret system/pair doesn't exist":                                  newIssuer(withCredential(signing())),
		"ServiceAccount system/graph doesn't exist":                         newIssuer(withCredential(federatedFor(""))),
	} {
		_, problem, err := resolverOf(everything()).Resolve(t.Context(), site, issuer, nil)
		if err != nil || problem == nil || !strings.Contains(problem.Message, want) {
			t.Errorf("Resolve = %v, %v; want a problem that says %q", problem, err, want)
		}
	}
}
