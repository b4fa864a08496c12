// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

var _ = Describe("Issuing a token", func() {
	It("fills the Secret with the default keys and says so in the status", func(ctx SpecContext) {
		t := newTenant(ctx)
		r := awaitReady(create(ctx, t.request("graph")))

		s := secretOf(ctx, Default, t.namespace, "graph")
		Expect(s.Data).To(HaveLen(3))
		Expect(s.Data).To(HaveKeyWithValue("token_type", []byte("Bearer")))
		Expect(sim.Issued()).To(ContainElement(string(s.Data["access_token"])))
		Expect(string(s.Data["expires_at"])).To(Equal(r.Status.Token.ExpiresAt.UTC().Format(time.RFC3339)))
		Expect(s.Type).To(Equal(corev1.SecretTypeOpaque))
		Expect(s.Labels).To(HaveKeyWithValue("app.kubernetes.io/managed-by", "tokenrequest-operator"))
		Expect(s.OwnerReferences).To(Equal([]metav1.OwnerReference{{APIVersion: "sts.tokenrequest.dev/v1alpha1",
			Kind: "TokenRequest", Name: "graph", UID: r.UID, Controller: new(true)}}))

		Expect(r.Status.Token.SecretName).To(Equal("graph"))
		Expect(r.Status.NextAttemptAt).To(Equal(r.Status.Token.RefreshAt))
		Expect(r.Status.Token.RefreshAt.Time).To(And(
			BeTemporally(">", r.Status.Token.IssuedAt.Time), BeTemporally("<", r.Status.Token.ExpiresAt.Time)))
		Expect(t.calls()).To(HaveLen(1))
		Expect(t.calls()[0].Headers).To(HaveKeyWithValue("X-Ms-Lib-Capability", "retry-after, h429"))
	})

	It("costs one Secret write, one status write and no event", func(ctx SpecContext) {
		t := newTenant(ctx)
		r := awaitReady(create(ctx, t.request("graph")))
		// One status write after the creation is all that may have touched the object.
		Consistently(func(g Gomega) {
			now := latest(ctx, r)(g)
			g.Expect(now.ResourceVersion).To(Equal(r.ResourceVersion))
			g.Expect(now.ManagedFields).To(HaveLen(2))
			s := secretOf(ctx, g, t.namespace, "graph")
			g.Expect(s.ManagedFields).To(HaveLen(1))
			g.Expect(s.ManagedFields[0].Manager).To(Equal("tokenrequest-operator"))
			g.Expect(s.ManagedFields[0].Operation).To(Equal(metav1.ManagedFieldsOperationApply))
			g.Expect(eventsOf(ctx, g, r)).To(BeEmpty())
		}, inSync).Should(Succeed())
		Expect(t.calls()).To(HaveLen(1))
	})

	It("finds the token endpoint of an OpenID Connect issuer by discovery", func(ctx SpecContext) {
		t := newTenant(ctx)
		create := create(ctx, t.request("graph", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.TokenEndpoint = ""
			r.Spec.Issuer.Authority = stsv1alpha1.HTTPSURL(sim.PlainIssuer(t.directory))
			r.Spec.Issuer.Credential.ClientSecret.Method = ""
			r.Spec.Scopes = []stsv1alpha1.Scope{"read"}
		}))
		r := awaitReady(create)
		Expect(t.calls()).To(HaveLen(1))
		Expect(t.calls()[0].AuthMethod).To(Equal("client_secret_basic"), "the first of what the metadata lists")
		Expect(r.Status.Token.Scopes).To(Equal([]string{"read"}))
		Expect(secretOf(ctx, Default, t.namespace, "graph").Data).To(HaveKeyWithValue("scope", []byte("read")))
	})

	It("acts at once on a changed spec", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph"))
		first := awaitReady(now)
		edit(ctx, first, func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Scopes = []stsv1alpha1.Scope{"https://other.example/.default"}
		})
		awaitReady(now)
		Expect(t.calls()).To(HaveLen(2))
		Expect(t.calls()[1].Scope).To(Equal("https://other.example/.default"))
	})

	It("keeps the token of the spec before when the changed spec is refused, and says so", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph"))
		awaitReady(now)
		token := secretOf(ctx, Default, t.namespace, "graph").Data["access_token"]
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) { r.Spec.Scopes = []stsv1alpha1.Scope{"not-a-default-scope"} })
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "Ready")).To(HavePrefix("False/Invalid"))
			g.Expect(messageOf(r, "Ready")).To(ContainSubstring("still holds the token of the spec before"))
		}).Should(Succeed())
		Expect(secretOf(ctx, Default, t.namespace, "graph").Data["access_token"]).To(Equal(token))
	})

	It("puts the wanted labels and annotations on the Secret, and takes them away again, without a call", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph"))
		awaitReady(now)
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Secret = &stsv1alpha1.TokenSecret{
				Labels: map[string]stsv1alpha1.LabelValue{"team": "payments"}, Annotations: map[string]stsv1alpha1.AnnotationValue{"reloader": "on"}}
		})
		Eventually(func(g Gomega) {
			s := secretOf(ctx, g, t.namespace, "graph")
			g.Expect(s.Labels).To(HaveKeyWithValue("team", "payments"))
			g.Expect(s.Annotations).To(HaveKeyWithValue("reloader", "on"))
		}).Should(Succeed())
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret = nil })
		Eventually(func(g Gomega) {
			s := secretOf(ctx, g, t.namespace, "graph")
			g.Expect(s.Labels).NotTo(HaveKey("team"))
			g.Expect(s.Annotations).NotTo(HaveKey("reloader"))
		}).Should(Succeed())
		awaitReady(now)
		Expect(t.calls()).To(HaveLen(1))
	})

	// The place of a call is taken until its timeout: 16 of a dead service's had every other one of the namespace wait.
	It("goes on while another token service of its namespace hangs", func(ctx SpecContext) {
		t := newTenant(ctx)
		dead := must(stssim.Start(stssim.Options{}))
		DeferCleanup(dead.Close)
		Expect(dead.AddRules(stssim.Rule{Name: "hangs", Action: stssim.Action{Latency: stssim.Duration(time.Minute)}})).To(Succeed())
		put(ctx, &corev1.ConfigMap{ObjectMeta: t.meta("dead-ca"), Data: map[string]string{"ca.crt": string(dead.CAPEM())}})
		for n := range 20 {
			create(ctx, t.request(fmt.Sprintf("dead-%d", n), func(r *stsv1alpha1.TokenRequest) {
				r.Spec.Issuer.TokenEndpoint = stsv1alpha1.HTTPSURL(dead.EntraAuthority(t.directory) + "/oauth2/v2.0/token")
				r.Spec.Issuer.TLS.CABundleRef.Name = "dead-ca"
				r.Spec.Scopes = []stsv1alpha1.Scope{stsv1alpha1.Scope(fmt.Sprintf("https://api-%d.example/.default", n))}
			}))
		}
		_, err := dead.WaitCalls(ctx, stssim.Filter{Kind: stssim.KindToken}, 16)
		Expect(err).NotTo(HaveOccurred())

		awaitReady(create(ctx, t.request("alive")))
		Expect(dead.Calls(stssim.Filter{Kind: stssim.KindToken})).To(HaveLen(16))
	})

	It("has any number of identical requests share one call", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.rule(1, stssim.Action{Latency: stssim.Duration(2 * time.Second)})
		first, second := create(ctx, t.request("one")), create(ctx, t.request("two"))
		awaitReady(first)
		awaitReady(second)
		Expect(t.calls()).To(HaveLen(1))
	})
})
