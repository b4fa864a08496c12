// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/oautherr"
)

// reasonLabel has for values what the condition Issued may show at the end of an attempt: that a token
// was issued, or why none was.
func reasonLabel() Label {
	return Label{Name: "reason", Values: append([]string{stsv1alpha1.ReasonTokenIssued}, failureReasons()...)}
}

// failureReasons are what a token service said, and what keeps the operator from asking one.
func failureReasons() []string {
	var values []string
	for _, reason := range oautherr.Reasons() {
		values = append(values, string(reason))
	}
	return append(values,
		stsv1alpha1.ReasonIssuerNotReady, stsv1alpha1.ReasonIssuerNotAllowed,
		stsv1alpha1.ReasonCredentialNotFound, stsv1alpha1.ReasonCredentialInvalid, stsv1alpha1.ReasonCredentialNotAllowed, stsv1alpha1.ReasonCredentialRequired,
		stsv1alpha1.ReasonInvalidClaims, stsv1alpha1.ReasonAssertionExpired, stsv1alpha1.ReasonRefreshTokenLost, stsv1alpha1.ReasonSubjectMismatch,
		stsv1alpha1.ReasonSecretConflict, stsv1alpha1.ReasonSecretInvalid, stsv1alpha1.ReasonTemplateInvalid, stsv1alpha1.ReasonTemplateFailed,
	)
}

// byReason are the counts by each of the reasons known. Those by another count as UnknownError, so that no
// text makes a series.
func byReason[N int | uint64](known []string, counts map[string]N) map[string]N {
	all := map[string]N{}
	for _, reason := range known {
		all[reason] = 0
	}
	for reason, count := range counts {
		if _, there := all[reason]; !there {
			reason = string(oautherr.ReasonUnknownError)
		}
		all[reason] += count
	}
	return all
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
	return resultCollector{counts: counts, desc: refreshResults().desc()}
}

type resultCollector struct {
	counts func() map[string]uint64
	desc   *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c resultCollector) Describe(descs chan<- *prometheus.Desc) { descs <- c.desc }

// Collect implements prometheus.Collector.
func (c resultCollector) Collect(samples chan<- prometheus.Metric) {
	for reason, count := range byReason(reasonLabel().Values, c.counts()) {
		samples <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, float64(count), reason)
	}
}
