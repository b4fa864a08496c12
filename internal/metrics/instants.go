// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Instants are those of one TokenRequest; zero where there is none.
type Instants struct {
	Namespace, Name        string
	ExpiresAt, NextAttempt time.Time
}

// requestLabels name a TokenRequest. Nothing else that a user chose does.
func requestLabels() []Label {
	return []Label{
		{Name: "name", Open: "the name of a TokenRequest"},
		{Name: "namespace", Open: "its namespace"},
	}
}

func expiry() Family {
	return Family{
		Name: "tokenrequest_token_expiry_timestamp_seconds", Type: Gauge,
		Help: "When the token in the Secret of a TokenRequest expires, in seconds since 1970. Absent without a token, or where its end isn't known, " +
			"and for a TokenRequest beyond --metrics-per-object.",
		Labels: requestLabels(),
	}
}

func nextAttempt() Family {
	return Family{
		Name: "tokenrequest_next_attempt_timestamp_seconds", Type: Gauge,
		Help: "When a TokenRequest asks for a token next, in seconds since 1970: its refresh, or the retry when that has failed. Absent where it waits for a change, or is suspended, " +
			"and for a TokenRequest beyond --metrics-per-object.",
		Labels: requestLabels(),
	}
}

func omittedCount() Family {
	return Family{
		Name: "tokenrequest_metrics_omitted_requests", Type: Gauge,
		Help: "TokenRequests without metrics of their own, because there are more than --metrics-per-object: the eldest have them. Every other metric counts these too.",
	}
}

// PerRequest returns a collector of what instants returns at that moment, and of how many it left out: a
// TokenRequest that is gone leaves no series behind. instants bounds their number.
func PerRequest(instants func() (shown []Instants, omitted int)) prometheus.Collector {
	return instantCollector{instants: instants, expiry: expiry().desc(), next: nextAttempt().desc(), omitted: omittedCount().desc()}
}

type instantCollector struct {
	instants              func() ([]Instants, int)
	expiry, next, omitted *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c instantCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.expiry
	descs <- c.next
	descs <- c.omitted
}

// Collect implements prometheus.Collector.
func (c instantCollector) Collect(samples chan<- prometheus.Metric) {
	shown, omitted := c.instants()
	for _, i := range shown {
		for desc, at := range map[*prometheus.Desc]time.Time{c.expiry: i.ExpiresAt, c.next: i.NextAttempt} {
			if !at.IsZero() {
				samples <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(at.Unix()), i.Name, i.Namespace)
			}
		}
	}
	samples <- prometheus.MustNewConstMetric(c.omitted, prometheus.GaugeValue, float64(omitted))
}
