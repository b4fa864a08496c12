// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package ha_test

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokenrequest.dev/operator/test/operator"
)

var _ = Describe("A replica that waits", func() {
	// A rollout goes by readiness: pods that lack a right must not take the place of those that have it.
	It("is ready once it has in its caches what a leader begins with, and not while it may not read Secrets", func(ctx SpecContext) {
		occupy(ctx)
		restore := withhold(ctx, "secrets")
		began := time.Now()
		standby := cluster.Run()
		others := []string{
			"list namespaces of core", "list tokenrequests of sts.tokenrequest.dev",
			"list tokenissuers of sts.tokenrequest.dev", "list clustertokenissuers of sts.tokenrequest.dev",
		}
		Eventually(func(g Gomega) {
			used, lacked := cluster.Used(began)
			g.Expect(used).To(ContainElements(others))
			g.Expect(lacked).To(ContainElement("list secrets of core"))
			g.Expect(standby.Probe(ctx, "/healthz")).To(Succeed())
		}).Should(Succeed())
		Consistently(func() error { return standby.Probe(ctx, "/readyz") }).WithTimeout(2 * time.Second).Should(MatchError(ContainSubstring("500")))

		restore()
		Eventually(func() error { return standby.Probe(ctx, "/readyz") }).Should(Succeed())
		used, _ := cluster.Used(began)
		Expect(used).To(ContainElements(append(others, "list secrets of core")))
		Expect(holder(ctx)).To(Equal(occupant), "it has read all that without the lease")
		standby.Stop()
	}, SpecTimeout(4*time.Minute))
})

// occupant holds the lease and does nothing.
const occupant = "somebody"

// occupy has somebody hold the lease for longer than the spec takes.
func occupy(ctx SpecContext) {
	GinkgoHelper()
	key := metav1.ObjectMeta{Namespace: operator.Namespace, Name: "tokenrequest-operator"}
	// One that a run before has given back may be there.
	Expect(client.IgnoreNotFound(cluster.API.Delete(ctx, &coordinationv1.Lease{ObjectMeta: key}))).To(Succeed())
	now := metav1.NowMicro()
	held := &coordinationv1.Lease{ObjectMeta: key, Spec: coordinationv1.LeaseSpec{
		HolderIdentity: new(occupant), LeaseDurationSeconds: new(int32(3600)), AcquireTime: &now, RenewTime: &now,
	}}
	Expect(cluster.API.Create(ctx, held)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(cluster.API.Delete(ctx, held)).To(Succeed()) })
}

// withhold takes a core resource out of what the operator may do everywhere, until restore or the spec's end.
func withhold(ctx SpecContext, resource string) (restore func()) {
	GinkgoHelper()
	role := &rbacv1.ClusterRole{}
	Expect(cluster.API.Get(ctx, client.ObjectKey{Name: "tokenrequest-operator"}, role)).To(Succeed())
	all := slices.Clone(role.Rules)
	set := func(ctx context.Context, rules []rbacv1.PolicyRule, may bool) {
		GinkgoHelper()
		role.Rules = rules
		Expect(cluster.API.Update(ctx, role)).To(Succeed())
		// The API server learns of roles by a watch.
		Eventually(func(g Gomega) {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User:               "system:serviceaccount:" + operator.Namespace + ":tokenrequest-operator",
				ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "list", Resource: resource},
			}}
			g.Expect(cluster.API.Create(ctx, review)).To(Succeed())
			g.Expect(review.Status.Allowed).To(Equal(may))
		}).Should(Succeed())
	}
	set(ctx, slices.DeleteFunc(slices.Clone(all), func(rule rbacv1.PolicyRule) bool { return slices.Contains(rule.Resources, resource) }), false)
	DeferCleanup(func(ctx context.Context) { set(ctx, all, true) })
	return func() { set(ctx, all, true) }
}
