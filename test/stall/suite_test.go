// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package stall_test shows that no request is left alone: that the watchdog sees a real stall, and that
// it has nothing to see while thousands of requests with short tokens are kept.
package stall_test

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

func TestStall(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	SetDefaultEventuallyPollingInterval(200 * time.Millisecond)
	RunSpecs(t, "test/stall")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	cluster = operator.StartCluster(ctx)
	var err error
	sim, err = stssim.Start(stssim.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(sim.Close)
})
