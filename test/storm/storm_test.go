// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package storm_test

import (
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

var _ = Describe("A thousand requests", func() {
	It("with the same wrong client secret make one call in each backoff window, in all", func(ctx SpecContext) {
		t := operator.Tenant{Namespace: "wrong-secret", STS: sim}
		cluster.Admit(ctx, t)
		wrong := t.Credential()
		wrong.Data[operator.CredentialKey] = []byte("stssim-the-id-of-the-secret")
		Expect(cluster.API.Update(ctx, wrong)).To(Succeed())
		run := cluster.Run()
		gather(ctx, t, func(int, *stsv1alpha1.TokenRequest) {})
		awaitAll(ctx, t, stsv1alpha1.ConditionIssued, "InvalidClient")

		// AADSTS7000215 may be a new secret on its way, so its windows are the shortest there are.
		windows := []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second}
		calls, err := sim.WaitCalls(ctx, stssim.Filter{Kind: stssim.KindToken, ClientID: t.Namespace}, len(windows)+1)
		Expect(err).NotTo(HaveOccurred())
		for i, window := range windows {
			Expect(calls[i+1].At.Sub(calls[i].At)).To(BeNumerically(">=", window), "between call %d and the next", i+1)
		}
		for _, r := range awaitAll(ctx, t, stsv1alpha1.ConditionIssued, "InvalidClient") {
			Expect(r.Status.LastError.Codes).To(Equal([]int64{7000215}))
			Expect(r.Status.LastError.Remedy).To(ContainSubstring("Secret wrong-secret/app key client_secret"))
		}

		By("healing all at once when the secret is corrected")
		wrong.Data = t.Credential().Data
		Expect(cluster.API.Update(ctx, wrong)).To(Succeed())
		awaitAll(ctx, t, stsv1alpha1.ConditionReady, stsv1alpha1.ReasonTokenValid)
		run.Stop()
	}, SpecTimeout(8*time.Minute))

	It("behind a 429 with Retry-After 60 make no call within the 60 s, and then go spread out, one of them first", func(ctx SpecContext) {
		t := operator.Tenant{Namespace: "throttled", STS: sim}
		cluster.Admit(ctx, t)
		// Each asks for something else, so that none can share another's call.
		gather(ctx, t, func(i int, r *stsv1alpha1.TokenRequest) {
			r.Spec.Parameters = map[string]stsv1alpha1.ParameterValue{"n": stsv1alpha1.ParameterValue(fmt.Sprint(i))}
		})
		Expect(sim.SetThrottle(stssim.Throttle{ClientID: t.Namespace, For: stssim.Duration(time.Minute)})).To(Succeed())
		stored := cluster.Writes(ctx, "configmaps")
		shown := cluster.Writes(ctx, "tokenrequests")
		run := cluster.Run()
		held := awaitAll(ctx, t, stsv1alpha1.ConditionThrottled, stsv1alpha1.ReasonThrottled)
		throttle := sim.Throttles()[0]
		Expect(throttle.Until).To(BeTemporally(">", time.Now()), "the machine was too slow for a crowd within a minute")
		Expect(cluster.Writes(ctx, "tokenrequests")-shown).To(BeNumerically("==", crowd), "writes of a status, one for each")
		// A namespace may have 16 calls under way, none of which can know what the first will be told.
		refused := callsOf(t)
		Expect(len(refused)).To(BeNumerically("<=", 16), "calls until the gate was shut")
		Expect(cluster.Writes(ctx, "configmaps")-stored).To(BeNumerically("<=", len(refused)), "writes of the throttle ConfigMap")
		for _, r := range held {
			Expect(r.Status.NextAttemptAt.Time).To(BeTemporally(">=", throttle.Until.Truncate(time.Second)))
		}

		// The one that goes first is answered late, and with a token.
		const answer = time.Second
		Expect(sim.AddRules(stssim.Rule{Times: 1, Match: stssim.Match{ClientID: t.Namespace}, Action: stssim.Action{Latency: stssim.Duration(answer)}})).To(Succeed())
		awaitAll(ctx, t, stsv1alpha1.ConditionReady, stsv1alpha1.ReasonTokenValid)
		granted := slices.Clone(callsOf(t))[len(refused):]
		Expect(granted).To(HaveLen(crowd))
		Expect(granted[0].At).To(BeTemporally(">=", throttle.Until))
		Expect(granted[1].At.Sub(granted[0].At)).To(BeNumerically(">=", answer), "a second call left before the first was answered")
		counts := bySecond(granted, throttle.Until)
		AddReportEntry("calls by second after the gate opened", fmt.Sprint(counts))
		Expect(len(counts)).To(BeNumerically(">=", 4), "the calls of %d requests came in %v", crowd, counts)
		run.Stop()
	}, SpecTimeout(8*time.Minute))
})
