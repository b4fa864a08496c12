// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"tokenrequest.dev/operator/internal/flight"
)

// Flights returns a collector of what stats counts at that moment, as
// [flight.Pool.Stats] does.
func Flights(stats func() flight.Stats) prometheus.Collector {
	return flightCollector{stats: stats, flights: flightCount().desc(), results: resultCount().desc()}
}

type flightCollector struct {
	stats            func() flight.Stats
	flights, results *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c flightCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.flights
	descs <- c.results
}

// Collect implements prometheus.Collector.
func (c flightCollector) Collect(samples chan<- prometheus.Metric) {
	s := c.stats()
	samples <- prometheus.MustNewConstMetric(c.flights, prometheus.GaugeValue, float64(s.Running), running)
	samples <- prometheus.MustNewConstMetric(c.flights, prometheus.GaugeValue, float64(s.Queued), queued)
	samples <- prometheus.MustNewConstMetric(c.results, prometheus.GaugeValue, float64(s.Results))
}
