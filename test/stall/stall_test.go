// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stall_test

import (
	"context"
	"flag"
	"io"
	"net"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/manager"
	"tokenrequest.dev/operator/test/operator"
)

var _ = Describe("A worker that hangs", func() {
	It("leaves requests overdue, which readiness, an event and metrics tell until they are looked at again", func(ctx SpecContext) {
		t := operator.Tenant{Namespace: "hangs", STS: sim}
		cluster.Admit(ctx, t)
		clk, inTheWay := &ahead{}, &door{suffix: "/namespaces/hangs/secrets/" + operator.CredentialSecret}
		ready := lead(clk, inTheWay)
		held, left := t.Request("held"), t.Request("left")
		for _, r := range []*stsv1alpha1.TokenRequest{held, left} {
			Expect(cluster.API.Create(ctx, r)).To(Succeed())
		}
		cluster.Await(ctx, held, stsv1alpha1.ConditionReady, stsv1alpha1.ReasonTokenValid)
		before := cluster.Await(ctx, left, stsv1alpha1.ConditionReady, stsv1alpha1.ReasonTokenValid)
		waits := cluster.Run() // for the lease
		Eventually(waits.Probe).WithContext(ctx).WithArguments("/readyz").Should(Succeed())

		By("having the only worker stand in the way of all that becomes due")
		inTheWay.shut()
		opened := false
		DeferCleanup(func() {
			if !opened {
				inTheWay.open()
			}
		})
		askFor(ctx, held)
		Eventually(inTheWay.stands.Load).Should(BeTrue())
		Expect(ready()).To(Equal(http.StatusOK))
		Expect(value("tokenrequest_overdue_requests")).To(BeZero())
		clk.by.Store(int64(time.Until(before.Status.NextAttemptAt.Time) + 2*time.Minute))

		Eventually(ready).Should(Equal(http.StatusInternalServerError))
		Expect(value("tokenrequest_overdue_requests")).To(BeEquivalentTo(2))
		Expect(value("tokenrequest_overdue_seconds")).To(BeNumerically(">", 60))
		Eventually(func() float64 { return value("tokenrequest_stalls_total") }).Should(BeEquivalentTo(2))
		Eventually(told).WithContext(ctx).WithArguments(left).Should(Equal(1))
		Eventually(told).WithContext(ctx).WithArguments(held).Should(Equal(1))
		Expect(waits.Probe(ctx, "/readyz")).To(Succeed(), "a replica that waits for the lease isn't blamed")

		By("letting the worker go on")
		inTheWay.open()
		opened = true
		Eventually(ready).Should(Equal(http.StatusOK))
		Expect(value("tokenrequest_overdue_requests")).To(BeZero())
		Eventually(func(g Gomega) {
			now := &stsv1alpha1.TokenRequest{}
			g.Expect(cluster.API.Get(ctx, client.ObjectKeyFromObject(left), now)).To(Succeed())
			g.Expect(now.Status.NextAttemptAt.Time).To(BeTemporally(">", clk.Now()))
		}).WithContext(ctx).Should(Succeed())
		Expect(value("tokenrequest_stalls_total")).To(BeEquivalentTo(2), "each stall counts once")
		Expect(told(ctx, left)).To(Equal(1), "each stall is told once")
	}, SpecTimeout(4*time.Minute))
})

// lead runs the operator in this process with one worker until the spec ends, and returns how to ask
// whether it is ready. The queue of the real operator lives by the machine's clock: it sleeps through the
// time by which clk is set ahead, just as one does that has lost its keys.
func lead(clk *ahead, inTheWay *door) (ready func() int) {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	probes := listener.Addr().String()
	Expect(listener.Close()).To(Succeed())
	var config manager.Config
	flags := flag.NewFlagSet("operator", flag.PanicOnError)
	config.BindFlags(flags)
	Expect(flags.Parse([]string{
		"--operator-namespace", operator.Namespace, "--metrics-bind-address", "0", "--health-probe-bind-address", probes,
		"--allow-loopback-authorities", "--max-concurrent-reconciles", "1", "--zap-log-level", "error",
	})).To(Succeed())
	login := cluster.Login()
	login.Wrap(inTheWay.wrap)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- manager.RunAt(ctx, login, config, clk) }()
	DeferCleanup(func() {
		stop()
		Eventually(ended).Should(Receive(Succeed()))
	})
	ready = func() int {
		response, err := http.Get("http://" + probes + "/readyz")
		if err != nil {
			return 0
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, response.Body)
		return response.StatusCode
	}
	Eventually(ready).Should(Equal(http.StatusOK))
	return ready
}

// askFor asks for a new token by annotation.
func askFor(ctx context.Context, r *stsv1alpha1.TokenRequest) {
	GinkgoHelper()
	now := &stsv1alpha1.TokenRequest{}
	Expect(cluster.API.Get(ctx, client.ObjectKeyFromObject(r), now)).To(Succeed())
	after := now.DeepCopy()
	after.Annotations = map[string]string{stsv1alpha1.AnnotationRefreshRequestedAt: "now"}
	Expect(cluster.API.Patch(ctx, after, client.MergeFrom(now))).To(Succeed())
}

// told is how often an event said that a request is overdue.
func told(ctx context.Context, r *stsv1alpha1.TokenRequest) (times int) {
	list := &eventsv1.EventList{}
	Expect(cluster.API.List(ctx, list, client.InNamespace(r.Namespace))).To(Succeed())
	for _, e := range list.Items {
		if e.Reason == "RefreshOverdue" && e.Regarding.Name == r.Name {
			times++
		}
	}
	return times
}

// value is a metric without labels, of the operator in this process.
func value(name string) float64 {
	GinkgoHelper()
	families, err := metrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetGauge().GetValue() + family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	Fail("there is no metric " + name)
	return 0
}
