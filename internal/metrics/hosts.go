// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"net/url"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// mostHosts bounds the series that whoever may create an issuer can make.
	mostHosts = 50
	// otherHosts stands for all hosts without a series of their own.
	otherHosts = "other"
)

func hostDuration() Family {
	return Family{
		Name: "tokenrequest_sts_host_request_duration_seconds", Type: Histogram,
		Help: "How long the calls for a token took by the host of the token service, whatever came of them. " +
			"The first 50 hosts that have given a token since the operator started have series of their own, all others share the host other, as do the calls to a host before its first token.",
		Labels:  []Label{{Name: "host", Open: "the host of a token service, with its port where that isn't 443, or `other`"}},
		Buckets: []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20},
	}
}

// hosts times calls by host, with a bounded number of names.
type hosts struct {
	duration *prometheus.HistogramVec
	mu       sync.Mutex
	named    map[string]bool
}

func newHosts() *hosts {
	f := hostDuration()
	h := &hosts{named: map[string]bool{}, duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: f.Name, Help: f.Help, Buckets: f.Buckets,
	}, f.labelNames())}
	h.duration.WithLabelValues(otherHosts)
	return h
}

func (h *hosts) observe(endpoint string, seconds float64, gaveToken bool) {
	h.duration.WithLabelValues(h.label(endpoint, gaveToken)).Observe(seconds)
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
	}
	return u.Host
}
