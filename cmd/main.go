// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// The operator: it keeps the Secret of each TokenRequest holding a valid access token.
package main

import (
	"flag"
	"fmt"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"

	"tokenrequest.dev/operator/internal/manager"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "tokenrequest-operator:", err)
		os.Exit(1)
	}
}

func run() error {
	var config manager.Config
	config.BindFlags(flag.CommandLine)
	flag.Parse()
	cluster, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster (--kubeconfig, KUBECONFIG, or a pod's own): %w", err)
	}
	return manager.Run(ctrl.SetupSignalHandler(), cluster, config)
}
