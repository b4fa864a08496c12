// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package soak_test runs the operator's real binary for minutes over an STS that fails in every way
// that the simulator knows, kills it at random, and reads all Secrets meanwhile.
package soak_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

var cluster *operator.Cluster

func TestSoak(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "test/soak")
}

var _ = BeforeSuite(func(ctx SpecContext) { cluster = operator.StartCluster(ctx) })

// shortForm is how long the soak that belongs to all tests lasts.
const shortForm = 75 * time.Second

// length is SOAK, such as 5m; without it, the short form that belongs to all tests.
func length() time.Duration {
	GinkgoHelper()
	text := os.Getenv("SOAK")
	if text == "" {
		return shortForm
	}
	d, err := time.ParseDuration(text)
	Expect(err).NotTo(HaveOccurred(), "SOAK is a duration, such as 5m")
	return d
}

// seed is SEED, or another each time.
func seed() uint64 {
	GinkgoHelper()
	text := os.Getenv("SEED")
	if text == "" {
		return uint64(time.Now().UnixNano()) % 1_000_000
	}
	n, err := strconv.ParseUint(text, 10, 64)
	Expect(err).NotTo(HaveOccurred(), "SEED is the number that a run printed")
	return n
}

func startSTS() *stssim.Server {
	GinkgoHelper()
	sim, err := stssim.Start(stssim.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(sim.Close)
	return sim
}
