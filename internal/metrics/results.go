// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// reasonLabel has for values what the condition Issued may show at the end of an attempt: that a token
// was issued, or why none was.
func reasonLabel() Label {
	return Label{Name: "reason", Values: append([]string{stsv1alpha1.ReasonTokenIssued}, failureReasons()...)}
}

func refreshResults() Family {
	return Family{
		Name: "tokenrequest_refresh_results_total", Type: Counter,
		Help: "What became of the attempts of TokenRequests at a token, the first and every refresh, by the reason that the condition Issued shows. " +
			"Each TokenRequest counts that shares a call or a remembered refusal, where tokenrequest_sts_requests_total counts calls. " +
			"What keeps the operator from asking, such as CredentialNotFound, counts when it begins.",
		Labels: []Label{reasonLabel()},
	}
}

// Results returns a collector of the counts by reason at that moment. A reason that isn't among the values
// of the label counts as UnknownError.
func Results(counts func() map[string]uint64) prometheus.Collector {
	return reasonCollector[uint64]{counts: counts, reasons: reasonLabel().Values, kind: prometheus.CounterValue, desc: refreshResults().desc()}
}
