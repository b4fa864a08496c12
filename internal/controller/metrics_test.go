// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/expfmt"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

var _ = Describe("What the operator measures", func() {
	const (
		tokens      = `tokenrequest_sts_requests_total{operation="token",outcome="Success"}`
		discoveries = `tokenrequest_sts_requests_total{operation="discovery",outcome="Success"}`
		throttled   = `tokenrequest_sts_requests_total{operation="token",outcome="Throttled"}`
		timed       = `tokenrequest_sts_request_duration_seconds_count{operation="token"}`
		gates       = `tokenrequest_throttle_gates{kind="Rate"}`
		opening     = `tokenrequest_throttle_gate_opens_timestamp_seconds{kind="Rate"}`
		failing     = `tokenrequest_failing_requests{reason="Throttled"}`
		running     = `tokenrequest_flights{state="running"}`
		queued      = `tokenrequest_flights{state="queued"}`
	)

	It("are its calls, its gates and its flights, and never what was sent or answered", func(ctx SpecContext) {
		t := newTenant(ctx)
		before := map[string]float64{}
		Eventually(func(g Gomega) { before = samples(g) }).Should(Succeed())
		Expect(before).To(And(HaveKey(tokens), HaveKey(discoveries), HaveKey(running), HaveKey(queued)))
		for _, state := range []string{"Valid", "Expiring", "Expired", "Missing", "Suspended"} {
			Expect(before).To(HaveKey(`tokenrequest_tokens{namespace="other",state="` + state + `"}`))
		}

		awaitReady(create(ctx, t.request("graph", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.TokenEndpoint = ""
			r.Spec.Issuer.Authority = stsv1alpha1.HTTPSURL(sim.PlainIssuer(t.directory))
			r.Spec.Scopes = []stsv1alpha1.Scope{"read"}
		})))
		after := samples(Default)
		Expect(after[tokens]).To(BeNumerically(">", before[tokens]))
		Expect(after[discoveries]).To(BeNumerically(">", before[discoveries]))
		Expect(after[timed]).To(BeNumerically(">", before[timed]))
		Eventually(func(g Gomega) { g.Expect(tokensOf(samples(g), "Valid")).To(BeNumerically(">=", 1)) }).Should(Succeed())

		Expect(sim.SetThrottle(stssim.Throttle{ClientID: t.clientID, For: stssim.Duration(time.Minute)})).To(Succeed())
		held := create(ctx, t.request("held"))
		Eventually(func(g Gomega) { g.Expect(reasonOf(held(g), "Throttled")).To(Equal("True/Throttled")) }).Should(Succeed())
		now := samples(Default)
		Expect(tokensOf(now, "Missing")).To(BeNumerically(">=", 1))
		Expect(now[throttled]).To(BeNumerically(">", before[throttled]))
		Expect(now[gates]).To(BeNumerically(">=", 1))
		Expect(now[opening]).To(BeNumerically(">", time.Now().Unix()))
		Eventually(func(g Gomega) { g.Expect(samples(g)[failing]).To(BeNumerically(">=", 1)) }).Should(Succeed())

		for _, canary := range sim.Canaries() {
			// The text is not printed on failure: a test must not leak what it guards.
			Expect(strings.Contains(served(Default), canary)).To(BeFalse(), "a token or secret is in the metrics")
		}
	})
})

// tokensOf are those of all namespaces in a state.
func tokensOf(all map[string]float64, state string) (total float64) {
	for series, value := range all {
		if strings.HasPrefix(series, "tokenrequest_tokens{") && strings.HasSuffix(series, `,state="`+state+`"}`) {
			total += value
		}
	}
	return total
}

// served is what a scrape would be answered.
func served(g Gomega) string {
	families, err := metrics.Registry.Gather()
	g.Expect(err).NotTo(HaveOccurred())
	var text bytes.Buffer
	for _, family := range families {
		_, err := expfmt.MetricFamilyToText(&text, family)
		g.Expect(err).NotTo(HaveOccurred())
	}
	return text.String()
}

// samples are the operator's own, by name and labels as Prometheus writes them.
func samples(g Gomega) map[string]float64 {
	all := map[string]float64{}
	for line := range strings.Lines(served(g)) {
		if series, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.HasPrefix(series, "tokenrequest_") {
			number, err := strconv.ParseFloat(value, 64)
			g.Expect(err).NotTo(HaveOccurred())
			all[series] = number
		}
	}
	g.Expect(all).NotTo(BeEmpty())
	return all
}
