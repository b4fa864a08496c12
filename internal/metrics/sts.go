// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

// Instrument returns s with its calls counted and timed, and registers what
// counts and times them. It panics when r has that already: a registry serves
// one Service.
func Instrument(s sts.Service, r prometheus.Registerer, clk clock.PassiveClock) sts.Service {
	count, timing := requestCount(), requestDuration()
	i := instrumented{
		Service:  s,
		clock:    clk,
		hosts:    newHosts(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: count.Name, Help: count.Help}, count.labelNames()),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: timing.Name, Help: timing.Help, Buckets: timing.Buckets,
		}, timing.labelNames()),
	}
	for _, operation := range operationLabel().Values {
		i.duration.WithLabelValues(operation)
		for _, outcome := range outcomeLabel().Values {
			i.requests.WithLabelValues(operation, outcome)
		}
	}
	r.MustRegister(i.requests, i.duration, i.hosts.duration, i.hosts.requests)
	return i
}

// instrumented is a Service that observes what makes calls, and nothing else.
type instrumented struct {
	sts.Service
	clock    clock.PassiveClock
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	hosts    *hosts
}

// Token implements sts.Service.
func (i instrumented) Token(ctx context.Context, r sts.Request) (*sts.Token, *oautherr.Error) {
	began := i.clock.Now()
	t, err := i.Service.Token(ctx, r)
	i.observe(token, began, err)
	i.hosts.observe(r.Endpoint, i.clock.Since(began).Seconds(), err)
	return t, err
}

// Authorize implements sts.Service.
func (i instrumented) Authorize(ctx context.Context, r sts.Request) (*sts.DeviceAuthorization, *oautherr.Error) {
	began := i.clock.Now()
	d, err := i.Service.Authorize(ctx, r)
	i.observe(deviceAuthorization, began, err)
	i.hosts.observeOther(r.Endpoint, err)
	return d, err
}

// Discover implements sts.Service. What another call has found in the meantime
// is no call.
func (i instrumented) Discover(ctx context.Context, authority string, t sts.Transport) (sts.Metadata, *oautherr.Error) {
	if _, known := i.Known(authority, t); known {
		return i.Service.Discover(ctx, authority, t)
	}
	began := i.clock.Now()
	m, err := i.Service.Discover(ctx, authority, t)
	i.observe(discovery, began, err)
	i.hosts.observeOther(authority, err)
	return m, err
}

// observe counts and times one call, unless it was given up.
func (i instrumented) observe(operation string, began time.Time, err *oautherr.Error) {
	if err != nil && err.Canceled() {
		return
	}
	i.requests.WithLabelValues(operation, outcome(err)).Inc()
	i.duration.WithLabelValues(operation).Observe(i.clock.Since(began).Seconds())
}

// outcome is one of the values of outcomeLabel, whatever err holds.
func outcome(err *oautherr.Error) string {
	switch {
	case err == nil:
		return success
	case slices.Contains(oautherr.Reasons(), err.Reason):
		return string(err.Reason)
	default:
		return string(oautherr.ReasonUnknownError)
	}
}
