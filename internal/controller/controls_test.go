// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

const suspendedMessage = "Secret graph holds a valid token. It isn't refreshed until spec.suspend is false."

var _ = Describe("What a person controls", func() {
	var (
		t   tenant
		now func(Gomega) *stsv1alpha1.TokenRequest
	)

	suspend := func(ctx SpecContext, suspended bool) {
		GinkgoHelper()
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) { r.Spec.Suspend = suspended })
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(r.Status.ObservedGeneration).To(Equal(r.Generation))
		}).Should(Succeed())
	}
	ask := func(ctx SpecContext, word string) {
		GinkgoHelper()
		askFor(ctx, t.request("graph"), word)
	}
	// handled waits until the word was acted on and nothing is owed.
	handled := func(word string) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(r.Status.LastHandledRefreshAt).To(Equal(word))
			g.Expect(conditionsOf(r)).To(Equal(ready))
		}).Should(Succeed())
	}
	// slow keeps the next answer of the STS back until what it returns is called.
	slow := func() (answer func()) {
		name := fmt.Sprintf("slow-%d", counter.Add(1))
		Expect(sim.AddRules(stssim.Rule{Name: name, Times: 1, Action: stssim.Action{Latency: stssim.Duration(15 * time.Second)},
			Match: stssim.Match{Kind: stssim.KindToken, ClientID: t.clientID}})).To(Succeed())
		DeferCleanup(func() { sim.ClearRule(name) })
		return func() { sim.ClearRule(name) }
	}
	arrived := func(ctx SpecContext, calls int) {
		GinkgoHelper()
		_, err := sim.WaitCalls(ctx, stssim.Filter{Kind: stssim.KindToken, ClientID: t.clientID}, calls)
		Expect(err).NotTo(HaveOccurred())
	}

	// begin makes a request that is well. A BeforeEach has a context of its own, which ends with it.
	begin := func(ctx SpecContext) {
		GinkgoHelper()
		t = newTenant(ctx)
		now = create(ctx, t.request("graph"))
		awaitReady(now)
	}

	It("suspends a token that lives, which Ready says, and nothing else tells of a failure", func(ctx SpecContext) {
		begin(ctx)
		suspend(ctx, true)
		r := awaitReady(now)
		Expect(messageOf(r, "Ready")).To(Equal(suspendedMessage))
		Expect(r.Status.NextAttemptAt).To(BeNil())
		suspend(ctx, false)
		Eventually(func(g Gomega) { g.Expect(messageOf(now(g), "Ready")).To(Equal("Secret graph holds a valid token.")) }).Should(Succeed())
		Expect(now(Default).Status.NextAttemptAt).NotTo(BeNil())
		Expect(t.calls()).To(HaveLen(1))
		Expect(eventsOf(ctx, Default, r)).To(BeEmpty())
	})

	It("suspends while the STS is being asked: the answer counts, and no call follows", func(ctx SpecContext) {
		begin(ctx)
		before := tokenOf(ctx, t.request("graph"))
		answer := slow()
		ask(ctx, "one")
		arrived(ctx, 2)
		suspend(ctx, true)
		Expect(messageOf(now(Default), "Ready")).To(Equal(suspendedMessage))
		answer()
		Eventually(func() string { return tokenOf(ctx, t.request("graph")) }).ShouldNot(Equal(before))
		r := awaitReady(now)
		Expect(messageOf(r, "Ready")).To(Equal(suspendedMessage))
		Expect(r.Status.NextAttemptAt).To(BeNil())
		Expect(r.Status.LastHandledRefreshAt).To(BeEmpty())

		suspend(ctx, false)
		handled("one")
		Expect(t.calls()).To(HaveLen(3))
	})

	It("suspends while the STS is being asked, and what it refuses is told and not asked again", func(ctx SpecContext) {
		begin(ctx)
		name := fmt.Sprintf("late-%d", counter.Add(1))
		Expect(sim.AddRules(stssim.Rule{Name: name, Action: stssim.Action{Latency: stssim.Duration(15 * time.Second), Status: 503},
			Match: stssim.Match{Kind: stssim.KindToken, ClientID: t.clientID}})).To(Succeed())
		DeferCleanup(func() { sim.ClearRule(name) })
		Expect(api.Delete(ctx, &corev1.Secret{ObjectMeta: t.meta("graph")})).To(Succeed())
		arrived(ctx, 2)
		suspend(ctx, true)
		sim.ClearRule(name)
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(conditionsOf(r)).To(Equal(map[string]string{"Ready": "False/Suspended", "Issued": "False/ServerError"}))
			g.Expect(r.Status.LastError.HTTPStatus).To(Equal(int32(503)))
			g.Expect(r.Status.NextAttemptAt).To(BeNil())
		}).Should(Succeed())
		Consistently(t.calls, inSync).Should(HaveLen(2))
	})

	It("asks for nothing while suspended, and acknowledges that once it is resumed", func(ctx SpecContext) {
		begin(ctx)
		suspend(ctx, true)
		ask(ctx, "one")
		Consistently(func(g Gomega) {
			g.Expect(t.calls()).To(HaveLen(1))
			g.Expect(now(g).Status.LastHandledRefreshAt).To(BeEmpty())
		}, inSync).Should(Succeed())
		suspend(ctx, false)
		handled("one")
		Expect(t.calls()).To(HaveLen(2))
	})

	It("asks again though a retry is waited for", func(ctx SpecContext) {
		begin(ctx)
		t.rule(1, stssim.Action{Error: &stssim.ErrorBody{Error: "invalid_scope"}}) // for a minute
		ask(ctx, "one")
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "Issued")).To(Equal("False/InvalidScope"))
			g.Expect(r.Status.LastHandledRefreshAt).To(Equal("one"))
		}).Should(Succeed())
		Consistently(t.calls, inSync).Should(HaveLen(2), "the same value asks once")
		ask(ctx, "two")
		handled("two")
		Expect(t.calls()).To(HaveLen(3))
	})

	It("asks again no sooner than a Retry-After allows", func(ctx SpecContext) {
		begin(ctx)
		Expect(sim.SetThrottle(stssim.Throttle{ClientID: t.clientID, For: stssim.Duration(4 * time.Second)})).To(Succeed())
		ask(ctx, "one")
		Eventually(func(g Gomega) { g.Expect(reasonOf(now(g), "Throttled")).To(Equal("True/Throttled")) }).Should(Succeed())
		ask(ctx, "two")
		handled("two")
		for _, v := range sim.ThrottleViolations() {
			Expect(v.ClientID).NotTo(Equal(t.clientID), "a call left before Retry-After allowed it")
		}
	})

	It("asks once for the same value, and for none that is removed", func(ctx SpecContext) {
		begin(ctx)
		ask(ctx, "one")
		handled("one")
		ask(ctx, "one")
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) { r.Labels = map[string]string{"touched": "yes"} })
		Consistently(t.calls, inSync).Should(HaveLen(2))
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) { r.Annotations = nil })
		Consistently(t.calls, inSync).Should(HaveLen(2))
		Expect(now(Default).Status.LastHandledRefreshAt).To(Equal("one"))
	})

	It("asks once or twice for two values in a row, and acknowledges the last", func(ctx SpecContext) {
		begin(ctx)
		ask(ctx, "one")
		ask(ctx, "two")
		handled("two")
		Consistently(func() int { return len(t.calls()) }, inSync).Should(And(BeNumerically(">=", 2), BeNumerically("<=", 3)))
	})
})

var _ = Describe("Suspending a chain of refresh tokens", func() {
	It("keeps the successor of the one that had left", func(ctx SpecContext) {
		t := newTenant(ctx)
		Expect(sim.PutClient(stssim.Client{Tenant: t.directory, ID: t.clientID, Secrets: []stssim.Secret{{Value: goodSecret}},
			RefreshRotation: stssim.RotationStrict})).To(Succeed())
		put(ctx, &corev1.Secret{ObjectMeta: t.meta("seed"), Data: map[string][]byte{
			"refresh_token": []byte(sim.SeedRefreshToken(t.directory, t.clientID, "sub-of-adele"))}})
		request := t.request("mail", t.viaPlain, func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantRefreshToken, RefreshToken: &stsv1alpha1.RefreshTokenGrant{
				TokenRef: stsv1alpha1.SecretKeyRef{Name: "seed", Key: "refresh_token"}}}
		})
		now := create(ctx, request)
		awaitReady(now)
		stored := func() string {
			return string(secretOf(ctx, Default, t.namespace, "mail-refresh").Data["refresh_token"])
		}
		before := stored()

		answer := t.hold()
		askFor(ctx, request, "one")
		_, err := sim.WaitCalls(ctx, stssim.Filter{Kind: stssim.KindToken, ClientID: t.clientID}, 2)
		Expect(err).NotTo(HaveOccurred())
		edit(ctx, request, func(r *stsv1alpha1.TokenRequest) { r.Spec.Suspend = true })
		Eventually(func(g Gomega) { g.Expect(messageOf(now(g), "Ready")).To(ContainSubstring("spec.suspend")) }).Should(Succeed())
		answer()
		Eventually(func() bool { return stored() != before }).Should(BeTrue(), "what was stored was spent, and its successor is to be stored")

		edit(ctx, request, func(r *stsv1alpha1.TokenRequest) { r.Spec.Suspend = false })
		Eventually(func(g Gomega) { g.Expect(now(g).Status.LastHandledRefreshAt).To(Equal("one")) }).Should(Succeed())
		awaitReady(now)
	})
})
