// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tokenrequest.dev/operator/internal/flight"
	"tokenrequest.dev/operator/internal/metrics"
)

// run is what a run observes that keeps so many results.
func run(results int) *prometheus.Registry {
	observed := prometheus.NewRegistry()
	observed.MustRegister(metrics.Flights(func() flight.Stats { return flight.Stats{Results: results} }))
	return observed
}

// help is what is said of a family.
func help(t *testing.T, name string) string {
	t.Helper()
	for _, family := range metrics.Families() {
		if family.Name == name {
			return family.Help
		}
	}
	t.Fatalf("there is no family %s", name)
	return ""
}

// A process serves one registry, and may run the operator again, as tests do.
func TestMetricsComeAndGoWithTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		served := prometheus.NewPedanticRegistry()
		for i, want := range []string{"tokenrequest_flight_results 1", "tokenrequest_flight_results 2"} {
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- expose(ctx, run(i+1), served) }()
			synctest.Wait()
			want = "# HELP tokenrequest_flight_results " + help(t, "tokenrequest_flight_results") + "\n# TYPE tokenrequest_flight_results gauge\n" + want + "\n"
			if err := testutil.GatherAndCompare(served, strings.NewReader(want), "tokenrequest_flight_results"); err != nil {
				t.Errorf("during run %d: %v", i+1, err)
			}
			stop()
			if err := <-ended; err != nil {
				t.Errorf("run %d ended with %v", i+1, err)
			}
			if left, err := served.Gather(); err != nil || len(left) > 0 {
				t.Errorf("after run %d there are %v (%v)", i+1, left, err)
			}
		}
	})
}

func TestTwoRunsThatLeadAtOnceAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		served := prometheus.NewPedanticRegistry()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- expose(ctx, run(1), served) }()
		synctest.Wait()
		err := expose(ctx, run(2), served)
		if want := "exposing the metrics: duplicate metrics collector registration attempted"; err == nil || err.Error() != want {
			t.Errorf("expose = %v, want %q", err, want)
		}
		if left, err := served.Gather(); err != nil || len(left) == 0 {
			t.Errorf("the run that is refused took the other's metrics along (%v)", err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the first run ended with %v", err)
		}
	})
}
