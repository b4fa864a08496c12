// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package metrics says what is measured, under which name, and measures it: it
// decorates the client of token services, and reads gates and flights when
// somebody asks. Nothing else in the operator knows of metrics.
//
// What is counted or timed by a closed set of values is there from the start, so
// that a rate doesn't miss the first event. Whoever may create a TokenRequest, an
// issuer or a namespace chooses names and hosts, and could make as many series as
// they like: labels that name those are bounded in number, by a flag or by a
// constant. The names of ClusterTokenIssuers aren't: administrators choose them,
// and there are as many as are kept. No label names a client, a scope or an
// account.
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/throttle"
)

// Type is what a family's samples are, in Prometheus' words.
type Type string

// The types.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// Family describes the series of one name. The collectors of this package are
// made of families, and docs/reference/metrics.md is.
type Family struct {
	Name string
	Type Type
	// Help says in sentences what is measured. Units are part of the name.
	Help string
	// Labels are in the order in which collectors give their values.
	Labels []Label
	// Buckets are the upper bounds of a histogram's buckets, ascending; nil for
	// other types.
	Buckets []float64
}

// Label tells the series of a family apart.
type Label struct {
	Name string
	// Values is the closed set of its values; nil when it is open.
	Values []string
	// Open says what the values of an open set are.
	Open string
}

// Families returns every family of this package in the order of their names.
func Families() []Family {
	return []Family{
		clusterIssuerUse(), failingCount(), resultCount(), flightCount(), issuerUse(), omittedCount(), nextAttempt(), overdueCount(), overdueAge(), refreshResults(),
		stallCount(), hostDuration(), hostRequests(), requestDuration(), requestCount(), gateOpening(), gateCount(), expiry(), reuseCount(), tokenCount(),
	}
}

// The values of the label operation.
const (
	token               = "token"
	deviceAuthorization = "device_authorization"
	discovery           = "discovery"
)

func operationLabel() Label {
	return Label{Name: "operation", Values: []string{token, deviceAuthorization, discovery}}
}

// success is the outcome that isn't a reason.
const success = "Success"

func outcomeLabel() Label {
	values := []string{success}
	for _, reason := range oautherr.Reasons() {
		values = append(values, string(reason))
	}
	return Label{Name: "outcome", Values: values}
}

func requestCount() Family {
	return Family{
		Name: "tokenrequest_sts_requests_total", Type: Counter,
		Help: "Calls to token services, for a token, a device code or metadata, by what came of them: Success, or the reason that conditions show. " +
			"A discovery that fails and falls back on an older document is a Success, and one that several wait for counts for each of them. " +
			"Calls that are given up because the operator stops say nothing about a token service and don't count.",
		Labels: []Label{operationLabel(), outcomeLabel()},
	}
}

func requestDuration() Family {
	return Family{
		Name: "tokenrequest_sts_request_duration_seconds", Type: Histogram,
		Help:   "How long the calls that tokenrequest_sts_requests_total counts took, whatever came of them.",
		Labels: []Label{operationLabel()},
		// Token services answer in tenths of a second. A call ends after 20 s
		// unless its issuer says otherwise, so timeouts lie beyond the last.
		Buckets: []float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20},
	}
}

// kindLabel has the kinds of package throttle for values.
func kindLabel() Label {
	return Label{Name: "kind", Values: []string{string(throttle.Rate), string(throttle.Unavailable), string(throttle.Refused)}}
}

func gateCount() Family {
	return Family{
		Name: "tokenrequest_throttle_gates", Type: Gauge,
		Help: "Gates that are shut now, so that no call leaves for their key: because the token service asked for patience (Rate), " +
			"because it was unavailable (Unavailable), or because it refused this very request (Refused).",
		Labels: []Label{kindLabel()},
	}
}

func gateOpening() Family {
	return Family{
		Name: "tokenrequest_throttle_gate_opens_timestamp_seconds", Type: Gauge,
		Help:   "When the last of the gates that are shut now opens, in seconds since 1970. Absent while none is shut.",
		Labels: []Label{kindLabel()},
	}
}

// The values of the label state.
const (
	running = "running"
	queued  = "queued"
)

func flightCount() Family {
	return Family{
		Name: "tokenrequest_flights", Type: Gauge,
		Help: "Acquisitions of a token, the discovery before it included, that are under way (running) or wait for a place (queued). " +
			"TokenRequests that ask for the same share one.",
		Labels: []Label{{Name: "state", Values: []string{running, queued}}},
	}
}

func resultCount() Family {
	return Family{
		Name: "tokenrequest_flight_results", Type: Gauge,
		Help: "Results of acquisitions that the TokenRequests which wait for them have not used yet.",
	}
}

func reuseCount() Family {
	return Family{
		Name: "tokenrequest_token_reuses_total", Type: Counter,
		Help: "Tokens that were written into the Secret of a TokenRequest without a call of its own, because another that asks for the very same was given them before. " +
			"Those that share a call while it is under way don't count.",
	}
}

func (f Family) desc() *prometheus.Desc {
	return prometheus.NewDesc(f.Name, f.Help, f.labelNames(), nil)
}

func (f Family) labelNames() []string {
	var names []string
	for _, l := range f.Labels {
		names = append(names, l.Name)
	}
	return names
}
