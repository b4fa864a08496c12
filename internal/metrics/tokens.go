// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import "github.com/prometheus/client_golang/prometheus"

// The values of the label state of tokens.
const (
	validToken     = "Valid"
	expiringToken  = "Expiring"
	expiredToken   = "Expired"
	missingToken   = "Missing"
	suspendedToken = "Suspended"
)

// TokenStates counts the TokenRequests by what became of their tokens.
type TokenStates struct {
	Valid, Expiring, Expired, Missing, Suspended int
}

func tokenCount() Family {
	return Family{
		Name: "tokenrequest_tokens", Type: Gauge,
		Help: "TokenRequests by the token in their Secret: good (Valid), good but near its end with its refresh overdue, whatever the cause (Expiring), " +
			"past its end (Expired), or none that is as the spec asks (Missing). " +
			"One with spec.suspend true counts as Valid or Expiring while its token is good, and as Suspended once it isn't.",
		Labels: []Label{{Name: "state", Values: []string{validToken, expiringToken, expiredToken, missingToken, suspendedToken}}},
	}
}

// Tokens returns a collector of what states counts at that moment.
func Tokens(states func() TokenStates) prometheus.Collector {
	return tokenCollector{states: states, desc: tokenCount().desc()}
}

type tokenCollector struct {
	states func() TokenStates
	desc   *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c tokenCollector) Describe(descs chan<- *prometheus.Desc) { descs <- c.desc }

// Collect implements prometheus.Collector.
func (c tokenCollector) Collect(samples chan<- prometheus.Metric) {
	s := c.states()
	for state, count := range map[string]int{
		validToken: s.Valid, expiringToken: s.Expiring, expiredToken: s.Expired, missingToken: s.Missing, suspendedToken: s.Suspended,
	} {
		samples <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(count), state)
	}
}
