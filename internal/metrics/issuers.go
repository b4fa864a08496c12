// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// The values of the label issuer_kind.
const (
	inlineIssuer  = "Inline"
	tokenIssuer   = "TokenIssuer"
	clusterIssuer = "ClusterTokenIssuer"
)

// IssuerUse counts the TokenRequests by their issuer.
type IssuerUse struct {
	// Inline, TokenIssuer and ClusterTokenIssuer are by its kind, whether it is there or not.
	Inline, TokenIssuer, ClusterTokenIssuer int
	// Cluster has the name of every ClusterTokenIssuer that is there.
	Cluster map[string]int
}

func issuerUse() Family {
	return Family{
		Name: "tokenrequest_issuer_requests", Type: Gauge,
		Help: "TokenRequests by the kind of their issuer: in their own spec (Inline), or the kind that they refer to. " +
			"One that refers to an issuer which isn't there counts too.",
		Labels: []Label{{Name: "issuer_kind", Values: []string{inlineIssuer, tokenIssuer, clusterIssuer}}},
	}
}

func clusterIssuerUse() Family {
	return Family{
		Name: "tokenrequest_cluster_issuer_requests", Type: Gauge,
		Help: "TokenRequests that refer to a ClusterTokenIssuer, served or not: " +
			"how many it would concern if it were changed. Absent for one that isn't there.",
		Labels: []Label{{Name: "issuer", Open: "the name of a ClusterTokenIssuer"}},
	}
}

// Issuers returns a collector of what use counts at that moment. A tenant may refer to any name, so use
// has to name only what is there.
func Issuers(use func() IssuerUse) prometheus.Collector {
	return issuerCollector{use: use, kinds: issuerUse().desc(), names: clusterIssuerUse().desc()}
}

type issuerCollector struct {
	use          func() IssuerUse
	kinds, names *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c issuerCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.kinds
	descs <- c.names
}

// Collect implements prometheus.Collector.
func (c issuerCollector) Collect(samples chan<- prometheus.Metric) {
	use := c.use()
	for kind, count := range map[string]int{inlineIssuer: use.Inline, tokenIssuer: use.TokenIssuer, clusterIssuer: use.ClusterTokenIssuer} {
		samples <- prometheus.MustNewConstMetric(c.kinds, prometheus.GaugeValue, float64(count), kind)
	}
	for _, name := range slices.Sorted(maps.Keys(use.Cluster)) {
		samples <- prometheus.MustNewConstMetric(c.names, prometheus.GaugeValue, float64(use.Cluster[name]), name)
	}
}
