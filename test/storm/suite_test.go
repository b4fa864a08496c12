// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package storm_test lets a thousand requests fail at once, and counts what the STS and the API server
// hear of it. The operator is the real binary, with its own settings.
package storm_test

import (
	"context"
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

func TestStorm(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(6 * time.Minute)
	// Each look reads the whole crowd.
	SetDefaultEventuallyPollingInterval(2 * time.Second)
	RunSpecs(t, "test/storm")
}

var _ = BeforeSuite(func(ctx context.Context) {
	cluster = operator.StartCluster(ctx)
	var err error
	sim, err = stssim.Start(stssim.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(sim.Close)
})
