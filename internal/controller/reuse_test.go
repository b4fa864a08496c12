// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"crypto/sha256"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

// printOf tells a request's token from others. Failures print it, and no test may leak what it guards.
func printOf(ctx SpecContext, r *stsv1alpha1.TokenRequest) string {
	GinkgoHelper()
	return printed(secretOf(ctx, Default, r.Namespace, r.SecretName()))
}

func printed(s *corev1.Secret) string {
	return fmt.Sprintf("%x", sha256.Sum256(s.Data["access_token"]))
}

var _ = Describe("A token that another request was given", func() {
	var t tenant

	BeforeEach(func(ctx SpecContext) { t = newTenant(ctx) })

	It("serves all who ask for the very same, one after another, and is counted", func(ctx SpecContext) {
		const reuses = "tokenrequest_token_reuses_total"
		before := samples(Default)
		Expect(before).To(HaveKey(reuses))
		first := t.request("graph-0")
		awaitReady(create(ctx, first))
		const others = 49
		for n := range others {
			r := t.request(fmt.Sprintf("graph-%d", n+1))
			awaitReady(create(ctx, r))
			Expect(printOf(ctx, r)).To(Equal(printOf(ctx, first)))
		}
		Expect(t.calls()).To(HaveLen(1))
		Expect(samples(Default)[reuses] - before[reuses]).To(BeNumerically(">=", others))
	})

	DescribeTable("serves nobody who asks", func(ctx SpecContext, change func(*stsv1alpha1.TokenRequest)) {
		put(ctx, &corev1.Secret{ObjectMeta: t.meta("twin"), Data: map[string][]byte{"client_secret": []byte(goodSecret)}})
		first, second := t.request("graph", t.viaPlain), t.request("other", t.viaPlain, change)
		awaitReady(create(ctx, first))
		awaitReady(create(ctx, second))
		Expect(t.calls()).To(HaveLen(2))
		Expect(printOf(ctx, first)).NotTo(Equal(printOf(ctx, second)))
	},
		Entry("with another Secret, though its value is the same", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.Credential.ClientSecret.SecretRef.Name = "twin"
		}),
		Entry("for other scopes", func(r *stsv1alpha1.TokenRequest) { r.Spec.Scopes = []stsv1alpha1.Scope{"read", "write"} }),
		Entry("with claims", func(r *stsv1alpha1.TokenRequest) { r.Spec.Claims = `{"access_token":{"acrs":{"value":"c1"}}}` }),
		Entry("with parameters", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Parameters = map[string]stsv1alpha1.ParameterValue{"region": "north"}
		}),
		Entry("for a resource", func(r *stsv1alpha1.TokenRequest) { r.Spec.Resources = []stsv1alpha1.Resource{"https://orders.example"} }),
	)

	It("serves nobody in another namespace who has written the same issuer", func(ctx SpecContext) {
		other := newTenant(ctx)
		other.directory, other.clientID = t.directory, t.clientID
		first, second := t.request("graph"), other.request("graph")
		awaitReady(create(ctx, first))
		awaitReady(create(ctx, second))
		Expect(t.calls()).To(HaveLen(2))
		Expect(printOf(ctx, first)).NotTo(Equal(printOf(ctx, second)))
	})

	It("serves another namespace through the same ClusterTokenIssuer", func(ctx SpecContext) {
		i := t.clusterIssuer(ctx)
		other := newTenant(ctx)
		label(ctx, other.namespace, t.namespace)
		first, second := t.request("graph", refersToCluster(i.Name)), other.request("graph", refersToCluster(i.Name))
		awaitReady(create(ctx, first))
		awaitReady(create(ctx, second))
		Expect(t.calls()).To(HaveLen(1))
		Expect(printOf(ctx, first)).To(Equal(printOf(ctx, second)))
	})

	It("doesn't serve who asks for another by annotation", func(ctx SpecContext) {
		first, second := t.request("graph"), t.request("other")
		awaitReady(create(ctx, first))
		awaitReady(create(ctx, second))
		before := printOf(ctx, first)
		refresh(ctx, second, "now")
		Expect(t.calls()).To(HaveLen(2))
		Expect(printOf(ctx, second)).NotTo(Equal(before))
		Expect(printOf(ctx, first)).To(Equal(before))
	})

	// replaced waits for another token than this.
	replaced := func(ctx SpecContext, r *stsv1alpha1.TokenRequest, before string) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			g.Expect(printed(secretOf(ctx, g, r.Namespace, r.SecretName()))).NotTo(Equal(before))
		}).Should(Succeed())
	}

	It("doesn't come back to who deleted it", func(ctx SpecContext) {
		r := t.request("graph")
		now := create(ctx, r)
		awaitReady(now)
		before := printOf(ctx, r)
		Expect(api.Delete(ctx, &corev1.Secret{ObjectMeta: t.meta("graph")})).To(Succeed())
		replaced(ctx, r, before)
		awaitReady(now)
		Expect(t.calls()).To(HaveLen(2))
	})

	It("doesn't come back to who deleted it either when the STS is down meanwhile", func(ctx SpecContext) {
		r := t.request("graph")
		now := create(ctx, r)
		awaitReady(now)
		before := printOf(ctx, r)
		t.rule(1, stssim.Action{Status: 503, Body: "down"})
		Expect(api.Delete(ctx, &corev1.Secret{ObjectMeta: t.meta("graph")})).To(Succeed())
		Eventually(func(g Gomega) { g.Expect(reasonOf(now(g), "Ready")).To(Equal("False/ServerError")) }).Should(Succeed())
		replaced(ctx, r, before)
		awaitReady(now)
		Expect(t.calls()).To(HaveLen(3))
	})

	It("doesn't come back to who deleted it while the request was suspended", func(ctx SpecContext) {
		r := t.request("graph")
		now := create(ctx, r)
		awaitReady(now)
		before := printOf(ctx, r)
		edit(ctx, r, func(r *stsv1alpha1.TokenRequest) { r.Spec.Suspend = true })
		awaitReady(now) // the watches of two kinds are not in step: the Secret's end could be heard of first
		Expect(api.Delete(ctx, &corev1.Secret{ObjectMeta: t.meta("graph")})).To(Succeed())
		Eventually(func(g Gomega) { g.Expect(reasonOf(now(g), "Ready")).To(Equal("False/Suspended")) }).Should(Succeed())
		edit(ctx, r, func(r *stsv1alpha1.TokenRequest) { r.Spec.Suspend = false })
		replaced(ctx, r, before)
		awaitReady(now)
		Expect(t.calls()).To(HaveLen(2))
	})

	It("is nobody else's who lives off a refresh token", func(ctx SpecContext) {
		t.register(func(c *stssim.Client) {
			c.Secrets, c.RefreshRotation = []stssim.Secret{{Value: goodSecret}}, stssim.RotationLenient
		})
		put(ctx, &corev1.Secret{ObjectMeta: t.meta("seed"), Data: map[string][]byte{
			"refresh_token": []byte(sim.SeedRefreshToken(t.directory, t.clientID, "sub-of-adele"))}})
		refreshing := func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantRefreshToken, RefreshToken: &stsv1alpha1.RefreshTokenGrant{
				TokenRef: stsv1alpha1.SecretKeyRef{Name: "seed", Key: "refresh_token"}}}
		}
		first, second := t.request("mail", t.viaPlain, refreshing), t.request("post", t.viaPlain, refreshing)
		awaitReady(create(ctx, first))
		awaitReady(create(ctx, second))
		Expect(t.calls()).To(HaveLen(2))
		Expect(printOf(ctx, first)).NotTo(Equal(printOf(ctx, second)))
	})

	It("is nobody else's who waits for a sign-in", func(ctx SpecContext) {
		t.register(func(c *stssim.Client) { c.Public, c.DeviceInterval = true, stssim.Duration(time.Second) })
		signIn := func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer = &stsv1alpha1.IssuerSpec{Authority: stsv1alpha1.HTTPSURL(sim.PlainIssuer(t.directory)), ClientID: t.clientID, TLS: r.Spec.Issuer.TLS}
			r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantDeviceCode, DeviceCode: &stsv1alpha1.DeviceCodeGrant{}}
			r.Spec.Scopes = []stsv1alpha1.Scope{"chat.read"}
		}
		codeOf := func(now func(Gomega) *stsv1alpha1.TokenRequest) string {
			GinkgoHelper()
			var code string
			Eventually(func(g Gomega) {
				r := now(g)
				g.Expect(r.Status.DeviceAuthorization).NotTo(BeNil())
				code = r.Status.DeviceAuthorization.UserCode
			}).Should(Succeed())
			return code
		}
		first := create(ctx, t.request("chat", signIn))
		Expect(sim.ApproveDevice(codeOf(first), stssim.Person{Subject: "sub-of-adele"})).To(Succeed())
		awaitReady(first)
		second := create(ctx, t.request("talk", signIn))
		code := codeOf(second)
		Consistently(func(g Gomega) { g.Expect(reasonOf(second(g), "Ready")).To(Equal("False/AuthorizationPending")) }, inSync).Should(Succeed())
		Expect(sim.ApproveDevice(code, stssim.Person{Subject: "sub-of-lee"})).To(Succeed())
		awaitReady(second)
	})
})
