// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package model_test plays the operator against a model. It drives controller.Reconciler itself, step by step, with a real
// API server, a clock that it sets, token services that answer as a seed says, other people's edits, and crashes before and
// after any write, and holds each step to what design.md says always holds, stated here once more and independently.
package model_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

var (
	// apiServer is the live client of all worlds; each world has namespaces of its own.
	apiServer client.WithWatch
	oneSeed   = flag.Uint64("seed", 0, "play the model with this seed alone")
	steps     = flag.Int("steps", 250, "steps that a seed is played for before the world heals")
)

func TestMain(m *testing.M) {
	flag.Parse()
	log.SetLogger(logr.Discard())
	os.Exit(run(m))
}

func run(m *testing.M) int {
	environment := &envtest.Environment{CRDDirectoryPaths: []string{"../../config/crd/bases"}, ErrorIfCRDPathMissing: true}
	config, err := environment.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting the API server:", err)
		return 1
	}
	defer func() { _ = environment.Stop() }()
	config.QPS = -1
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, stsv1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			fmt.Fprintln(os.Stderr, "filling the scheme:", err)
			return 1
		}
	}
	if apiServer, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		fmt.Fprintln(os.Stderr, "making the client:", err)
		return 1
	}
	startErrands()
	return m.Run()
}
