// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/utils/clock"

	"tokenrequest.dev/operator/internal/flight"
	"tokenrequest.dev/operator/internal/metrics"
)

func TestFlightsAreThoseOfThePoolWhenSomebodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := flight.New[string, string, int](flight.Limits{Total: 2, PerDomain: 2, PerService: 2, Keep: time.Minute, Unread: 8, Results: 8},
			clock.RealClock{}, func(string, time.Time) {})
		collector := metrics.Flights(pool.Stats)
		expect := func(what string, running, queued, results int) {
			t.Helper()
			want := fmt.Sprintf(`
				# HELP tokenrequest_flight_results Results of acquisitions that the TokenRequests which wait for them have not used yet.
				# TYPE tokenrequest_flight_results gauge
				tokenrequest_flight_results %d
				# HELP tokenrequest_flights Acquisitions of a token, the discovery before it included, that are under way (running) or wait for a place (queued). TokenRequests that ask for the same share one.
				# TYPE tokenrequest_flights gauge
				tokenrequest_flights{state="queued"} %d
				tokenrequest_flights{state="running"} %d
			`, results, queued, running)
			if err := testutil.CollectAndCompare(collector, strings.NewReader(want)); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}

		expect("before anything is asked", 0, 0, 0)
		land := make(chan struct{})
		for _, name := range []string{"one", "two", "three"} {
			pool.Ask(flight.Ask[string, string, int]{Key: name, Domain: "ns/payments", Waiter: name, Timeout: time.Hour,
				Do: func(context.Context) int { <-land; return 0 }})
		}
		expect("before the pool runs", 0, 3, 0)

		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() { _ = pool.Run(ctx) }()
		synctest.Wait()
		expect("with two places for three", 2, 1, 0)

		land <- struct{}{}
		synctest.Wait()
		expect("when one has landed", 2, 0, 1)

		close(land)
		synctest.Wait()
		expect("when all have landed", 0, 0, 3)

		for _, name := range []string{"one", "two", "three"} {
			pool.Release(name)
		}
		expect("when their results are used", 0, 0, 0)
	})
}
