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

const (
	// mostNamespaces bounds the series that whoever may create namespaces can make.
	mostNamespaces = 200
	// otherNamespaces stands for all namespaces without series of their own, and for one of that name.
	otherNamespaces = "other"
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
			"One with spec.suspend true counts as Valid or Expiring while its token is good, and as Suspended once it isn't. " +
			"The 200 namespaces that have had a TokenRequest for longest have series of their own, all others share the namespace other.",
		Labels: []Label{
			{Name: "namespace", Open: "the namespace of TokenRequests, or `other`"},
			{Name: "state", Values: []string{validToken, expiringToken, expiredToken, missingToken, suspendedToken}},
		},
	}
}

// Tokens returns a collector of what states counts at that moment: by namespace for so many at most, and for
// all others together. Which those are is to depend on the requests alone, so that each scrape finds the same.
func Tokens(states func(most int) (named map[string]TokenStates, others TokenStates)) prometheus.Collector {
	return tokenCollector{states: states, desc: tokenCount().desc()}
}

type tokenCollector struct {
	states func(most int) (named map[string]TokenStates, others TokenStates)
	desc   *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c tokenCollector) Describe(descs chan<- *prometheus.Desc) { descs <- c.desc }

// Collect implements prometheus.Collector.
func (c tokenCollector) Collect(samples chan<- prometheus.Metric) {
	named, others := c.states(mostNamespaces)
	rest := others.byState()
	for namespace, states := range named {
		if namespace != otherNamespaces {
			c.collect(samples, namespace, states.byState())
			continue
		}
		for state, count := range states.byState() {
			rest[state] += count
		}
	}
	c.collect(samples, otherNamespaces, rest)
}

func (c tokenCollector) collect(samples chan<- prometheus.Metric, namespace string, counts map[string]int) {
	for state, count := range counts {
		samples <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(count), namespace, state)
	}
}

func (s TokenStates) byState() map[string]int {
	return map[string]int{
		validToken: s.Valid, expiringToken: s.Expiring, expiredToken: s.Expired, missingToken: s.Missing, suspendedToken: s.Suspended,
	}
}
