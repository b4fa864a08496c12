//go:build e2e

// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"os"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/e2e/reading"
	"tokenrequest.dev/operator/test/stssim"
)

// make test-e2e leaves the manifests of UPGRADE_FROM there, and its program in an image.
const previous = root + "/bin/previous"

var _ = Describe("An upgrade from an earlier commit", func() {
	It("keeps every token, and asks the STS for none", func(ctx SpecContext) {
		deployPrevious(ctx)
		Expect(operatorImage(ctx)).To(Equal("tokenrequest-operator:previous"))
		tenant := admit(ctx, "e2e-upgrade")
		DeferCleanup(removeNamespace, tenant.Namespace, NodeTimeout(3*time.Minute))
		calls := func() int { return len(sim.Calls(stssim.Filter{ClientID: tenant.Namespace, Kind: stssim.KindToken})) }
		tokens := map[*stsv1alpha1.TokenRequest]string{}
		for i := range 5 {
			wanted := tenant.Request(fmt.Sprintf("kept-%d", i))
			Expect(cluster.API.Create(ctx, wanted)).To(Succeed())
			cluster.Await(ctx, wanted, "Ready", "TokenValid")
			tokens[wanted] = token(ctx, wanted)
		}
		Expect(calls()).To(Equal(len(tokens)))

		deploy(ctx)
		Eventually(rolledOut).WithContext(ctx).Should(BeTrue())
		Expect(operatorImage(ctx)).To(Equal("tokenrequest-operator:latest"))
		// Who answers a new request has been through those that it found.
		fresh := tenant.Request("fresh")
		Expect(cluster.API.Create(ctx, fresh)).To(Succeed())
		cluster.Await(ctx, fresh, "Ready", "TokenValid")
		Expect(calls()).To(Equal(len(tokens)+1), "all but one are of the version before")
		for kept, before := range tokens {
			cluster.Await(ctx, kept, "Ready", "TokenValid")
			Expect(reading.Hash(token(ctx, kept))).To(Equal(reading.Hash(before)), "%s has another token", kept.Name)
			issue, known := sim.Lookup(before)
			Expect(known).To(BeTrue())
			Expect(issue.ExpiresAt).To(BeTemporally(">", time.Now()))
		}
		commit, err := os.ReadFile(previous + "/commit")
		Expect(err).NotTo(HaveOccurred())
		AddReportEntry("upgrade", fmt.Sprintf("from commit %.12s: %d tokens kept, calls for them %d", commit, len(tokens), calls()-1-len(tokens)))
	}, SpecTimeout(5*time.Minute))
})

func operatorImage(ctx SpecContext) string {
	GinkgoHelper()
	var deployment appsv1.Deployment
	Expect(cluster.API.Get(ctx, theOperator, &deployment)).To(Succeed())
	return deployment.Spec.Template.Spec.Containers[0].Image
}

// deployPrevious installs the operator of that commit, until the container or spec ends.
func deployPrevious(ctx SpecContext) {
	GinkgoHelper()
	command(ctx, kubectl(), "apply", "--server-side", "-f", previous+"/install.yaml")
	DeferCleanup(undeploy, NodeTimeout(3*time.Minute))
	Eventually(rolledOut).WithContext(ctx).Should(BeTrue())
}

func deploy(ctx SpecContext) { command(ctx, "make", "-C", root, "deploy") }

func undeploy(ctx SpecContext) { command(ctx, "make", "-C", root, "undeploy") }
