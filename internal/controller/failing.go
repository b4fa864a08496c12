// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// Failing counts the requests in the cache whose last attempt brought no token, by the reason of their
// condition Issued: for as long as that lasts, and whoever led when it began.
func (r *Reconciler) Failing() map[string]int {
	counts := map[string]int{}
	for request := range r.Requests {
		if reason := failingBecause(request); reason != "" {
			counts[reason]++
		}
	}
	return counts
}

// failingBecause is "" for a request that is as it should be, is new, or is meant to rest.
func failingBecause(request *stsv1alpha1.TokenRequest) string {
	issued := conditionOf(request.Status.Conditions, stsv1alpha1.ConditionIssued)
	rests := request.Spec.Suspend || !request.DeletionTimestamp.IsZero() || issued.Reason == stsv1alpha1.ReasonSuspended
	if rests || issued.Status != metav1.ConditionFalse {
		return ""
	}
	return issued.Reason
}
