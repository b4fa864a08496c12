// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

var _ = Describe("A sign-in with a device code", func() {
	var t tenant
	adele := stssim.Person{Subject: "sub-of-adele", ObjectID: "oid-of-adele", PreferredUsername: "adele@contoso.example"}
	mallory := stssim.Person{Subject: "sub-of-mallory", ObjectID: "oid-of-mallory", PreferredUsername: "mallory@contoso.example"}

	// register makes the tenant's client a public one, whose codes live so long.
	register := func(lifetime time.Duration, change ...func(*stssim.Client)) {
		c := stssim.Client{Tenant: t.directory, ID: t.clientID, Public: true, RefreshRotation: stssim.RotationStrict,
			DeviceInterval: stssim.Duration(time.Second), DeviceLifetime: stssim.Duration(lifetime)}
		for _, f := range change {
			f(&c)
		}
		Expect(sim.PutClient(c)).To(Succeed())
	}
	signIn := func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Issuer = &stsv1alpha1.IssuerSpec{
			Authority: stsv1alpha1.HTTPSURL(sim.PlainIssuer(t.directory)), ClientID: t.clientID, TLS: r.Spec.Issuer.TLS,
		}
		r.Spec.Scopes = []stsv1alpha1.Scope{"chat.read"}
		r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantDeviceCode, DeviceCode: &stsv1alpha1.DeviceCodeGrant{ExpectedSubject: adele.PreferredUsername}}
	}
	// invited waits for a code that isn't the one before, as a person would, and returns it.
	invited := func(now func(Gomega) *stsv1alpha1.TokenRequest, before string) string {
		GinkgoHelper()
		var code string
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(r.Status.DeviceAuthorization).NotTo(BeNil())
			code = r.Status.DeviceAuthorization.UserCode
			g.Expect(code).NotTo(Or(BeEmpty(), Equal(before)))
			g.Expect(messageOf(r, "InteractionRequired")).To(And(ContainSubstring(code), ContainSubstring(r.Status.DeviceAuthorization.VerificationURI)))
		}).Should(Succeed())
		return code
	}

	// signedIn is a request for which adele has signed in, with the code that she used.
	signedIn := func(ctx SpecContext) (now func(Gomega) *stsv1alpha1.TokenRequest, code string) {
		GinkgoHelper()
		register(time.Minute)
		now = create(ctx, t.request("chat", signIn))
		code = invited(now, "")
		Expect(sim.ApproveDevice(code, adele)).To(Succeed())
		awaitReady(now)
		return now, code
	}

	BeforeEach(func(ctx SpecContext) { t = newTenant(ctx) })

	It("begins anew when what is known of it is deleted, also while it is polled for", func(ctx SpecContext) {
		register(time.Minute)
		now := create(ctx, t.request("chat", signIn))
		code := invited(now, "")
		answer, polls := t.hold(), len(t.calls())
		_, err := sim.WaitCalls(ctx, stssim.Filter{Kind: stssim.KindToken, ClientID: t.clientID}, polls+1)
		Expect(err).NotTo(HaveOccurred())
		Expect(api.Delete(ctx, &corev1.Secret{ObjectMeta: t.meta("chat-refresh")})).To(Succeed())
		answer()
		Expect(sim.ApproveDevice(invited(now, code), adele)).To(Succeed())
		awaitReady(now)
	})

	It("is asked for once more by annotation where the STS gave no refresh token, and the code stays", func(ctx SpecContext) {
		register(time.Minute)
		t.rule(0, stssim.Action{Drop: []string{"refresh_token"}})
		now := create(ctx, t.request("chat", signIn))
		first := invited(now, "")
		Expect(sim.ApproveDevice(first, adele)).To(Succeed())
		awaitReady(now)
		askFor(ctx, t.request("chat"), "once more")
		second := invited(now, first)
		Consistently(func(g Gomega) { g.Expect(now(g).Status.DeviceAuthorization).To(HaveField("UserCode", second)) }, inSync).Should(Succeed())
		Expect(sim.ApproveDevice(second, adele)).To(Succeed())
		awaitReady(now)
	})

	It("at one issuer brings no refresh token to another", func(ctx SpecContext) {
		now, code := signedIn(ctx)
		elsewhere := newTenant(ctx).directory
		Expect(sim.PutClient(stssim.Client{Tenant: elsewhere, ID: t.clientID, Public: true, DeviceInterval: stssim.Duration(time.Second)})).To(Succeed())
		edit(ctx, t.request("chat"), func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.Authority = stsv1alpha1.HTTPSURL(sim.PlainIssuer(elsewhere))
		})
		Expect(sim.ApproveDevice(invited(now, code), adele)).To(Succeed())
		awaitReady(now)
		for _, call := range t.calls() {
			Expect(call.GrantType).NotTo(Equal("refresh_token"))
		}
	})

	It("whose refresh token was lost in a crash says so at once", func(ctx SpecContext) {
		now, _ := signedIn(ctx)
		t.spend(ctx, "chat-refresh")
		sim.RevokeRefreshTokens(t.directory, t.clientID)
		askFor(ctx, t.request("chat"), "after the crash")
		Eventually(func(g Gomega) { g.Expect(reasonOf(now(g), "Issued")).To(Equal("False/RefreshTokenLost")) }).Should(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(eventsOf(ctx, g, t.request("chat"))).To(And(ContainElement("Warning/RefreshTokenLost"), Not(ContainElement("Warning/InvalidGrant"))))
		}).Should(Succeed())
	})

	It("is asked for in conditions, an event and a column, polled for at its interval, and brings a token that refreshes itself", func(ctx SpecContext) {
		register(time.Minute, func(c *stssim.Client) { c.Lifetime = stssim.Duration(20 * time.Second) })
		now := create(ctx, t.request("chat", signIn))
		code := invited(now, "")
		Eventually(func(g Gomega) {
			g.Expect(conditionsOf(now(g))).To(Equal(map[string]string{"Ready": "False/AuthorizationPending", "Issued": "False/AuthorizationPending",
				"InteractionRequired": "True/AuthorizationPending", "Reconciling": "True/RetryScheduled"}))
			g.Expect(eventsOf(ctx, g, t.request("chat"))).To(ContainElement("Warning/AuthorizationPending"))
		}).Should(Succeed())
		// The code isn't polled for faster than the STS wants, nor does it change meanwhile.
		Eventually(func() int { return len(t.calls()) }).Should(BeNumerically(">=", 3))
		for _, call := range t.calls() {
			Expect(call.Error).To(Equal("authorization_pending"))
		}
		Expect(now(Default).Status.DeviceAuthorization.UserCode).To(Equal(code))

		Expect(sim.ApproveDevice(code, adele)).To(Succeed())
		r := awaitReady(now)
		Expect(r.Status.DeviceAuthorization).To(BeNil())
		store := secretOf(ctx, Default, t.namespace, "chat-refresh")
		Expect(store.Data).To(HaveKey("refresh_token"))
		Expect(store.Data).NotTo(HaveKey("device_code"))
		Expect(store.OwnerReferences).To(HaveLen(1))
		Expect(secretOf(ctx, Default, t.namespace, "chat").Data).NotTo(HaveKey("refresh_token"))

		first := r.Status.Token.IssuedAt
		Eventually(func(g Gomega) { g.Expect(now(g).Status.Token.IssuedAt.After(first.Time)).To(BeTrue()) }).Should(Succeed())
		Expect(secretOf(ctx, Default, t.namespace, "chat-refresh").Data["refresh_token"]).NotTo(Equal(store.Data["refresh_token"]))
	})

	It("that nobody makes ends, and begins anew only when asked", func(ctx SpecContext) {
		register(3 * time.Second)
		now := create(ctx, t.request("chat", signIn))
		code := invited(now, "")
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(conditionsOf(r)).To(Equal(map[string]string{"Ready": "False/ExpiredToken", "Issued": "False/ExpiredToken",
				"InteractionRequired": "True/ExpiredToken", "Stalled": "True/ExpiredToken"}))
			g.Expect(messageOf(r, "Ready")).To(ContainSubstring("refresh-requested-at"))
			g.Expect(r.Status.DeviceAuthorization).To(BeNil())
		}).Should(Succeed())
		calls := len(t.calls())
		Consistently(func() int { return len(t.calls()) }, inSync).Should(Equal(calls))

		register(time.Minute)
		askFor(ctx, t.request("chat"), "once more")
		Expect(sim.ApproveDevice(invited(now, code), adele)).To(Succeed())
		Expect(awaitReady(now).Status.LastHandledRefreshAt).To(Equal("once more"))
	})

	It("that is refused says so, and waits for somebody to ask again", func(ctx SpecContext) {
		register(time.Minute)
		now := create(ctx, t.request("chat", signIn))
		Expect(sim.DenyDevice(invited(now, ""))).To(Succeed())
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "Ready")).To(Or(Equal("False/AccessDenied"), Equal("False/AuthorizationDeclined")))
			g.Expect(reasonOf(r, "Stalled")).NotTo(Equal("absent"))
			g.Expect(r.Status.LastError.Error).To(Or(Equal("access_denied"), Equal("authorization_declined")))
		}).Should(Succeed())
	})

	It("that doesn't satisfy a policy ends, and begins anew with the claims that the STS asks for", func(ctx SpecContext) {
		const challenge = `{"access_token":{"acrs":{"essential":true,"value":"c1"}}}`
		register(time.Minute)
		now := create(ctx, t.request("chat", signIn, func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.Authority = stsv1alpha1.HTTPSURL(sim.EntraAuthority(t.directory) + "/v2.0")
			r.Spec.Scopes = []stsv1alpha1.Scope{"https://graph.example/Chat.Read"}
		}))
		code := invited(now, "")
		t.rule(1, stssim.Action{Error: &stssim.ErrorBody{Error: "interaction_required", Codes: []int{50076}, Claims: challenge}})
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(conditionsOf(r)).To(Equal(map[string]string{"Ready": "False/InteractionRequired", "Issued": "False/InteractionRequired",
				"InteractionRequired": "True/InteractionRequired", "Stalled": "True/InteractionRequired"}))
			g.Expect(r.Status.LastError.Claims).To(Equal(challenge))
			g.Expect(r.Status.DeviceAuthorization).To(BeNil())
		}).Should(Succeed())
		edit(ctx, t.request("chat"), func(r *stsv1alpha1.TokenRequest) { r.Spec.Claims = challenge })
		Expect(sim.ApproveDevice(invited(now, code), adele)).To(Succeed())
		awaitReady(now)
	})

	It("of a stranger is thrown away", func(ctx SpecContext) {
		register(time.Minute)
		now := create(ctx, t.request("chat", signIn))
		code := invited(now, "")
		Expect(sim.ApproveDevice(code, mallory)).To(Succeed())
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "Ready")).To(Equal("False/SubjectMismatch"))
			g.Expect(messageOf(r, "Ready")).NotTo(ContainSubstring("mallory"))
		}).Should(Succeed())
		Expect(secretOf(ctx, Default, t.namespace, "chat-refresh").Data).NotTo(HaveKey("refresh_token"))

		askFor(ctx, t.request("chat"), "for adele")
		Expect(sim.ApproveDevice(invited(now, code), adele)).To(Succeed())
		awaitReady(now)
	})

	It("is needed again when the STS says so at a refresh, which keeps the token and says what to do", func(ctx SpecContext) {
		now, code := signedIn(ctx)

		t.rule(1, stssim.Action{Error: &stssim.ErrorBody{Error: "interaction_required", Codes: []int{50076}}})
		askFor(ctx, t.request("chat"), "now")
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(conditionsOf(r)).To(Equal(map[string]string{"Ready": "True/TokenValid", "Issued": "False/InteractionRequired",
				"InteractionRequired": "True/InteractionRequired"}))
			g.Expect(messageOf(r, "InteractionRequired")).To(ContainSubstring("refresh-requested-at"))
		}).Should(Succeed())

		askFor(ctx, t.request("chat"), "with a sign-in")
		Expect(sim.ApproveDevice(invited(now, code), adele)).To(Succeed())
		awaitReady(now)
	})
})
