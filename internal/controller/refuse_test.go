// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

var _ = Describe("A refusal of the STS", func() {
	It("lands in the conditions with a remedy, and field by field in lastError", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.putSecret(ctx, badSecret)
		now := create(ctx, t.request("graph"))
		var r *stsv1alpha1.TokenRequest
		Eventually(func(g Gomega) {
			r = now(g)
			g.Expect(reasonOf(r, "Ready")).To(Equal("False/InvalidClient"))
		}).Should(Succeed())
		Expect(reasonOf(r, "Issued")).To(Equal("False/InvalidClient"))
		Expect(messageOf(r, "Ready")).To(And(
			ContainSubstring("AADSTS7000215"), ContainSubstring(t.clientID),
			ContainSubstring("Secret "+t.namespace+"/app key client_secret")))
		e := r.Status.LastError
		Expect(e.Error).To(Equal("invalid_client"))
		Expect(e.Codes).To(Equal([]int64{7000215}))
		Expect(e.Class).To(Equal(stsv1alpha1.ErrorClass("Credential")))
		Expect(e.HTTPStatus).To(Equal(int32(401)))
		Expect(e.Description).To(And(ContainSubstring("Invalid client secret"), Not(ContainSubstring("Trace ID"))))
		Expect(e.Remedy).NotTo(BeEmpty())
		Expect(e.CorrelationID).NotTo(BeEmpty())
		Expect(e.TraceID).NotTo(BeEmpty())
		Expect(e.Attempts).To(Equal(int32(1)))
		Expect(r.Status.NextAttemptAt.After(e.LastSeen.Time)).To(BeTrue())
		Expect(r.Status.Token).To(BeNil())
		Eventually(func(g Gomega) { g.Expect(eventsOf(ctx, g, r)).To(Equal([]string{"Warning/InvalidClient"})) }).Should(Succeed())
	})

	It("ends at once when the credential Secret is corrected, and an event says so", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.putSecret(ctx, badSecret)
		now := create(ctx, t.request("graph"))
		Eventually(func(g Gomega) { g.Expect(reasonOf(now(g), "Ready")).To(Equal("False/InvalidClient")) }).Should(Succeed())
		t.putSecret(ctx, goodSecret)
		r := awaitReady(now)
		Expect(r.Status.LastError).To(BeNil())
		Expect(t.calls()).To(HaveLen(2))
		Eventually(func(g Gomega) {
			g.Expect(eventsOf(ctx, g, r)).To(ConsistOf("Warning/InvalidClient", "Normal/TokenIssued"))
		}).Should(Succeed())
	})

	It("is remembered for all who ask the same, so that a wrong secret costs one call and not one per object", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.putSecret(ctx, badSecret)
		first := create(ctx, t.request("one"))
		Eventually(func(g Gomega) { g.Expect(reasonOf(first(g), "Ready")).To(Equal("False/InvalidClient")) }).Should(Succeed())
		second := create(ctx, t.request("two"))
		Eventually(func(g Gomega) { g.Expect(reasonOf(second(g), "Ready")).To(Equal("False/InvalidClient")) }).Should(Succeed())
		Expect(t.calls()).To(HaveLen(1))
	})

	It("is asked anew at once when spec, issuer or credential change, and by nothing else", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.rule(0, stssim.Action{Error: &stssim.ErrorBody{Error: "unauthorized_client"}})
		now := create(ctx, t.request("graph"))
		refused := func(calls int) {
			GinkgoHelper()
			Eventually(func(g Gomega) {
				r := now(g)
				g.Expect(t.calls()).To(HaveLen(calls))
				g.Expect(reasonOf(r, "Issued")).To(Equal("False/UnauthorizedClient"))
				g.Expect(r.Status.ObservedGeneration).To(Equal(r.Generation))
				g.Expect(r.Status.LastError.Attempts).To(Equal(int32(1)), "another request begins to count anew")
			}).Should(Succeed())
		}
		refused(1)
		By("a changed spec")
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) { r.Spec.Resources = []stsv1alpha1.Resource{"https://orders.example"} })
		refused(2)
		By("a changed issuer")
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.TokenEndpoint = stsv1alpha1.HTTPSURL(sim.EntraAuthority("another.example") + "/oauth2/v2.0/token")
		})
		refused(3)
		By("a changed credential")
		t.putSecret(ctx, badSecret)
		refused(4)
		By("a changed trust root")
		roots := &corev1.ConfigMap{ObjectMeta: t.meta("sts-ca"), Data: map[string]string{"ca.crt": string(sim.CAPEM()) + "\n"}}
		Expect(api.Update(ctx, roots)).To(Succeed())
		refused(5)
		By("a changed label of the Secret-to-be, which asks for the same token")
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Secret = &stsv1alpha1.TokenSecret{Labels: map[string]stsv1alpha1.LabelValue{"team": "shop"}}
		})
		refused(5)
	})

	It("leaves a good token and Ready alone when it is a refresh that fails", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph"))
		awaitReady(now)
		token := secretOf(ctx, Default, t.namespace, "graph").Data["access_token"]
		t.rule(1, stssim.Action{Status: 503})
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) {
			r.Annotations = map[string]string{stsv1alpha1.AnnotationRefreshRequestedAt: "now"}
		})
		var r *stsv1alpha1.TokenRequest
		Eventually(func(g Gomega) {
			r = now(g)
			g.Expect(conditionsOf(r)).To(Equal(map[string]string{"Ready": "True/TokenValid", "Issued": "False/ServerError"}))
		}).Should(Succeed())
		Expect(secretOf(ctx, Default, t.namespace, "graph").Data["access_token"]).To(Equal(token))
		Expect(r.Status.LastHandledRefreshAt).To(Equal("now"))
		Expect(r.Status.NextAttemptAt.Time).To(BeTemporally("<", r.Status.Token.RefreshAt.Time))

		By("trying again until the refresh that was asked for has come")
		awaitReady(now)
		Expect(secretOf(ctx, Default, t.namespace, "graph").Data["access_token"]).NotTo(Equal(token))
		Expect(t.calls()).To(HaveLen(3))
	})

	It("never shows what a hostile STS echoes of the request", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.rule(0, stssim.Action{Error: &stssim.ErrorBody{Error: "invalid_request", Echo: true}})
		now := create(ctx, t.request("graph"))
		Eventually(func(g Gomega) { g.Expect(reasonOf(now(g), "Ready")).To(Equal("False/InvalidRequest")) }).Should(Succeed())
		Expect(now(Default).Status.LastError.Description).NotTo(ContainSubstring(goodSecret))
	})
})

var _ = Describe("What only the operator can see", func() {
	It("is a condition without a call: a missing credential Secret, then a missing key, heal by themselves", func(ctx SpecContext) {
		t := newTenant(ctx)
		s := &corev1.Secret{ObjectMeta: t.meta("app")}
		Expect(api.Delete(ctx, s)).To(Succeed())
		now := create(ctx, t.request("graph"))
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(conditionsOf(r)).To(Equal(map[string]string{"Ready": "False/CredentialNotFound", "Issued": "False/CredentialNotFound", "Stalled": "True/CredentialNotFound"}))
			g.Expect(messageOf(r, "Ready")).To(Equal("Secret " + t.namespace + "/app doesn't exist. Create it; the request goes on by itself."))
		}).Should(Succeed())
		Expect(api.Create(ctx, &corev1.Secret{ObjectMeta: t.meta("app"), Data: map[string][]byte{"other": []byte("x")}})).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(messageOf(now(g), "Ready")).To(Equal("Secret " + t.namespace + "/app has no key client_secret. Add it; the request goes on by itself."))
		}).Should(Succeed())
		Expect(t.calls()).To(BeEmpty())
		t.putSecret(ctx, goodSecret)
		awaitReady(now)
	})

	It("is a condition without a call: a CA bundle that isn't PEM, and heals when it is", func(ctx SpecContext) {
		t := newTenant(ctx)
		ca := &corev1.ConfigMap{ObjectMeta: t.meta("sts-ca"), Data: map[string]string{"ca.crt": "not PEM"}}
		Expect(api.Update(ctx, ca)).To(Succeed())
		now := create(ctx, t.request("graph"))
		Eventually(func(g Gomega) { g.Expect(reasonOf(now(g), "Ready")).To(Equal("False/CredentialInvalid")) }).Should(Succeed())
		ca.Data["ca.crt"] = string(sim.CAPEM())
		Expect(api.Update(ctx, ca)).To(Succeed())
		awaitReady(now)
	})

	It("is a condition without a call: a credential that may not be sent to this host", func(ctx SpecContext) {
		t := newTenant(ctx)
		s := secretOf(ctx, Default, t.namespace, "app")
		s.Annotations = map[string]string{stsv1alpha1.AnnotationAllowedHosts: "login.microsoftonline.com"}
		Expect(api.Update(ctx, s)).To(Succeed())
		now := create(ctx, t.request("graph"))
		Eventually(func(g Gomega) { g.Expect(reasonOf(now(g), "Ready")).To(Equal("False/CredentialNotAllowed")) }).Should(Succeed())
		Expect(t.calls()).To(BeEmpty())
	})

	It("is a condition without a call: a literal address that may not be called", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.TokenEndpoint = "https://169.254.169.254/metadata/identity/oauth2/token"
		}))
		Eventually(func(g Gomega) { g.Expect(reasonOf(now(g), "Ready")).To(Equal("False/EndpointRefused")) }).Should(Succeed())
	})

	It("is a condition without a call: claims that are no JSON", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph", func(r *stsv1alpha1.TokenRequest) { r.Spec.Claims = "{not json" }))
		Eventually(func(g Gomega) { g.Expect(reasonOf(now(g), "Ready")).To(Equal("False/InvalidClaims")) }).Should(Succeed())
		Expect(t.calls()).To(BeEmpty())
	})
})

var _ = Describe("Suspending", func() {
	It("makes no call, leaves Ready alone while the token lives, and goes on when it ends", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph", func(r *stsv1alpha1.TokenRequest) { r.Spec.Suspend = true }))
		Eventually(func(g Gomega) {
			g.Expect(conditionsOf(now(g))).To(Equal(map[string]string{"Ready": "False/Suspended", "Issued": "False/Suspended"}))
		}).Should(Succeed())
		Expect(t.calls()).To(BeEmpty())
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) { r.Spec.Suspend = false })
		awaitReady(now)
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) { r.Spec.Suspend = true })
		r := awaitReady(now)
		Expect(r.Status.NextAttemptAt).To(BeNil(), "nothing is going to be attempted")
		Expect(t.calls()).To(HaveLen(1))
	})
})

var _ = Describe("The clock", func() {
	It("refreshes before expiry, again and again, with no event", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.rule(0, stssim.Action{Lifetime: stssim.Duration(20 * time.Second)})
		now := create(ctx, t.request("graph"))
		first := awaitReady(now)
		_, err := sim.WaitCalls(ctx, stssim.Filter{Kind: stssim.KindToken, ClientID: t.clientID}, 3)
		Expect(err).NotTo(HaveOccurred())
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(r.Status.Token.IssuedAt.After(first.Status.Token.IssuedAt.Time)).To(BeTrue())
			g.Expect(eventsOf(ctx, g, r)).To(BeEmpty())
		}).Should(Succeed())
	}, SpecTimeout(time.Minute))

	It("turns Ready off when the token expires and no new one came", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.rule(1, stssim.Action{Lifetime: stssim.Duration(6 * time.Second)})
		t.rule(0, stssim.Action{Status: 500})
		now := create(ctx, t.request("graph"))
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(conditionsOf(r)).To(Equal(map[string]string{"Ready": "False/TokenExpired", "Issued": "False/ServerError", "Reconciling": "True/RetryScheduled"}))
			g.Expect(time.Now()).To(BeTemporally(">=", r.Status.Token.ExpiresAt.Time))
			g.Expect(eventsOf(ctx, g, r)).To(ContainElement("Warning/TokenExpired"))
		}).Should(Succeed())
		Expect(secretOf(ctx, Default, t.namespace, "graph").Data).To(HaveKey("access_token"), "a failed refresh never blanks the Secret")
	})

	It("refreshes at once when a person asks for it by annotation, and acknowledges that", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph"))
		awaitReady(now)
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) {
			r.Annotations = map[string]string{stsv1alpha1.AnnotationRefreshRequestedAt: "2026-01-01"}
		})
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(r.Status.LastHandledRefreshAt).To(Equal("2026-01-01"))
			g.Expect(eventsOf(ctx, g, r)).To(Equal([]string{"Normal/TokenIssued"}))
		}).Should(Succeed())
		Consistently(t.calls, inSync).Should(HaveLen(2))
	})

	It("obeys refreshBefore at once and without a call", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph"))
		first := awaitReady(now)
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) {
			r.Spec.RefreshBefore = &metav1.Duration{Duration: 5 * time.Minute}
		})
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(r.Status.Token.RefreshAt.After(first.Status.Token.RefreshAt.Time)).To(BeTrue())
			g.Expect(r.Status.NextAttemptAt).To(Equal(r.Status.Token.RefreshAt))
		}).Should(Succeed())
		By("going back to the plan that was made when the token came, when it is taken away")
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) { r.Spec.RefreshBefore = nil })
		Eventually(func(g Gomega) { g.Expect(now(g).Status.Token.RefreshAt).To(Equal(first.Status.Token.RefreshAt)) }).Should(Succeed())
		Expect(t.calls()).To(HaveLen(1))
	})

	It("keeps to the plan that was made when the token came, with refreshBefore as without", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.RefreshBefore = &metav1.Duration{Duration: 5 * time.Minute}
		}))
		planned := awaitReady(now).Status.Token.RefreshAt.UTC().Format(time.RFC3339)
		Expect(secretOf(ctx, Default, t.namespace, "graph").Annotations).To(HaveKeyWithValue(stsv1alpha1.AnnotationRefreshAt, planned))
	})
})
