// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package samples_test applies the samples of config/samples as users get them to a real API server
// with the operator's binary, and follows each to its token. Only hosts are others, and what a person
// or another program would have put there.
package samples_test

import (
	"fmt"
	"os"
	"path/filepath"
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
	// accounts is the issuer of the cluster's service account tokens, as an STS that trusts it knows it.
	accounts stssim.TrustedIssuer
)

func TestSamples(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "test/samples")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	cluster = operator.StartCluster(ctx)
	var err error
	sim, err = stssim.Start(stssim.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(sim.Close)
	accounts = cluster.TokenIssuer(ctx)
	cluster.AllowAudience(ctx, "shop", sim.PlainIssuer(shop))

	// The samples name no trust root: theirs is the system's.
	roots := filepath.Join(GinkgoT().TempDir(), "roots.pem")
	Expect(os.WriteFile(roots, sim.CAPEM(), 0o600)).To(Succeed())
	GinkgoT().Setenv("SSL_CERT_FILE", roots)
	run := cluster.Run()
	DeferCleanup(func(ctx SpecContext) {
		expectNoCanary(ctx, run)
		run.Stop()
	})
	Eventually(func() error { return run.Probe(ctx, "/readyz") }).Should(Succeed())
})

// expectNoCanary looks for tokens, assertions and secrets in everything that the operator shows.
func expectNoCanary(ctx SpecContext, run *operator.Run) {
	GinkgoHelper()
	canaries := map[string]string{}
	for i, canary := range sim.Canaries() {
		canaries[fmt.Sprintf("token or secret %d", i)] = canary
	}
	Expect(operator.Leaks(cluster.Shown(ctx, run), canaries)).To(BeEmpty())
}
