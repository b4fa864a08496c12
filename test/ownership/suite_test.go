// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package ownership_test looks at whose a Secret is, under Kubernetes' own garbage collector: when two
// requests want one, and when requests, namespaces and the operator itself are deleted. The operator has
// no finalizers, and what goes with what is that controller's work.
package ownership_test

import (
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

var (
	cluster *operator.Cluster
	sim     *stssim.Server
)

func TestOwnership(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "test/ownership")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	cluster = operator.StartCluster(ctx)
	cluster.StartControllers(ctx)
	var err error
	sim, err = stssim.Start(stssim.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(sim.Close)
})

// newTenant makes a tenant of the simulated STS.
func newTenant(ctx SpecContext, namespace string) operator.Tenant {
	GinkgoHelper()
	tenant := operator.Tenant{Namespace: namespace, STS: sim}
	cluster.Admit(ctx, tenant)
	return tenant
}
