// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// OverdueRequests are TokenRequests whose next step nobody has taken.
type OverdueRequests struct {
	// Requests wait for more than a minute.
	Requests int
	// Worst is how long the one waits that waits longest.
	Worst time.Duration
	// Stalls counts the requests that came to wait for more than a minute.
	Stalls uint64
}

func overdueCount() Family {
	return Family{
		Name: "tokenrequest_overdue_requests", Type: Gauge,
		Help: "TokenRequests whose next step is overdue by more than a minute, so that no worker has looked at them though it was time: always 0 while the operator works, whatever token services answer. " +
			"Readiness fails while it isn't 0. What is suspended, or waits for a gate or a retry, isn't due.",
	}
}

func overdueAge() Family {
	return Family{
		Name: "tokenrequest_overdue_seconds", Type: Gauge,
		Help: "By how much the next step of the TokenRequest that waits longest is overdue; 0 when none is. A second or two is ordinary.",
	}
}

func stallCount() Family {
	return Family{
		Name: "tokenrequest_stalls_total", Type: Counter,
		Help: "How often a TokenRequest came to be overdue by more than a minute. Each is told in an event of its own, and queued anew.",
	}
}

// Overdue returns a collector of what overdue finds at that moment.
func Overdue(overdue func() OverdueRequests) prometheus.Collector {
	return overdueCollector{overdue: overdue, requests: overdueCount().desc(), worst: overdueAge().desc(), stalls: stallCount().desc()}
}

type overdueCollector struct {
	overdue                 func() OverdueRequests
	requests, worst, stalls *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c overdueCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.requests
	descs <- c.worst
	descs <- c.stalls
}

// Collect implements prometheus.Collector.
func (c overdueCollector) Collect(samples chan<- prometheus.Metric) {
	o := c.overdue()
	samples <- prometheus.MustNewConstMetric(c.requests, prometheus.GaugeValue, float64(o.Requests))
	samples <- prometheus.MustNewConstMetric(c.worst, prometheus.GaugeValue, o.Worst.Seconds())
	samples <- prometheus.MustNewConstMetric(c.stalls, prometheus.CounterValue, float64(o.Stalls))
}
