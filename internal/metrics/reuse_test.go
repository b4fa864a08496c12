// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"tokenrequest.dev/operator/internal/flight"
	"tokenrequest.dev/operator/internal/metrics"
)

func TestReusesAreThoseOfTheShelfWhenSomebodyAsks(t *testing.T) {
	shelf := flight.NewShelf[string, int](1)
	collector := metrics.Reuses(shelf.Hits)
	for want := range 3 {
		expected := fmt.Sprintf(`
			# HELP tokenrequest_token_reuses_total Tokens that were written into the Secret of a TokenRequest without a call of its own, because another that asks for the very same was given them before. Those that share a call while it is under way don't count.
			# TYPE tokenrequest_token_reuses_total counter
			tokenrequest_token_reuses_total %d
		`, want)
		if err := testutil.CollectAndCompare(collector, strings.NewReader(expected)); err != nil {
			t.Errorf("after %d reuses: %v", want, err)
		}
		shelf.Used()
	}
}
