// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// The victim has everything that the trespasser lacks, under the very names that the trespasser writes:
// whoever looked in the wrong namespace would succeed.
var _ = Describe("A boundary", func() {
	var victim, trespasser tenant

	BeforeEach(func(ctx SpecContext) {
		victim, trespasser = newTenant(ctx), newTenant(ctx)
		for _, o := range []client.Object{
			&corev1.Secret{ObjectMeta: victim.meta("loot"), Data: map[string][]byte{"client_secret": []byte(goodSecret), "assertion": []byte("loot")}},
			&corev1.ConfigMap{ObjectMeta: victim.meta("loot"), Data: map[string]string{"ca.crt": string(sim.CAPEM())}},
			&corev1.ServiceAccount{ObjectMeta: withAudiences(victim.meta("loot"), "api://AzureADTokenExchange")},
			&stsv1alpha1.TokenIssuer{ObjectMeta: victim.meta("loot"), Spec: *victim.request("any").Spec.Issuer},
			// The operator's namespace is another one that a request must not reach into.
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "loot-" + trespasser.namespace}, Data: map[string][]byte{"client_secret": []byte(goodSecret), "assertion": []byte("loot")}},
			&corev1.ServiceAccount{ObjectMeta: trespasser.meta("silent")},
			&corev1.ServiceAccount{ObjectMeta: withAudiences(trespasser.meta("greedy"), "https://kubernetes.default.svc", "https://kubernetes.default.svc.cluster.local", "kubernetes", apiAudience)},
			&corev1.Secret{ObjectMeta: withHosts(trespasser.meta("held"), "login.microsoftonline.com"), Data: map[string][]byte{"client_secret": []byte(goodSecret), "assertion": []byte("held")}},
		} {
			Expect(api.Create(ctx, o)).To(Succeed())
		}
	})

	DescribeTable("holds, with a word that says so and without a call", func(ctx SpecContext, cross func(*stsv1alpha1.TokenRequest), reason, says string) {
		now := create(ctx, trespasser.request("graph", cross))
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "Ready")).To(Equal("False/" + reason))
			g.Expect(messageOf(r, "Ready")).To(ContainSubstring(says))
		}).Should(Succeed())
		Consistently(trespasser.calls, inSync).Should(BeEmpty())
		Expect(victim.calls()).To(BeEmpty())
	},
		Entry("around another namespace's Secret", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.Credential.ClientSecret.SecretRef.Name = "loot"
		}, "CredentialNotFound", "loot doesn't exist"),
		Entry("around a Secret of the operator's namespace", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.Credential.ClientSecret.SecretRef.Name = stsv1alpha1.ObjectName("loot-" + r.Namespace)
		}, "CredentialNotFound", "doesn't exist"),
		Entry("around another namespace's client identifier", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.ClientID, r.Spec.Issuer.ClientIDRef = "", &stsv1alpha1.SecretKeyRef{Name: "loot", Key: "client_secret"}
		}, "CredentialNotFound", "loot doesn't exist"),
		Entry("around another namespace's ConfigMap", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.TLS.CABundleRef.Name = "loot"
		}, "CredentialNotFound", "loot doesn't exist"),
		Entry("around another namespace's key pair", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.Credential = &stsv1alpha1.Credential{PrivateKeyJWT: &stsv1alpha1.PrivateKeyJWTCredential{SecretRef: stsv1alpha1.SecretRef{Name: "loot"}}}
		}, "CredentialNotFound", "loot doesn't exist"),
		Entry("around another namespace's certificate", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.Credential = &stsv1alpha1.Credential{TLSClientAuth: &stsv1alpha1.TLSClientAuthCredential{SecretRef: stsv1alpha1.SecretRef{Name: "loot"}}}
		}, "CredentialNotFound", "loot doesn't exist"),
		Entry("around another namespace's service account", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.Credential = federatedBy("loot", "")
		}, "CredentialNotFound", "loot doesn't exist"),
		Entry("around a service account that doesn't consent", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.Credential = federatedBy("silent", "")
		}, "CredentialNotAllowed", "allowed-audiences"),
		Entry("around a service account's rights in this cluster, by the API server's usual audience", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.Credential = federatedBy("greedy", "https://kubernetes.default.svc.cluster.local")
		}, "CredentialNotAllowed", "API server"),
		Entry("around a service account's rights in this cluster, by an audience that only this API server has", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.Credential = federatedBy("greedy", apiAudience)
		}, "CredentialNotAllowed", "API server"),
		Entry("around another namespace's assertion", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantOnBehalfOf, OnBehalfOf: &stsv1alpha1.AssertionGrant{Assertion: fromSecret("loot")}}
		}, "CredentialNotFound", "loot doesn't exist"),
		Entry("around another namespace's refresh token", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantRefreshToken, RefreshToken: &stsv1alpha1.RefreshTokenGrant{TokenRef: stsv1alpha1.SecretKeyRef{Name: "loot", Key: "assertion"}}}
		}, "CredentialNotFound", "loot doesn't exist"),
		Entry("around another namespace's subject token", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantTokenExchange, TokenExchange: &stsv1alpha1.TokenExchangeGrant{
				SubjectToken: stsv1alpha1.TokenSource{ServiceAccount: &stsv1alpha1.ServiceAccountToken{Name: "loot", Audience: "api://AzureADTokenExchange"}}, SubjectTokenType: jwtType}}
		}, "CredentialNotFound", "loot doesn't exist"),
		Entry("around another namespace's issuer", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer, r.Spec.IssuerRef = nil, &stsv1alpha1.IssuerRef{Kind: stsv1alpha1.IssuerKindTokenIssuer, Name: "loot"}
		}, "IssuerNotReady", "loot"),
		Entry("around a Secret whose owner named other hosts", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.Credential.ClientSecret.SecretRef.Name = "held"
		}, "CredentialNotAllowed", "may not be sent to"),
		Entry("around an assertion whose owner named other hosts", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantOnBehalfOf, OnBehalfOf: &stsv1alpha1.AssertionGrant{Assertion: fromSecret("held")}}
		}, "CredentialNotAllowed", "may not be sent to"),
		Entry("around the machine's metadata service, by its address", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.TokenEndpoint = "https://169.254.169.254/token"
		}, "EndpointRefused", "link-local"),
		Entry("around the machine's metadata service, by its address in IPv6", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.TokenEndpoint = "https://[::ffff:169.254.169.254]/token"
		}, "EndpointRefused", "link-local"),
		Entry("around the machine's metadata service, as a proxy", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.ProxyURL = "http://169.254.169.254:80"
		}, "EndpointRefused", "link-local"),
		Entry("around an address that only a proxy would reach", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.ProxyURL, r.Spec.Issuer.TokenEndpoint = "http://proxy.example:3128", "https://169.254.169.254/token"
		}, "EndpointRefused", "link-local"),
	)

	It("holds around the machine's metadata service, by a name that resolves to it", func(ctx SpecContext) {
		before := resolved.Load()
		now := create(ctx, trespasser.request("graph", func(r *stsv1alpha1.TokenRequest) { r.Spec.Issuer.TokenEndpoint = "https://" + metadataName + "/token" }))
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "Ready")).To(Equal("False/EndpointRefused"))
			g.Expect(messageOf(r, "Ready")).To(ContainSubstring("link-local"))
		}).Should(Succeed())
		Expect(resolved.Load()).To(BeNumerically(">", before), "the name was never resolved, so that nothing was shown")
	})
})
