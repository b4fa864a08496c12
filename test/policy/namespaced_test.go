// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

var _ = Describe("With the rights of config/namespaced the operator", func() {
	It("does its work in that namespace, and tries to read in no other", func(ctx SpecContext) {
		elsewhere := newTenant(ctx, "elsewhere").Request("graph")
		Expect(cluster.API.Create(ctx, elsewhere)).To(Succeed())
		tenant := newTenant(ctx, "payments")
		cluster.Confine(ctx)
		run := cluster.Run("--watch-namespaces=payments")

		request := tenant.Request("graph")
		Expect(cluster.API.Create(ctx, request)).To(Succeed())
		cluster.Await(ctx, request, "Ready", "TokenValid")
		change(ctx, request, func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret = &stsv1alpha1.TokenSecret{Name: "renamed"} })
		Eventually(secretError).WithArguments(ctx, "payments", "graph").ShouldNot(Succeed())

		traded, audience := bearer(ctx, tenant, "reports")
		cluster.AllowAudience(ctx, "payments", audience)
		Expect(cluster.API.Create(ctx, traded)).To(Succeed())
		cluster.Await(ctx, traded, "Ready", "TokenValid")

		Expect(secretError(ctx, "elsewhere", "graph")).NotTo(Succeed())
		run.Stop()
		for line := range strings.Lines(run.Logs()) {
			Expect(line).NotTo(ContainSubstring("forbidden"))
		}
	}, SpecTimeout(2*time.Minute))
})
