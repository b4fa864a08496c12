// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

var _ = Describe("The rights of the operator's roles", func() {
	It("are all made use of, and are all that it needs", func(ctx SpecContext) {
		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, Name: "tokenrequest-operator"}}
		Expect(client.IgnoreNotFound(cluster.API.Delete(ctx, lease))).To(Succeed())
		gates := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, Name: "tokenrequest-throttle"}}
		Expect(client.IgnoreNotFound(cluster.API.Delete(ctx, gates))).To(Succeed())
		gates.ResourceVersion, gates.Data = "", map[string]string{"no-gate": "{", "nor-this": "{"} // two events, the second a repetition
		Expect(cluster.API.Create(ctx, gates)).To(Succeed())
		began := time.Now()
		run := cluster.Run()
		tenant := newTenant(ctx, "rights")
		byIssuers(ctx, tenant)
		traded, audience := bearer(ctx, tenant, "reports")
		cluster.AllowAudience(ctx, "rights", audience)
		Expect(cluster.API.Create(ctx, traded)).To(Succeed())
		cluster.Await(ctx, traded, "Ready", "TokenValid")
		chained := chain(ctx, tenant, "mail")
		cluster.Await(ctx, chained, "Ready", "TokenValid")

		change(ctx, traded, func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret = &stsv1alpha1.TokenSecret{Name: "renamed"} })
		Eventually(secretError).WithArguments(ctx, "rights", "reports").ShouldNot(Succeed())

		Expect(cluster.API.Delete(ctx, gates)).To(Succeed()) // so that the next is made anew
		Expect(sim.SetThrottle(stssim.Throttle{ClientID: "rights", For: stssim.Duration(5 * time.Second)})).To(Succeed())
		for _, name := range []string{"first", "second"} { // and a gate each, of which the second is added
			throttled := tenant.Request(name)
			Expect(cluster.API.Create(ctx, throttled)).To(Succeed())
			cluster.Await(ctx, throttled, "Throttled", "Throttled")
		}
		_, err := run.Metrics(ctx)
		Expect(err).NotTo(HaveOccurred())

		Eventually(func(g Gomega) { // events are written when there is time
			used, lacked := cluster.Used(began)
			g.Expect(lacked).To(BeEmpty())
			g.Expect(used).To(ContainElements(cluster.Rights(ctx)), "a right that nobody needs is one to take away")
		}).WithTimeout(20 * time.Second).Should(Succeed())
		run.Stop()
	}, SpecTimeout(3*time.Minute))
})

// byIssuers asks for a token by way of each kind of issuer.
func byIssuers(ctx SpecContext, tenant operator.Tenant) {
	GinkgoHelper()
	shared := tenant.Credential()
	shared.Namespace = operator.Namespace
	trust := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, Name: "sts-ca"}, Data: map[string]string{"ca.crt": string(sim.CAPEM())}}
	spec := *tenant.Request("any").Spec.Issuer
	issuers := map[string]client.Object{
		"TokenIssuer": &stsv1alpha1.TokenIssuer{ObjectMeta: metav1.ObjectMeta{Namespace: tenant.Namespace, Name: "of-the-tenant"}, Spec: spec},
		"ClusterTokenIssuer": &stsv1alpha1.ClusterTokenIssuer{ObjectMeta: metav1.ObjectMeta{Name: "of-all"}, Spec: stsv1alpha1.ClusterTokenIssuerSpec{
			IssuerSpec: spec, NamespaceSelector: &metav1.LabelSelector{}, Allow: &stsv1alpha1.Allowance{Scopes: []stsv1alpha1.Scope{"scope-of-by-of-all"}}}},
	}
	for _, object := range []client.Object{shared, trust} {
		Expect(cluster.API.Create(ctx, object)).To(Succeed())
	}
	for kind, issuer := range issuers {
		request := tenant.Request("by-" + issuer.GetName())
		request.Spec.Issuer = nil
		request.Spec.IssuerRef = &stsv1alpha1.IssuerRef{Kind: stsv1alpha1.IssuerKind(kind), Name: stsv1alpha1.ObjectName(issuer.GetName())}
		Expect(cluster.API.Create(ctx, request)).To(Succeed()) // before its issuer, which it looks for live
		cluster.Await(ctx, request, "Ready", "IssuerNotReady")
		Expect(cluster.API.Create(ctx, issuer)).To(Succeed())
		cluster.Await(ctx, request, "Ready", "TokenValid")
	}
}
