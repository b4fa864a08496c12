// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package restart_test

import (
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

var _ = Describe("Starting the operator", Ordered, func() {
	It("over 100 ready requests makes 0 calls and 0 writes", func(ctx SpecContext) {
		tenant := newTenant(ctx, "hundred")
		first := cluster.Run()
		Eventually(func() error { return first.Probe(ctx, "/readyz") }).Should(Succeed())
		for i := range 100 {
			Expect(cluster.API.Create(ctx, tenant.Request(fmt.Sprintf("r%03d", i)))).To(Succeed())
		}
		for i := range 100 {
			cluster.Await(ctx, tenant.Request(fmt.Sprintf("r%03d", i)), "Ready", "TokenValid")
		}
		first.SettledAfter(ctx, 100)
		Expect(sim.Calls(stssim.Filter{ClientID: "hundred", Kind: stssim.KindToken})).To(HaveLen(100))
		first.Stop()

		calls, before := len(sim.Calls(stssim.Filter{})), writes(ctx)
		second := cluster.Run()
		second.SettledAfter(ctx, 100)
		Expect(sim.Calls(stssim.Filter{})).To(HaveLen(calls))
		Expect(writes(ctx) - before).To(BeZero())
		second.Stop()
		expectNoCanary(ctx, first, second)
	}, SpecTimeout(3*time.Minute))

	It("after SIGKILL during a throttle makes no call until the gate opens", func(ctx SpecContext) {
		tenant := newTenant(ctx, "killed")
		Expect(sim.SetThrottle(stssim.Throttle{ClientID: "killed", For: stssim.Duration(25 * time.Second)})).To(Succeed())
		first := cluster.Run()
		throttled := tenant.Request("throttled")
		Expect(cluster.API.Create(ctx, throttled)).To(Succeed())
		shown := cluster.Await(ctx, throttled, "Throttled", "Throttled")
		first.Kill()

		calls := len(sim.Calls(stssim.Filter{}))
		second := cluster.Run()
		until := shown.Status.NextAttemptAt.Time
		cluster.Await(ctx, throttled, "Ready", "TokenValid")
		Expect(time.Now()).To(BeTemporally(">=", until))
		Expect(sim.ThrottleViolations()).To(BeEmpty())
		for _, call := range sim.Calls(stssim.Filter{})[calls:] {
			Expect(call.At).To(BeTemporally(">=", until.Add(-time.Second)), "%s %s", call.Kind, call.Path)
		}
		second.Stop()
		expectNoCanary(ctx, first, second)
	}, SpecTimeout(3*time.Minute))

	It("with a lost status still finds the gate shut, because the ConfigMap has it", func(ctx SpecContext) {
		tenant := newTenant(ctx, "lost")
		Expect(sim.SetThrottle(stssim.Throttle{ClientID: "lost", For: stssim.Duration(10 * time.Second)})).To(Succeed())
		throttled := tenant.Request("throttled")
		// A token endpoint of its own: what is to be proven is the gate, not that discovery is lazy.
		throttled.Spec.Issuer.Authority, throttled.Spec.Issuer.TokenEndpoint = "", stsv1alpha1.HTTPSURL(sim.PlainIssuer("lost")+"/token")
		first := cluster.Run()
		Expect(cluster.API.Create(ctx, throttled)).To(Succeed())
		shown := cluster.Await(ctx, throttled, "Throttled", "Throttled")
		first.Stop()
		shown.Status = stsv1alpha1.TokenRequestStatus{ObservedGeneration: -1}
		Expect(cluster.API.Status().Update(ctx, shown)).To(Succeed())

		second := cluster.Run()
		cluster.Await(ctx, throttled, "Throttled", "Throttled")
		cluster.Await(ctx, throttled, "Ready", "TokenValid")
		Expect(sim.ThrottleViolations()).To(BeEmpty())
		second.Stop()
	}, SpecTimeout(3*time.Minute))

	It("with a corrupt throttle ConfigMap costs a warning event, and never a crash", func(ctx SpecContext) {
		tenant := newTenant(ctx, "corrupt")
		stored := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, Name: "tokenrequest-throttle"}}
		Expect(client.IgnoreNotFound(cluster.API.Delete(ctx, stored))).To(Succeed())
		stored.ResourceVersion = ""
		stored.Data = map[string]string{"rate-0123": "{not json", "by-hand": "hello", "rate-4567": `{"kind":"Rate","until":"9999-01-01T00:00:00Z"}`}
		Expect(cluster.API.Create(ctx, stored)).To(Succeed())

		run := cluster.Run()
		Expect(cluster.API.Create(ctx, tenant.Request("graph"))).To(Succeed())
		cluster.Await(ctx, tenant.Request("graph"), "Ready", "TokenValid")
		Expect(run.Running()).To(BeTrue())
		Eventually(func(g Gomega) {
			events := &corev1.EventList{}
			g.Expect(cluster.API.List(ctx, events, client.InNamespace(operator.Namespace))).To(Succeed())
			var about []string
			for _, e := range events.Items {
				if e.InvolvedObject.Name == "tokenrequest-throttle" {
					about = append(about, e.Type+"/"+e.Reason)
				}
			}
			g.Expect(about).To(ContainElement("Warning/GateUnreadable"))
		}).Should(Succeed())
		run.Stop()
	}, SpecTimeout(3*time.Minute))

	It("serves only the namespaces that it is told to", func(ctx SpecContext) {
		served, unserved := newTenant(ctx, "served"), newTenant(ctx, "unserved")
		Expect(cluster.API.Create(ctx, unserved.Request("graph"))).To(Succeed())
		run := cluster.Run("--watch-namespaces", "served")
		Expect(cluster.API.Create(ctx, served.Request("graph"))).To(Succeed())
		cluster.Await(ctx, served.Request("graph"), "Ready", "TokenValid")

		By("hearing of a corrected credential there")
		Expect(cluster.API.Delete(ctx, served.Credential())).To(Succeed())
		Expect(cluster.API.Create(ctx, served.Request("late"))).To(Succeed())
		cluster.Await(ctx, served.Request("late"), "Ready", "CredentialNotFound")
		Expect(cluster.API.Create(ctx, served.Credential())).To(Succeed())
		cluster.Await(ctx, served.Request("late"), "Ready", "TokenValid")

		run.SettledAfter(ctx, 2)
		Expect(sim.Calls(stssim.Filter{ClientID: "unserved"})).To(BeEmpty())
		untouched := &stsv1alpha1.TokenRequest{}
		Expect(cluster.API.Get(ctx, client.ObjectKeyFromObject(unserved.Request("graph")), untouched)).To(Succeed())
		Expect(untouched.Status.Conditions).To(BeEmpty())
		run.Stop()
	}, SpecTimeout(2*time.Minute))

	It("needs no rights beyond the namespaces that it is told to serve", func(ctx SpecContext) {
		tenant := newTenant(ctx, "alone")
		everywhere := &rbacv1.ClusterRoleBinding{}
		Expect(cluster.API.Get(ctx, client.ObjectKey{Name: "tokenrequest-operator"}, everywhere)).To(Succeed())
		Expect(cluster.API.Delete(ctx, everywhere)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			everywhere.ResourceVersion = ""
			Expect(cluster.API.Create(ctx, everywhere)).To(Succeed())
		})
		Expect(cluster.API.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: tenant.Namespace, Name: everywhere.Name}, RoleRef: everywhere.RoleRef, Subjects: everywhere.Subjects,
		})).To(Succeed())

		run := cluster.Run("--watch-namespaces", tenant.Namespace)
		Expect(cluster.API.Create(ctx, &stsv1alpha1.TokenIssuer{
			ObjectMeta: metav1.ObjectMeta{Namespace: tenant.Namespace, Name: "contoso"}, Spec: *tenant.Request("").Spec.Issuer,
		})).To(Succeed())
		refersTo := func(name string, kind stsv1alpha1.IssuerKind) *stsv1alpha1.TokenRequest {
			r := tenant.Request(name)
			r.Spec.Issuer, r.Spec.IssuerRef = nil, &stsv1alpha1.IssuerRef{Kind: kind, Name: "contoso"}
			return r
		}
		served, unserved := refersTo("served", stsv1alpha1.IssuerKindTokenIssuer), refersTo("unserved", stsv1alpha1.IssuerKindClusterTokenIssuer)
		Expect(cluster.API.Create(ctx, served)).To(Succeed())
		Expect(cluster.API.Create(ctx, unserved)).To(Succeed())
		cluster.Await(ctx, served, "Ready", "TokenValid")
		told := cluster.Await(ctx, unserved, "Ready", "IssuerNotReady")
		Expect(meta.FindStatusCondition(told.Status.Conditions, "Ready").Message).To(ContainSubstring("--watch-namespaces"))
		Eventually(func(g Gomega) {
			i := &stsv1alpha1.TokenIssuer{}
			g.Expect(cluster.API.Get(ctx, client.ObjectKey{Namespace: tenant.Namespace, Name: "contoso"}, i)).To(Succeed())
			g.Expect(meta.IsStatusConditionTrue(i.Status.Conditions, "Ready")).To(BeTrue())
		}).Should(Succeed())
		run.Stop()
	}, SpecTimeout(2*time.Minute))

	It("serves probes to anybody, and metrics to nobody without leave", func(ctx SpecContext) {
		run := cluster.Run()
		for _, path := range []string{"/healthz", "/readyz"} {
			Eventually(func() error { return run.Probe(ctx, path) }).Should(Succeed())
		}
		run.SettledAfter(ctx, 0)
		stranger := cluster.Account(ctx, "stranger")
		for authorization, want := range map[string]int{
			"":                   http.StatusUnauthorized,
			"Bearer":             http.StatusUnauthorized,
			"Bearer made.up.one": http.StatusUnauthorized,
			"Basic " + stranger:  http.StatusUnauthorized,
			"Bearer " + stranger: http.StatusForbidden,
		} {
			status, text := run.MetricsFor(ctx, authorization)
			Expect(status).To(Equal(want), authorization)
			Expect(text).To(ContainSubstring("/metrics"))
			Expect(text).NotTo(ContainSubstring("tokenrequest_"))
		}
		run.Stop()
		Expect(run.Logs()).NotTo(ContainSubstring(stranger))
	}, SpecTimeout(2*time.Minute))
})

// writes counts the writes to what the operator may write. Leases, which are renewed all the time, are
// not among them.
func writes(ctx SpecContext) float64 {
	GinkgoHelper()
	return cluster.Writes(ctx, "secrets", "tokenrequests", "configmaps", "events")
}

// expectNoCanary looks for tokens and secrets in everything that the operator shows.
func expectNoCanary(ctx SpecContext, runs ...*operator.Run) {
	GinkgoHelper()
	canaries := map[string]string{}
	for i, canary := range sim.Canaries() {
		canaries[fmt.Sprintf("token or secret %d", i)] = canary
	}
	Expect(operator.Leaks(cluster.Shown(ctx, runs...), canaries)).To(BeEmpty())
}
