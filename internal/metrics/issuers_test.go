// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"tokenrequest.dev/operator/internal/metrics"
)

func TestIssuersAreThoseInUseWhenSomebodyAsks(t *testing.T) {
	use := metrics.IssuerUse{Inline: 3, TokenIssuer: 2, ClusterTokenIssuer: 5, Cluster: map[string]int{"contoso": 4, "unused": 0}}
	collector := metrics.Issuers(func() metrics.IssuerUse { return use })
	compare := func(want string) {
		t.Helper()
		if err := testutil.CollectAndCompare(collector, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
	}
	const help = `
		# HELP tokenrequest_issuer_requests TokenRequests by the kind of their issuer: in their own spec (Inline), or the kind that they refer to. One that refers to an issuer which isn't there counts too.
		# TYPE tokenrequest_issuer_requests gauge
	`
	const ofCluster = `
		# HELP tokenrequest_cluster_issuer_requests TokenRequests that refer to a ClusterTokenIssuer, served or not: how many it would concern if it were changed. Absent for one that isn't there.
		# TYPE tokenrequest_cluster_issuer_requests gauge
	`
	compare(help + `
		tokenrequest_issuer_requests{issuer_kind="ClusterTokenIssuer"} 5
		tokenrequest_issuer_requests{issuer_kind="Inline"} 3
		tokenrequest_issuer_requests{issuer_kind="TokenIssuer"} 2
	` + ofCluster + `
		tokenrequest_cluster_issuer_requests{issuer="contoso"} 4
		tokenrequest_cluster_issuer_requests{issuer="unused"} 0
	`)
	use = metrics.IssuerUse{}
	compare(help + `
		tokenrequest_issuer_requests{issuer_kind="ClusterTokenIssuer"} 0
		tokenrequest_issuer_requests{issuer_kind="Inline"} 0
		tokenrequest_issuer_requests{issuer_kind="TokenIssuer"} 0
	`)
}
