// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package gitops_test looks at the operator as the tools of a GitOps repository do: at what they make of
// a status, and whether they find a difference between what they applied and what is there. Flux computes
// the status of an object with kstatus, Argo CD with the scripts of config/argocd. Both find differences
// as kubectl does, and that is the real one here.
package gitops_test

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
	run     *operator.Run
)

func TestGitOps(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "test/gitops")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	cluster = operator.StartCluster(ctx)
	var err error
	sim, err = stssim.Start(stssim.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(sim.Close)
})

// start runs an operator until the container that it is called in ends.
func start(ctx SpecContext) {
	GinkgoHelper()
	run = cluster.Run()
	DeferCleanup(func() { run.Stop() })
	Eventually(func() error { return run.Probe(ctx, "/readyz") }).Should(Succeed())
}

// newTenant makes a tenant of the simulated STS.
func newTenant(ctx SpecContext, namespace string) operator.Tenant {
	GinkgoHelper()
	tenant := operator.Tenant{Namespace: namespace, STS: sim}
	cluster.Admit(ctx, tenant)
	return tenant
}

// tokenCalls counts what a tenant has asked the STS for.
func tokenCalls(t operator.Tenant) int {
	return len(sim.Calls(stssim.Filter{ClientID: t.Namespace, Kind: stssim.KindToken}))
}
