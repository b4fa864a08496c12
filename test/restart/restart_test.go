// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package restart_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

var _ = Describe("Starting the operator", Ordered, func() {
	// await waits for a condition of a request.
	await := func(ctx SpecContext, r *stsv1alpha1.TokenRequest, kind string, reason string) *stsv1alpha1.TokenRequest {
		GinkgoHelper()
		now := &stsv1alpha1.TokenRequest{}
		Eventually(func(g Gomega) {
			g.Expect(api.Get(ctx, client.ObjectKeyFromObject(r), now)).To(Succeed())
			c := meta.FindStatusCondition(now.Status.Conditions, kind)
			g.Expect(c).NotTo(BeNil())
			g.Expect(c.Reason).To(Equal(reason))
		}).Should(Succeed())
		return now
	}

	It("over 100 ready requests makes 0 calls and 0 writes", func(ctx SpecContext) {
		newTenant(ctx, "hundred")
		first := start()
		Eventually(func() error { return first.probe(ctx, "/readyz") }).Should(Succeed())
		for i := range 100 {
			Expect(api.Create(ctx, request("hundred", fmt.Sprintf("r%03d", i)))).To(Succeed())
		}
		for i := range 100 {
			await(ctx, request("hundred", fmt.Sprintf("r%03d", i)), "Ready", "TokenValid")
		}
		first.settledAfter(ctx, 100)
		Expect(sim.Calls(stssim.Filter{ClientID: "hundred", Kind: stssim.KindToken})).To(HaveLen(100))
		first.stop()

		calls, before := len(sim.Calls(stssim.Filter{})), writes(ctx)
		second := start()
		second.settledAfter(ctx, 100)
		Expect(sim.Calls(stssim.Filter{})).To(HaveLen(calls))
		Expect(writes(ctx) - before).To(BeZero())
		second.stop()
		expectNoCanary(ctx, first, second)
	}, SpecTimeout(3*time.Minute))

	It("after SIGKILL during a throttle makes no call until the gate opens", func(ctx SpecContext) {
		newTenant(ctx, "killed")
		Expect(sim.SetThrottle(stssim.Throttle{ClientID: "killed", For: stssim.Duration(25 * time.Second)})).To(Succeed())
		first := start()
		throttled := request("killed", "throttled")
		Expect(api.Create(ctx, throttled)).To(Succeed())
		shown := await(ctx, throttled, "Throttled", "Throttled")
		first.kill()

		calls := len(sim.Calls(stssim.Filter{}))
		second := start()
		until := shown.Status.NextAttemptAt.Time
		await(ctx, throttled, "Ready", "TokenValid")
		Expect(time.Now()).To(BeTemporally(">=", until))
		Expect(sim.ThrottleViolations()).To(BeEmpty())
		for _, call := range sim.Calls(stssim.Filter{})[calls:] {
			Expect(call.At).To(BeTemporally(">=", until.Add(-time.Second)), "%s %s", call.Kind, call.Path)
		}
		second.stop()
		expectNoCanary(ctx, first, second)
	}, SpecTimeout(3*time.Minute))

	It("with a lost status still finds the gate shut, because the ConfigMap has it", func(ctx SpecContext) {
		newTenant(ctx, "lost")
		Expect(sim.SetThrottle(stssim.Throttle{ClientID: "lost", For: stssim.Duration(10 * time.Second)})).To(Succeed())
		throttled := request("lost", "throttled")
		// A token endpoint of its own: what is to be proven is the gate, not that discovery is lazy.
		throttled.Spec.Issuer.Authority, throttled.Spec.Issuer.TokenEndpoint = "", stsv1alpha1.HTTPSURL(sim.PlainIssuer("lost")+"/token")
		first := start()
		Expect(api.Create(ctx, throttled)).To(Succeed())
		shown := await(ctx, throttled, "Throttled", "Throttled")
		first.stop()
		shown.Status = stsv1alpha1.TokenRequestStatus{ObservedGeneration: -1}
		Expect(api.Status().Update(ctx, shown)).To(Succeed())

		second := start()
		await(ctx, throttled, "Throttled", "Throttled")
		await(ctx, throttled, "Ready", "TokenValid")
		Expect(sim.ThrottleViolations()).To(BeEmpty())
		second.stop()
	}, SpecTimeout(3*time.Minute))

	It("with a corrupt throttle ConfigMap costs a warning event, and never a crash", func(ctx SpecContext) {
		newTenant(ctx, "corrupt")
		stored := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "tokenrequest-throttle"}}
		Expect(client.IgnoreNotFound(api.Delete(ctx, stored))).To(Succeed())
		stored.ResourceVersion = ""
		stored.Data = map[string]string{"rate-0123": "{not json", "by-hand": "hello", "rate-4567": `{"kind":"Rate","until":"9999-01-01T00:00:00Z"}`}
		Expect(api.Create(ctx, stored)).To(Succeed())

		run := start()
		Expect(api.Create(ctx, request("corrupt", "graph"))).To(Succeed())
		await(ctx, request("corrupt", "graph"), "Ready", "TokenValid")
		Expect(run.session).NotTo(gexec.Exit())
		Eventually(func(g Gomega) {
			events := &corev1.EventList{}
			g.Expect(api.List(ctx, events, client.InNamespace(operatorNamespace))).To(Succeed())
			var about []string
			for _, e := range events.Items {
				if e.InvolvedObject.Name == "tokenrequest-throttle" {
					about = append(about, e.Type+"/"+e.Reason)
				}
			}
			g.Expect(about).To(ContainElement("Warning/GateUnreadable"))
		}).Should(Succeed())
		run.stop()
	}, SpecTimeout(3*time.Minute))

	It("serves only the namespaces that it is told to", func(ctx SpecContext) {
		newTenant(ctx, "served")
		newTenant(ctx, "unserved")
		Expect(api.Create(ctx, request("unserved", "graph"))).To(Succeed())
		run := start("--watch-namespaces", "served")
		Expect(api.Create(ctx, request("served", "graph"))).To(Succeed())
		await(ctx, request("served", "graph"), "Ready", "TokenValid")

		By("hearing of a corrected credential there")
		app := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "served", Name: "app"}}
		Expect(api.Delete(ctx, app)).To(Succeed())
		Expect(api.Create(ctx, request("served", "late"))).To(Succeed())
		await(ctx, request("served", "late"), "Ready", "CredentialNotFound")
		app.ResourceVersion = ""
		app.Data = map[string][]byte{"client_secret": []byte("stssim-secret-of-served")}
		Expect(api.Create(ctx, app)).To(Succeed())
		await(ctx, request("served", "late"), "Ready", "TokenValid")

		run.settledAfter(ctx, 2)
		Expect(sim.Calls(stssim.Filter{ClientID: "unserved"})).To(BeEmpty())
		untouched := &stsv1alpha1.TokenRequest{}
		Expect(api.Get(ctx, client.ObjectKeyFromObject(request("unserved", "graph")), untouched)).To(Succeed())
		Expect(untouched.Status.Conditions).To(BeEmpty())
		run.stop()
	}, SpecTimeout(2*time.Minute))

	It("serves probes to anybody, and metrics to nobody without leave", func(ctx SpecContext) {
		run := start()
		for _, path := range []string{"/healthz", "/readyz"} {
			Eventually(func() error { return run.probe(ctx, path) }).Should(Succeed())
		}
		run.settledAfter(ctx, 0)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, run.metrics, nil)
		Expect(err).NotTo(HaveOccurred())
		Expect(statusOf(r)).To(Equal(http.StatusUnauthorized))
		run.stop()
	}, SpecTimeout(2*time.Minute))
})

// expectNoCanary looks for tokens and secrets in everything that the operator shows.
func expectNoCanary(ctx SpecContext, runs ...*operator) {
	GinkgoHelper()
	shown := map[string]string{}
	for i, run := range runs {
		shown[fmt.Sprintf("log of run %d", i)] = run.logs()
		Expect(run.logs()).NotTo(BeEmpty())
	}
	requests, events, stored := &stsv1alpha1.TokenRequestList{}, &corev1.EventList{}, &corev1.ConfigMap{}
	Expect(api.List(ctx, requests)).To(Succeed())
	Expect(api.List(ctx, events)).To(Succeed())
	Expect(client.IgnoreNotFound(api.Get(ctx, types.NamespacedName{Namespace: operatorNamespace, Name: "tokenrequest-throttle"}, stored))).To(Succeed())
	shown["status"], shown["events"], shown["ConfigMap"] = fmt.Sprintf("%+v", requests.Items), fmt.Sprintf("%+v", events.Items), fmt.Sprintf("%+v", stored.Data)
	for _, canary := range sim.Canaries() {
		for where, text := range shown {
			// The text is not printed on failure: a test must not leak what it guards.
			Expect(strings.Contains(text, canary)).To(BeFalse(), "a token or secret is in the %s", where)
		}
	}
}
