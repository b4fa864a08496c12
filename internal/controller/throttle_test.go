// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/manager"
	"tokenrequest.dev/operator/test/stssim"
)

var _ = Describe("Throttling", func() {
	throttle := func(t tenant, d time.Duration, date bool) {
		Expect(sim.SetThrottle(stssim.Throttle{ClientID: t.clientID, For: stssim.Duration(d), HTTPDate: date})).To(Succeed())
	}
	violations := func(t tenant) (early []stssim.Violation) {
		for _, v := range sim.ThrottleViolations() {
			if v.ClientID == t.clientID {
				early = append(early, v)
			}
		}
		return early
	}

	for name, date := range map[string]bool{"seconds": false, "an HTTP-date": true} {
		It("heeds a Retry-After in "+name+": no call before, the same error for all behind the gate, and a token after", func(ctx SpecContext) {
			t := newTenant(ctx)
			throttle(t, 5*time.Second, date)
			first := create(ctx, t.request("first"))
			var r *stsv1alpha1.TokenRequest
			Eventually(func(g Gomega) {
				r = first(g)
				g.Expect(conditionsOf(r)).To(Equal(map[string]string{"Ready": "False/Throttled", "Issued": "False/Throttled",
					"Throttled": "True/Throttled", "Reconciling": "True/RetryScheduled"}))
			}).Should(Succeed())
			Expect(r.Status.LastError.HTTPStatus).To(Equal(int32(429)))
			Expect(gatesOf(ctx, t)).To(HaveLen(1), "the ConfigMap holds the gate before the status shows it")

			second := create(ctx, t.request("second", func(r *stsv1alpha1.TokenRequest) { r.Spec.RefreshBefore = r.Spec.Issuer.Timeout }))
			Eventually(func(g Gomega) {
				behind := second(g)
				g.Expect(reasonOf(behind, "Throttled")).To(Equal("True/Throttled"))
				g.Expect(messageOf(behind, "Issued")).To(Equal(messageOf(r, "Issued")))
				g.Expect(behind.Status.NextAttemptAt.Sub(r.Status.NextAttemptAt.Time)).To(BeNumerically("~", 0, time.Second))
			}).Should(Succeed())
			Expect(t.calls()).To(HaveLen(1))

			awaitReady(first)
			awaitReady(second)
			Expect(violations(t)).To(BeEmpty())
		})
	}

	It("can't be bypassed by a refresh on demand, a new credential or new claims", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph"))
		awaitReady(now)
		throttle(t, 10*time.Second, false)
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) {
			r.Annotations = map[string]string{stsv1alpha1.AnnotationRefreshRequestedAt: "one"}
		})
		Eventually(func(g Gomega) { g.Expect(reasonOf(now(g), "Throttled")).To(Equal("True/Throttled")) }).Should(Succeed())
		Expect(reasonOf(now(Default), "Ready")).To(Equal("True/TokenValid"))
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) {
			r.Annotations[stsv1alpha1.AnnotationRefreshRequestedAt] = "two"
			r.Spec.Claims = `{"access_token":{}}`
		})
		s := secretOf(ctx, Default, t.namespace, "app")
		s.Labels = map[string]string{"changed": "yes"}
		Expect(api.Update(ctx, s)).To(Succeed())
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(conditionsOf(r)).To(Equal(ready))
			g.Expect(r.Status.LastHandledRefreshAt).To(Equal("two"))
		}).Should(Succeed())
		Expect(violations(t)).To(BeEmpty())
		Expect(t.calls()).To(HaveLen(3))
	})

	It("holds back a call that was admitted, and still queued when the gate shut", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.rule(0, stssim.Action{Latency: stssim.Duration(3 * time.Second), Status: 429, RetryAfter: "600"})
		// More than one namespace may have under way, each asking for something else.
		const crowd = 24
		var all []func(Gomega) *stsv1alpha1.TokenRequest
		for i := range crowd {
			all = append(all, create(ctx, t.request(fmt.Sprint("r", i), func(r *stsv1alpha1.TokenRequest) {
				r.Spec.Parameters = map[string]stsv1alpha1.ParameterValue{"n": stsv1alpha1.ParameterValue(fmt.Sprint(i))}
			})))
		}
		Eventually(func(g Gomega) {
			for _, now := range all {
				g.Expect(reasonOf(now(g), "Throttled")).To(Equal("True/Throttled"))
			}
		}).Should(Succeed())
		Expect(len(t.calls())).To(BeNumerically("<", crowd))
	})

	It("of one namespace doesn't shut another's gate", func(ctx SpecContext) {
		attacker, victim := newTenant(ctx), newTenant(ctx)
		attacker.rule(0, stssim.Action{Status: 429, RetryAfter: "3600"})
		held := create(ctx, attacker.request("graph"))
		Eventually(func(g Gomega) { g.Expect(reasonOf(held(g), "Throttled")).To(Equal("True/Throttled")) }).Should(Succeed())
		// The same endpoint, client and scopes as the attacker's: only the namespace differs.
		sim.ClearRules()
		same := victim.request("graph", func(r *stsv1alpha1.TokenRequest) { r.Spec.Issuer = attacker.request("graph").Spec.Issuer })
		awaitReady(create(ctx, same))
	})

	It("repeats a call once when the connection failed before anything was sent, and only then", func(ctx SpecContext) {
		t := newTenant(ctx)
		sim.CloseConnections(1)
		awaitReady(create(ctx, t.request("graph", func(r *stsv1alpha1.TokenRequest) {
			// A trust root of its own, so that it can't share a connection that another spec keeps busy.
			r.Spec.Issuer.TLS = &stsv1alpha1.IssuerTLS{CABundle: append(sim.CAPEM(), '\n')}
		})))
		Expect(sim.ClosedConnections()).To(BeNumerically(">=", 1))
		Expect(t.calls()).To(HaveLen(1))

		t.rule(1, stssim.Action{Reset: true})
		broken := create(ctx, t.request("broken", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Scopes = []stsv1alpha1.Scope{"https://other.example/.default"}
		}))
		Eventually(func(g Gomega) { g.Expect(reasonOf(broken(g), "Issued")).To(Equal("False/ConnectionFailed")) }).Should(Succeed())
		Expect(t.calls()).To(HaveLen(2))
		awaitReady(broken)
	}, Serial)

	It("is told by a ConfigMap that a person can read and that holds no secret", func(ctx SpecContext) {
		t := newTenant(ctx)
		throttle(t, 4*time.Second, false)
		now := create(ctx, t.request("graph"))
		Eventually(func(g Gomega) { g.Expect(reasonOf(now(g), "Throttled")).To(Equal("True/Throttled")) }).Should(Succeed())
		gates := gatesOf(ctx, t)
		Expect(gates).To(HaveLen(1))
		Expect(gates[0]).To(And(ContainSubstring(`"kind": "Rate"`), ContainSubstring(t.clientID), ContainSubstring(scope), ContainSubstring(`"until": "20`)))
		for _, canary := range sim.Canaries() {
			Expect(gates[0]).NotTo(ContainSubstring(canary))
		}
	})
})

// gatesOf are the stored gates of a tenant.
func gatesOf(ctx SpecContext, t tenant) (gates []string) {
	GinkgoHelper()
	stored := &corev1.ConfigMap{}
	err := api.Get(ctx, types.NamespacedName{Namespace: operatorNamespace, Name: manager.ThrottleConfigMap}, stored)
	if apierrors.IsNotFound(err) {
		return nil
	}
	Expect(err).NotTo(HaveOccurred())
	for _, gate := range stored.Data {
		if strings.Contains(gate, `"`+t.clientID+`"`) {
			gates = append(gates, gate)
		}
	}
	return gates
}
