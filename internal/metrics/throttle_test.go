// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	clocktesting "k8s.io/utils/clock/testing"

	"tokenrequest.dev/operator/internal/metrics"
	"tokenrequest.dev/operator/internal/throttle"
)

// Nothing but the clock moves between the scrapes.
func TestGatesAreThoseThatAreShutWhenSomebodyAsks(t *testing.T) {
	clk := clocktesting.NewFakeClock(start())
	gates := throttle.New[string](throttle.Limits{}, clk)
	shut := func(client string, kind throttle.Kind, retryAfter time.Duration) {
		gates.Remember(throttle.Request{Domain: "ns/payments", ClientID: client},
			throttle.Failure[string]{Kind: kind, RetryAfter: retryAfter, Remember: "s3cr3t"})
	}
	shut("first", throttle.Rate, 10*time.Second)
	shut("second", throttle.Rate, 30*time.Second)
	shut("first", throttle.Unavailable, 0) // for 5 s
	collector := metrics.Gates(gates.List)
	const help = `
		# HELP tokenrequest_throttle_gates Gates that are shut now, so that no call leaves for their key: because the token service asked for patience (Rate), because it was unavailable (Unavailable), or because it refused this very request (Refused).
		# TYPE tokenrequest_throttle_gates gauge
	`
	const openingHelp = `
		# HELP tokenrequest_throttle_gate_opens_timestamp_seconds When the last of the gates that are shut now opens, in seconds since 1970. Absent while none is shut.
		# TYPE tokenrequest_throttle_gate_opens_timestamp_seconds gauge
	`
	for _, scrape := range []struct {
		after time.Duration
		want  string
	}{
		{0, help + `
			tokenrequest_throttle_gates{kind="Rate"} 2
			tokenrequest_throttle_gates{kind="Refused"} 0
			tokenrequest_throttle_gates{kind="Unavailable"} 1
		` + openingHelp + `
			tokenrequest_throttle_gate_opens_timestamp_seconds{kind="Rate"} 1772366430
			tokenrequest_throttle_gate_opens_timestamp_seconds{kind="Unavailable"} 1772366405
		`},
		{5 * time.Second, help + `
			tokenrequest_throttle_gates{kind="Rate"} 2
			tokenrequest_throttle_gates{kind="Refused"} 0
			tokenrequest_throttle_gates{kind="Unavailable"} 0
		` + openingHelp + `
			tokenrequest_throttle_gate_opens_timestamp_seconds{kind="Rate"} 1772366430
		`},
		{10 * time.Second, help + `
			tokenrequest_throttle_gates{kind="Rate"} 1
			tokenrequest_throttle_gates{kind="Refused"} 0
			tokenrequest_throttle_gates{kind="Unavailable"} 0
		` + openingHelp + `
			tokenrequest_throttle_gate_opens_timestamp_seconds{kind="Rate"} 1772366430
		`},
		{30 * time.Second, help + `
			tokenrequest_throttle_gates{kind="Rate"} 0
			tokenrequest_throttle_gates{kind="Refused"} 0
			tokenrequest_throttle_gates{kind="Unavailable"} 0
		`},
	} {
		clk.SetTime(start().Add(scrape.after))
		if err := testutil.CollectAndCompare(collector, strings.NewReader(scrape.want)); err != nil {
			t.Errorf("after %s: %v", scrape.after, err)
		}
	}
}
