// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import "github.com/prometheus/client_golang/prometheus"

// Reuses returns a collector of how many tokens served others than who asked
// for them, as [flight.Shelf.Hits] counts them.
func Reuses(hits func() uint64) prometheus.Collector {
	return reuseCollector{hits: hits, reuses: reuseCount().desc()}
}

type reuseCollector struct {
	hits   func() uint64
	reuses *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c reuseCollector) Describe(descs chan<- *prometheus.Desc) { descs <- c.reuses }

// Collect implements prometheus.Collector.
func (c reuseCollector) Collect(samples chan<- prometheus.Metric) {
	samples <- prometheus.MustNewConstMetric(c.reuses, prometheus.CounterValue, float64(c.hits()))
}
