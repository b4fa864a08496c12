// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// The operator: it keeps the Secret of each TokenRequest holding a valid access token.
package main

import (
	"flag"
	"fmt"
	"os"

	"tokenrequest.dev/operator/internal/manager"
)

func main() {
	var config manager.Config
	config.BindFlags(flag.CommandLine)
	flag.Parse()
	if config.PrintVersion {
		fmt.Fprintln(os.Stdout, manager.Version())
		return
	}
	if err := manager.Main(config); err != nil {
		fmt.Fprintln(os.Stderr, "tokenrequest-operator:", err)
		os.Exit(1)
	}
}
