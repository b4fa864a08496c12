// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/oautherr"
)

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

// reasonCollector collects counts by reason. Those by another than its reasons count as UnknownError, so that no
// text makes a series.
type reasonCollector[N int | uint64] struct {
	counts  func() map[string]N
	reasons []string
	kind    prometheus.ValueType
	desc    *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c reasonCollector[N]) Describe(descs chan<- *prometheus.Desc) { descs <- c.desc }

// Collect implements prometheus.Collector.
func (c reasonCollector[N]) Collect(samples chan<- prometheus.Metric) {
	all := map[string]N{}
	for _, reason := range c.reasons {
		all[reason] = 0
	}
	for reason, count := range c.counts() {
		if _, there := all[reason]; !there {
			reason = string(oautherr.ReasonUnknownError)
		}
		all[reason] += count
	}
	for reason, count := range all {
		samples <- prometheus.MustNewConstMetric(c.desc, c.kind, float64(count), reason)
	}
}
