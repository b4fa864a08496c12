// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	clocktesting "k8s.io/utils/clock/testing"

	"tokenrequest.dev/operator/internal/metrics"
	"tokenrequest.dev/operator/internal/sts"
)

// One call to a token service, counted and timed.
func ExampleInstrument() {
	clk := clocktesting.NewFakeClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	registry := prometheus.NewRegistry()
	client := metrics.Instrument(service{clock: clk, takes: 300 * time.Millisecond}, registry, clk)

	if _, failed := client.Token(context.Background(), sts.Request{Endpoint: "https://login.example/token"}); failed != nil {
		fmt.Println(failed)
		return
	}

	for _, family := range registry.MustGather() {
		for _, series := range family.GetMetric() {
			if n := series.GetCounter().GetValue(); n > 0 {
				fmt.Println(family.GetName(), values(series), n)
			}
			if timed := series.GetHistogram(); timed.GetSampleCount() > 0 {
				fmt.Println(family.GetName(), values(series), timed.GetSampleSum())
			}
		}
	}
	// Output:
	// tokenrequest_sts_host_request_duration_seconds login.example 0.3
	// tokenrequest_sts_host_requests_total login.example Answered 1
	// tokenrequest_sts_request_duration_seconds token 0.3
	// tokenrequest_sts_requests_total token Success 1
}
