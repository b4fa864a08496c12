// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package deletion_test deletes requests, namespaces and the operator itself, under Kubernetes' own
// garbage collector: the operator has no finalizers, and what goes with what is that controller's work.
package deletion_test

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

func TestDeletion(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "test/deletion")
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
