// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Command demo shows the operator at work on a machine that has no cluster. It starts a control
// plane, a simulated and a real token service and the operator, all on free loopback ports, applies
// config/samples, follows what becomes of them, checks that each ended as it should, and takes
// everything down again, however it ends. `make demo` builds what it starts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

// errInterrupted ends a run that a person has had enough of.
var errInterrupted = errors.New("interrupted")

func main() {
	keep := flag.Bool("keep", false, "stay up afterwards, until an interrupt, and say how to look around")
	flag.Parse()
	os.Exit(show(*keep))
}

// show runs the demo and returns its exit status.
func show(keep bool) int {
	ctrl.SetLogger(logr.Discard()) // envtest's talk is no part of the show
	ctx, end := context.WithCancelCause(context.Background())
	defer end(nil)
	stopListening := listen(end)
	defer stopListening()

	out := newScreen(os.Stdout)
	d, err := newDemo(out, end, keep)
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return 1
	}
	begun := time.Now()
	err = d.run(ctx)
	lasted := time.Since(begun)
	return d.finish(err, lasted)
}

// listen ends the run at the first signal. A second one kills the demo; the janitor sweeps then.
func listen(end context.CancelCauseFunc) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		if _, more := <-signals; more {
			signal.Stop(signals)
			end(errInterrupted)
		}
	}()
	return func() { signal.Stop(signals) }
}
