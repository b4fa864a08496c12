// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"tokenrequest.dev/operator/internal/metrics"
)

func TestTokensAreCountedWhenSomebodyAsks(t *testing.T) {
	var named map[string]metrics.TokenStates
	var others metrics.TokenStates
	collector := metrics.Tokens(func(int) (map[string]metrics.TokenStates, metrics.TokenStates) { return named, others })
	const help = `
		# HELP tokenrequest_tokens TokenRequests by the token in their Secret: good (Valid), good but near its end with its refresh overdue, whatever the cause (Expiring), past its end (Expired), or none that is as the spec asks (Missing). One with spec.suspend true counts as Valid or Expiring while its token is good, and as Suspended once it isn't. The 200 namespaces that have had a TokenRequest for longest have series of their own, all others share the namespace other.
		# TYPE tokenrequest_tokens gauge
	`
	for _, c := range []struct {
		named  map[string]metrics.TokenStates
		others metrics.TokenStates
		want   string
	}{
		{nil, metrics.TokenStates{}, `
			tokenrequest_tokens{namespace="other",state="Expired"} 0
			tokenrequest_tokens{namespace="other",state="Expiring"} 0
			tokenrequest_tokens{namespace="other",state="Missing"} 0
			tokenrequest_tokens{namespace="other",state="Suspended"} 0
			tokenrequest_tokens{namespace="other",state="Valid"} 0
		`},
		{map[string]metrics.TokenStates{"payments": {Valid: 1, Expiring: 2, Expired: 3, Missing: 4, Suspended: 5}}, metrics.TokenStates{Valid: 7}, `
			tokenrequest_tokens{namespace="other",state="Expired"} 0
			tokenrequest_tokens{namespace="other",state="Expiring"} 0
			tokenrequest_tokens{namespace="other",state="Missing"} 0
			tokenrequest_tokens{namespace="other",state="Suspended"} 0
			tokenrequest_tokens{namespace="other",state="Valid"} 7
			tokenrequest_tokens{namespace="payments",state="Expired"} 3
			tokenrequest_tokens{namespace="payments",state="Expiring"} 2
			tokenrequest_tokens{namespace="payments",state="Missing"} 4
			tokenrequest_tokens{namespace="payments",state="Suspended"} 5
			tokenrequest_tokens{namespace="payments",state="Valid"} 1
		`},
		// A namespace of that name must not make a series that is there already, which would fail the scrape.
		{map[string]metrics.TokenStates{"other": {Valid: 1, Missing: 2}}, metrics.TokenStates{Valid: 7, Expired: 1}, `
			tokenrequest_tokens{namespace="other",state="Expired"} 1
			tokenrequest_tokens{namespace="other",state="Expiring"} 0
			tokenrequest_tokens{namespace="other",state="Missing"} 2
			tokenrequest_tokens{namespace="other",state="Suspended"} 0
			tokenrequest_tokens{namespace="other",state="Valid"} 8
		`},
	} {
		named, others = c.named, c.others
		if err := testutil.CollectAndCompare(collector, strings.NewReader(help+c.want)); err != nil {
			t.Error(err)
		}
	}
}

// A tenant may be one who makes namespaces.
func TestNamespacesAreBounded(t *testing.T) {
	asked := 0
	samples(t, metrics.Tokens(func(most int) (map[string]metrics.TokenStates, metrics.TokenStates) {
		asked = most
		return nil, metrics.TokenStates{}
	}))
	if asked != 200 {
		t.Errorf("%d namespaces may be named, want the 200 that the help names", asked)
	}
}
