// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package ha_test runs two of the operator's real binary, and takes the leader away: in good order, by
// force, and by cutting it off from the API server. And it looks at what one does that waits.
package ha_test

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

func TestHA(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "test/ha")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	cluster = operator.StartCluster(ctx, operator.Audited)
	var err error
	sim, err = stssim.Start(stssim.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(sim.Close)
})
