// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tokenrequest.dev/operator/internal/throttle"
)

// Gates returns a collector that counts the gates which list returns, those
// that are shut at present as [throttle.Cache.List] does. Gates open by themselves, so a
// count that is kept from one event to the next would be wrong.
func Gates[E any](list func() []throttle.Entry[E]) prometheus.Collector {
	return gateCollector[E]{list: list, gates: gateCount().desc(), opening: gateOpening().desc()}
}

type gateCollector[E any] struct {
	list           func() []throttle.Entry[E]
	gates, opening *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c gateCollector[E]) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.gates
	descs <- c.opening
}

// Collect implements prometheus.Collector.
func (c gateCollector[E]) Collect(samples chan<- prometheus.Metric) {
	shut, opens := map[string]int{}, map[string]time.Time{}
	for _, gate := range c.list() {
		kind := string(gate.Kind)
		shut[kind]++
		if gate.Until.After(opens[kind]) {
			opens[kind] = gate.Until
		}
	}
	for _, kind := range kindLabel().Values {
		samples <- prometheus.MustNewConstMetric(c.gates, prometheus.GaugeValue, float64(shut[kind]), kind)
		if shut[kind] > 0 {
			samples <- prometheus.MustNewConstMetric(c.opening, prometheus.GaugeValue, float64(opens[kind].Unix()), kind)
		}
	}
}
