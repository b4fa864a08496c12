// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	clocktesting "k8s.io/utils/clock/testing"

	"tokenrequest.dev/operator/internal/metrics"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

// What a host refuses, or asks patience for, is no failure of its own.
func TestHostsFailByWhatTheyAnswer(t *testing.T) {
	answered := func(status int, body string) *oautherr.Error {
		return oautherr.FromResponse(oautherr.Response{Status: status, Body: []byte(body)}, start())
	}
	const family, ok, broken = "tokenrequest_sts_host_requests_total ", " Answered", " Failed"
	for name, c := range map[string]struct {
		call func(*testing.T, sts.Service)
		err  *oautherr.Error
		want string // "" where it counts for none
	}{
		"a token":                          {token, nil, "sts.example" + ok},
		"a refusal":                        {token, answered(401, `{"error":"invalid_client"}`), "sts.example" + ok},
		"a throttle":                       {token, answered(429, ""), "sts.example" + ok},
		"nobody has signed in yet":         {token, answered(400, `{"error":"authorization_pending"}`), "sts.example" + ok},
		"an error of its own":              {token, answered(503, ""), "sts.example" + broken},
		"an unknown error of its own":      {token, answered(500, `{"error":"an_invention"}`), "sts.example" + broken},
		"what isn't an answer":             {token, answered(200, "<html>"), "sts.example" + broken},
		"none":                             {token, oautherr.FromTransport(context.DeadlineExceeded), "sts.example" + broken},
		"a call that was given up":         {token, oautherr.FromTransport(context.Canceled), ""},
		"a call that the operator refused": {token, oautherr.Refused(oautherr.ReasonEndpointRefused, "it is a test"), ""},
		"metadata":                         {discover, nil, "sts.example" + ok},
		"no metadata":                      {discover, answered(502, ""), "sts.example" + broken},
		"a discovery that was given up":    {discover, oautherr.FromTransport(context.Canceled), ""},
		"a device code":                    {authorize, nil, "sts.example" + ok},
		"no device code":                   {authorize, answered(500, ""), "sts.example" + broken},
	} {
		t.Run(name, func(t *testing.T) {
			registry, inner := prometheus.NewPedanticRegistry(), &service{clock: clocktesting.NewFakeClock(start())}
			s := metrics.Instrument(inner, registry, inner.clock)
			token(t, s) // so that the host has series of its own
			before := gathered(t, registry, family+"sts.example"+ok, family+"sts.example"+broken, family+"other"+ok, family+"other"+broken)
			inner.err = c.err
			c.call(t, s)
			for series, n := range gathered(t, registry) {
				want := before[series]
				if series == family+c.want {
					want++
				}
				if strings.HasPrefix(series, family) && n != want {
					t.Errorf("%s is %v, want %v", series, n, want)
				}
			}
		})
	}
}
