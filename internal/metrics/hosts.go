// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"net/url"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"tokenrequest.dev/operator/internal/oautherr"
)

const (
	// mostHosts bounds the series that whoever may create an issuer can make.
	mostHosts = 50
	// otherHosts stands for all hosts without a series of their own.
	otherHosts = "other"
)

// The values of the label result of calls by host.
const (
	answered = "Answered"
	failed   = "Failed"
)

func hostLabel() Label {
	return Label{Name: "host", Open: "the host of a token service, with its port where that isn't 443, or `other`"}
}

func hostDuration() Family {
	return Family{
		Name: "tokenrequest_sts_host_request_duration_seconds", Type: Histogram,
		Help: "How long the calls for a token took by the host of the token service, whatever came of them. " +
			"The first 50 hosts that have given a token since the operator started have series of their own, all others share the host other, as do the calls to a host before its first token.",
		Labels:  []Label{hostLabel()},
		Buckets: []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20},
	}
}

func hostRequests() Family {
	return Family{
		Name: "tokenrequest_sts_host_requests_total", Type: Counter,
		Help: "Calls for a token, a device code or metadata by the host of the token service: Answered, be it by a refusal or by asking for patience, " +
			"or Failed by an error of the service's own, by what isn't an answer, or by none. Hosts have series as in tokenrequest_sts_host_request_duration_seconds.",
		Labels: []Label{hostLabel(), {Name: "result", Values: []string{answered, failed}}},
	}
}

// hosts counts and times calls by host, with a bounded number of names.
type hosts struct {
	duration *prometheus.HistogramVec
	requests *prometheus.CounterVec
	mu       sync.Mutex
	named    map[string]bool
}

func newHosts() *hosts {
	timing, count := hostDuration(), hostRequests()
	h := &hosts{
		named: map[string]bool{},
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: timing.Name, Help: timing.Help, Buckets: timing.Buckets,
		}, timing.labelNames()),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: count.Name, Help: count.Help}, count.labelNames()),
	}
	h.begin(otherHosts)
	return h
}

// begin has the series of a host there before their first call, so that a rate doesn't miss it.
func (h *hosts) begin(host string) {
	h.duration.WithLabelValues(host)
	h.requests.WithLabelValues(host, answered)
	h.requests.WithLabelValues(host, failed)
}

// observe counts and times a call for a token.
func (h *hosts) observe(endpoint string, seconds float64, err *oautherr.Error) {
	if err != nil && err.Canceled() {
		return
	}
	host := h.label(endpoint, err == nil)
	h.duration.WithLabelValues(host).Observe(seconds)
	h.count(host, err)
}

// observeOther counts a call for something else than a token.
func (h *hosts) observeOther(endpoint string, err *oautherr.Error) {
	h.count(h.label(endpoint, false), err)
}

// count leaves out calls that say nothing about the host: one that was given up, and one that the operator
// refused to make.
func (h *hosts) count(host string, err *oautherr.Error) {
	result := answered
	if err != nil {
		switch {
		case err.Canceled(), err.Reason == oautherr.ReasonEndpointRefused:
			return
		case err.Kind() == oautherr.KindUnavailable:
			result = failed
		}
	}
	h.requests.WithLabelValues(host, result).Inc()
}

// label is the host's name once it has given a token: a name that a tenant made up takes nobody's place.
func (h *hosts) label(endpoint string, gaveToken bool) string {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return otherHosts
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.named[u.Host] {
		if !gaveToken || len(h.named) >= mostHosts {
			return otherHosts
		}
		h.named[u.Host] = true
		h.begin(u.Host)
	}
	return u.Host
}
