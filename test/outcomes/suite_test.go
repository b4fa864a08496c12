// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package outcomes_test walks the operator's real binary through everything that a token request can
// come to. What people then read in a status stands in one golden file, and what they must never read
// is searched for in everything that the operator shows.
package outcomes_test

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
	// kubernetesIssuer is the iss claim of the cluster's service-account tokens, and an audience that its
	// API server takes.
	kubernetesIssuer string
)

func TestOutcomes(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "test/outcomes")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	cluster = operator.StartCluster(ctx)
	var err error
	sim, err = stssim.Start(stssim.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(sim.Close)
	kubernetesIssuer = cluster.TokenIssuer(ctx).Issuer
	cluster.AllowAudience(ctx, "a-mistake", kubernetesIssuer)
})
