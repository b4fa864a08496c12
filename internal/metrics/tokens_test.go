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
	var states metrics.TokenStates
	collector := metrics.Tokens(func() metrics.TokenStates { return states })
	const help = `
		# HELP tokenrequest_tokens TokenRequests by the token in their Secret: good (Valid), good but near its end with its refresh overdue, whatever the cause (Expiring), past its end (Expired), or none that is as the spec asks (Missing). One with spec.suspend true counts as Valid or Expiring while its token is good, and as Suspended once it isn't.
		# TYPE tokenrequest_tokens gauge
	`
	for _, c := range []struct {
		states metrics.TokenStates
		want   string
	}{
		{metrics.TokenStates{}, `
			tokenrequest_tokens{state="Expired"} 0
			tokenrequest_tokens{state="Expiring"} 0
			tokenrequest_tokens{state="Missing"} 0
			tokenrequest_tokens{state="Suspended"} 0
			tokenrequest_tokens{state="Valid"} 0
		`},
		{metrics.TokenStates{Valid: 1, Expiring: 2, Expired: 3, Missing: 4, Suspended: 5}, `
			tokenrequest_tokens{state="Expired"} 3
			tokenrequest_tokens{state="Expiring"} 2
			tokenrequest_tokens{state="Missing"} 4
			tokenrequest_tokens{state="Suspended"} 5
			tokenrequest_tokens{state="Valid"} 1
		`},
	} {
		states = c.states
		if err := testutil.CollectAndCompare(collector, strings.NewReader(help+c.want)); err != nil {
			t.Error(err)
		}
	}
}
