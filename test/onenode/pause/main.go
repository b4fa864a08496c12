// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Command pause does nothing until it is told to end. It holds a pod's namespaces, and reaps nothing:
// pods here don't share a PID namespace.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	<-signals
}
