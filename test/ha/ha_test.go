// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package ha_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("The other replica", Ordered, func() {
	It("leads as soon as the leader has let go, and calls for nothing that is valid", func(ctx SpecContext) {
		r := start(ctx, "handover", time.Hour, nil)
		was, told := holder(ctx), time.Now()
		stopped := make(chan struct{})
		go func() {
			defer GinkgoRecover()
			defer close(stopped)
			r.leader.Stop()
		}()
		Eventually(func() string { return holder(ctx) }).ShouldNot(Or(Equal(was), BeEmpty()))
		took := time.Since(told)
		AddReportEntry("handover", fmt.Sprintf("from SIGTERM until the other replica held the lease: %s", took.Round(time.Millisecond)), ReportEntryVisibilityAlways)
		r.awaitLead(ctx, r.standby)
		Expect(took).To(BeNumerically("<", leaseDuration), "it didn't wait for the lease to run out")
		Eventually(stopped).Should(BeClosed())

		r.standby.SettledAfter(ctx, crowd)
		Expect(r.calls(told, time.Now())).To(BeEmpty())
		r.expectPatience(ctx)
		r.standby.Stop()
	}, SpecTimeout(4*time.Minute))

	It("leads when the lease of a killed leader has run out, and calls for nothing that is valid", func(ctx SpecContext) {
		r := start(ctx, "killed", time.Hour, nil)
		killed := time.Now()
		r.leader.Kill()
		r.awaitLead(ctx, r.standby)
		r.standby.SettledAfter(ctx, crowd)
		Expect(r.calls(killed, time.Now())).To(BeEmpty())
		r.expectPatience(ctx)
		r.standby.Stop()
	}, SpecTimeout(4*time.Minute))

	It("leads after a leader that is cut off has ended by itself, and no token is asked for by more than both", func(ctx SpecContext) {
		wire := cluster.NewWire()
		const lifetime = 12 * time.Second
		r := start(ctx, "cut-off", lifetime, wire)
		wire.Cut()
		cut := time.Now()

		By("cutting off the leader, for longer than the tokens live")
		r.awaitLead(ctx, r.standby)
		Expect(r.leader.Running()).To(BeFalse(), "two lead at once")
		Expect(r.leader.Logs()).To(ContainSubstring("leader election lost"))
		for _, request := range r.requests {
			Eventually(func(g Gomega) {
				now := cluster.Await(ctx, request, "Ready", "TokenValid")
				g.Expect(now.Status.Token.IssuedAt.Time).To(BeTemporally(">", cut))
			}).Should(Succeed())
		}
		// It reads credentials from the API server, and so can't even ask; if it could, then once.
		for scope, calls := range r.calls(cut, lease(ctx).Spec.AcquireTime.Time) {
			Expect(calls).To(Equal(1), "%s: an answer that couldn't be written was asked for again", scope)
		}

		By("mending the network, and having the pod start again")
		wire.Mend()
		again := cluster.RunBehind(wire)
		Eventually(func(g Gomega) {
			g.Expect(again.Probe(ctx, "/readyz")).To(Succeed())
			leads, err := again.Sample(ctx, "leader_election_master_status", nil)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(leads).To(BeZero())
		}).Should(Succeed())
		r.expectPatience(ctx)
		again.Stop()
		r.standby.Stop()
	}, SpecTimeout(5*time.Minute))
})

// leaseDuration is the operator's default.
const leaseDuration = 15 * time.Second
