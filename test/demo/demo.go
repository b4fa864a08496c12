// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// deadline bounds a run, so that a machine on which something never settles says so.
const deadline = 3 * time.Minute

var errDeadline = fmt.Errorf("not everything had settled after %.0f min", deadline.Minutes())

// demo is one run: what it has started, and where to find it.
type demo struct {
	out  *screen
	end  context.CancelCauseFunc
	keep bool

	repository string // the checkout
	programs   string // where make has put what is started
	assets     string // where kube-apiserver, etcd and kubectl are
	place      *place

	samples    samples
	cluster    *cluster
	simulator  *simulator
	authServer standIn

	applied time.Time        // when the samples were
	seen    map[string]sight // the requests, by name
	gate    string           // the ConfigMap of the gates, as YAML, while one was shut
	undo    []func()         // what has to be stopped, in the order of its start
}

// newDemo finds what will be started, and makes the place for what the run leaves on disk.
func newDemo(out *screen, end context.CancelCauseFunc, keep bool) (*demo, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding out where this program is: %w", err)
	}
	d := &demo{out: out, end: end, keep: keep, programs: filepath.Dir(self), seen: map[string]sight{}}
	d.repository = filepath.Dir(d.programs)
	d.assets = os.Getenv("KUBEBUILDER_ASSETS")
	if d.assets == "" {
		d.assets = filepath.Join(d.programs, "controlplane")
	}
	needed := []string{filepath.Join(d.repository, "config", "samples")}
	for _, name := range []string{"manager", "stssim", "authserver"} {
		needed = append(needed, filepath.Join(d.programs, name))
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kubectl"} {
		needed = append(needed, filepath.Join(d.assets, name))
	}
	for _, path := range needed {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("%s is missing: run `make demo`, which builds all that the demo needs", path)
		}
	}
	d.place, err = newPlace()
	return d, err
}

// run is the demo in the order in which a person sees it.
func (d *demo) run(ctx context.Context) error {
	bounded, cancel := context.WithTimeoutCause(ctx, deadline, errDeadline)
	defer cancel()
	for _, act := range []func(context.Context) error{
		d.readSamples,
		d.startControlPlane,
		d.startTokenServices,
		d.startOperator,
		d.applySamples,
		d.followUntilThrottled,
		d.showThrottle,
		d.followUntilSettled,
		d.showRequests,
		d.showSecret,
		d.showRefusal,
		d.showCalls,
		d.checkLeaks,
	} {
		if err := act(bounded); err != nil {
			return d.because(bounded, err)
		}
	}
	if d.keep {
		return d.lookAround(ctx)
	}
	return nil
}

// because prefers why a run was ended to what broke on account of that.
func (d *demo) because(ctx context.Context, err error) error {
	if _, told := errors.AsType[*startError](err); told {
		return err
	}
	if pause(ctx) == nil { // a process that has just died is noticed by then
		return cmp.Or(d.controlPlaneDeath(), err)
	}
	cause := context.Cause(ctx)
	if still := unmet(d.seen); still != nil && errors.Is(cause, errDeadline) {
		return fmt.Errorf("%w.\n%w", cause, still)
	}
	return cause
}

// finish takes everything down, tells how the run ended and returns the exit status.
func (d *demo) finish(err error, lasted time.Duration) int {
	log := logFor(err)
	lines := d.place.tail(log) // before the log is full of the end
	d.out.status("Stopping everything ...")
	for _, stop := range slices.Backward(d.undo) {
		stop()
	}
	d.out.status("")
	seconds := lasted.Round(time.Second)
	switch {
	case err == nil:
		d.place.remove()
		d.out.good("Everything ended as it should, after %s. All that was started has been stopped and removed.", seconds)
		d.out.text("To look around in it yourself: make demo KEEP=1")
		return 0
	case errors.Is(err, errInterrupted) && d.keep:
		d.place.remove()
		d.out.good("All that was started has been stopped and removed.")
		return 0
	case errors.Is(err, errInterrupted):
		d.place.remove()
		d.out.bad("Interrupted after %s. All that was started has been stopped and removed.", seconds)
		return 130
	}
	logs := d.place.keepLogs()
	d.out.bad("The demo failed after %s: %s", seconds, err)
	d.out.log(filepath.Join(logs, log), lines)
	d.out.text("All that was started has been stopped. The logs stay in %s.", logs)
	return 1
}

// logFor is the log to look into first: that of the process which died, else the operator's.
func logFor(err error) string {
	if died, ok := errors.AsType[*diedError](err); ok {
		return died.log
	}
	if start, ok := errors.AsType[*startError](err); ok {
		return start.log
	}
	return operatorLog
}
