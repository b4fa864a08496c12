// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	clocktesting "k8s.io/utils/clock/testing"

	"tokenrequest.dev/operator/internal/metrics"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

// service is a token service that answers each call alike, after some time.
type service struct {
	clock    *clocktesting.FakeClock
	takes    time.Duration
	known    bool
	token    *sts.Token
	device   *sts.DeviceAuthorization
	metadata sts.Metadata
	err      *oautherr.Error
}

func (s service) Known(string, sts.Transport) (sts.Metadata, bool) { return s.metadata, s.known }

func (s service) CheckURL(string) *oautherr.Error { return s.err }

func (s service) CheckProxy(string) *oautherr.Error { return s.err }

func (s service) Token(context.Context, sts.Request) (*sts.Token, *oautherr.Error) {
	s.clock.Step(s.takes)
	return s.token, s.err
}

func (s service) Discover(context.Context, string, sts.Transport) (sts.Metadata, *oautherr.Error) {
	s.clock.Step(s.takes)
	return s.metadata, s.err
}

func (s service) Authorize(context.Context, sts.Request) (*sts.DeviceAuthorization, *oautherr.Error) {
	s.clock.Step(s.takes)
	return s.device, s.err
}

func authorize(t *testing.T, s sts.Service) {
	t.Helper()
	_, _ = s.Authorize(t.Context(), sts.Request{Endpoint: "https://sts.example/device"})
}

func token(t *testing.T, s sts.Service) {
	t.Helper()
	_, _ = s.Token(t.Context(), sts.Request{Endpoint: "https://sts.example/token"})
}

func discover(t *testing.T, s sts.Service) {
	t.Helper()
	_, _ = s.Discover(t.Context(), "https://sts.example", sts.Transport{})
}

func TestEachCallIsCountedOnceByWhatCameOfIt(t *testing.T) {
	answered := func(status int, body string) *oautherr.Error {
		return oautherr.FromResponse(oautherr.Response{Status: status, Body: []byte(body)}, start())
	}
	tests := map[string]struct {
		call  func(*testing.T, sts.Service)
		known bool
		err   *oautherr.Error
		want  map[string]float64 // what is counted, by operation and outcome
	}{
		"a token":                           {token, false, nil, map[string]float64{"token Success": 1}},
		"a device code":                     {authorize, false, nil, map[string]float64{"device_authorization Success": 1}},
		"a device code that is refused":     {authorize, false, answered(400, `{"error":"unauthorized_client"}`), map[string]float64{"device_authorization UnauthorizedClient": 1}},
		"metadata":                          {discover, false, nil, map[string]float64{"discovery Success": 1}},
		"metadata that is known is no call": {discover, true, nil, nil},
		"a throttled call":                  {token, false, answered(429, ""), map[string]float64{"token Throttled": 1}},
		"a call to a server that failed":    {discover, false, answered(503, ""), map[string]float64{"discovery ServerError": 1}},
		"a call that was refused":           {token, false, answered(401, `{"error":"invalid_client"}`), map[string]float64{"token InvalidClient": 1}},
		"a call that got no answer":         {token, false, oautherr.FromTransport(context.DeadlineExceeded), map[string]float64{"token ConnectionFailed": 1}},
		"a call that was given up":          {token, false, oautherr.FromTransport(context.Canceled), nil},
		"a discovery that was given up":     {discover, false, oautherr.FromTransport(context.Canceled), nil},
		"a server's own error is no label":  {token, false, answered(400, `{"error":"s3cr3t"}`), map[string]float64{"token UnknownError": 1}},
		"a reason that isn't one neither":   {token, false, oautherr.Refused("s3cr3t", "it is a test"), map[string]float64{"token UnknownError": 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			clk := clocktesting.NewFakeClock(start())
			registry := prometheus.NewPedanticRegistry()
			test.call(t, metrics.Instrument(service{clock: clk, known: test.known, err: test.err}, registry, clk))
			counted, timed := observations(t, registry)
			if diff := cmp.Diff(test.want, counted); diff != "" {
				t.Errorf("counted (-want +got):\n%s", diff)
			}
			if int(timed) != len(test.want) {
				t.Errorf("%d calls are timed, want those that are counted", timed)
			}
		})
	}
}

// observations are the counts that aren't zero, by operation and outcome, and the number of calls
// that were timed.
func observations(t *testing.T, registry prometheus.Gatherer) (counted map[string]float64, timed uint64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatalf("Gather: %v", err)
	}
	for _, family := range families {
		for _, series := range family.GetMetric() {
			if family.GetName() == "tokenrequest_sts_request_duration_seconds" {
				timed += series.GetHistogram().GetSampleCount()
			}
			if n := series.GetCounter().GetValue(); n > 0 && family.GetName() == "tokenrequest_sts_requests_total" {
				if counted == nil {
					counted = map[string]float64{}
				}
				counted[values(series)] = n
			}
		}
	}
	return counted, timed
}

func values(series *dto.Metric) string {
	var all []string
	for _, pair := range series.GetLabel() {
		all = append(all, pair.GetValue())
	}
	return strings.Join(all, " ")
}

func TestCallsAreTimedFromTheirBeginningToTheirEnd(t *testing.T) {
	clk := clocktesting.NewFakeClock(start())
	inner := &service{clock: clk}
	registry := prometheus.NewPedanticRegistry()
	s := metrics.Instrument(inner, registry, clk)
	for _, takes := range []time.Duration{250 * time.Millisecond, 1500 * time.Millisecond, 21 * time.Second} {
		inner.takes = takes
		token(t, s)
		clk.Step(time.Hour)
	}
	inner.takes = 30 * time.Millisecond
	discover(t, s)
	inner.takes = 400 * time.Millisecond
	authorize(t, s)
	want := `
		# HELP tokenrequest_sts_request_duration_seconds How long the calls that tokenrequest_sts_requests_total counts took, whatever came of them.
		# TYPE tokenrequest_sts_request_duration_seconds histogram
		tokenrequest_sts_request_duration_seconds_bucket{operation="device_authorization",le="0.05"} 0
		tokenrequest_sts_request_duration_seconds_bucket{operation="device_authorization",le="0.1"} 0
		tokenrequest_sts_request_duration_seconds_bucket{operation="device_authorization",le="0.25"} 0
		tokenrequest_sts_request_duration_seconds_bucket{operation="device_authorization",le="0.5"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="device_authorization",le="1"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="device_authorization",le="2.5"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="device_authorization",le="5"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="device_authorization",le="10"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="device_authorization",le="20"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="device_authorization",le="+Inf"} 1
		tokenrequest_sts_request_duration_seconds_sum{operation="device_authorization"} 0.4
		tokenrequest_sts_request_duration_seconds_count{operation="device_authorization"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="discovery",le="0.05"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="discovery",le="0.1"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="discovery",le="0.25"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="discovery",le="0.5"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="discovery",le="1"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="discovery",le="2.5"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="discovery",le="5"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="discovery",le="10"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="discovery",le="20"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="discovery",le="+Inf"} 1
		tokenrequest_sts_request_duration_seconds_sum{operation="discovery"} 0.03
		tokenrequest_sts_request_duration_seconds_count{operation="discovery"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="token",le="0.05"} 0
		tokenrequest_sts_request_duration_seconds_bucket{operation="token",le="0.1"} 0
		tokenrequest_sts_request_duration_seconds_bucket{operation="token",le="0.25"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="token",le="0.5"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="token",le="1"} 1
		tokenrequest_sts_request_duration_seconds_bucket{operation="token",le="2.5"} 2
		tokenrequest_sts_request_duration_seconds_bucket{operation="token",le="5"} 2
		tokenrequest_sts_request_duration_seconds_bucket{operation="token",le="10"} 2
		tokenrequest_sts_request_duration_seconds_bucket{operation="token",le="20"} 2
		tokenrequest_sts_request_duration_seconds_bucket{operation="token",le="+Inf"} 3
		tokenrequest_sts_request_duration_seconds_sum{operation="token"} 22.75
		tokenrequest_sts_request_duration_seconds_count{operation="token"} 3
	`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "tokenrequest_sts_request_duration_seconds"); err != nil {
		t.Error(err)
	}
}

func TestWhatTheServiceAnswersPassesUnchanged(t *testing.T) {
	inner := service{
		clock: clocktesting.NewFakeClock(start()), known: true, token: &sts.Token{TokenType: "Bearer"},
		device:   &sts.DeviceAuthorization{UserCode: "ABCD-EFGH"},
		metadata: sts.Metadata{TokenEndpoint: "https://sts.example/token"}, err: oautherr.Malformed("it is a test"),
	}
	s := metrics.Instrument(inner, prometheus.NewPedanticRegistry(), inner.clock)
	if got, err := s.Token(t.Context(), sts.Request{}); got != inner.token || err != inner.err {
		t.Errorf("Token = %v, %v", got, err)
	}
	if got, err := s.Authorize(t.Context(), sts.Request{}); got != inner.device || err != inner.err {
		t.Errorf("Authorize = %v, %v", got, err)
	}
	if got, err := s.Discover(t.Context(), "https://sts.example", sts.Transport{}); got.TokenEndpoint != inner.metadata.TokenEndpoint || err != inner.err {
		t.Errorf("Discover = %v, %v", got, err)
	}
	if got, known := s.Known("https://sts.example", sts.Transport{}); got.TokenEndpoint != inner.metadata.TokenEndpoint || !known {
		t.Errorf("Known = %v, %t", got, known)
	}
	if err := s.CheckURL("https://sts.example"); err != inner.err {
		t.Errorf("CheckURL = %v", err)
	}
}
