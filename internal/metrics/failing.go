// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import "github.com/prometheus/client_golang/prometheus"

func failingCount() Family {
	return Family{
		Name: "tokenrequest_failing_requests", Type: Gauge,
		Help: "TokenRequests whose condition Issued is False, by its reason: their last attempt brought no token, or the operator can't make one. " +
			"Those whose token from before is still good count too, those with spec.suspend true don't.",
		Labels: []Label{{Name: "reason", Values: failureReasons()}},
	}
}

// Failing returns a collector of the counts by reason at that moment. A reason that isn't among the values
// of the label counts as UnknownError.
func Failing(counts func() map[string]int) prometheus.Collector {
	return reasonCollector[int]{counts: counts, reasons: failureReasons(), kind: prometheus.GaugeValue, desc: failingCount().desc()}
}
