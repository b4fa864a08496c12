// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// Instants are those of one request; zero where there is none.
type Instants struct {
	Namespace, Name        string
	ExpiresAt, NextAttempt time.Time
}

// Instants are those of the eldest requests in the cache, and how many were left out.
func (r *Reconciler) Instants(most int) (shown []Instants, omitted int) {
	requests := slices.Collect(r.Requests)
	for _, request := range eldest(requests, most) {
		shown = append(shown, instantsOf(request))
	}
	return shown, len(requests) - len(shown)
}

// eldest are so many requests at most. Whoever makes many new ones pushes nobody else's out.
func eldest(requests []*stsv1alpha1.TokenRequest, most int) []*stsv1alpha1.TokenRequest {
	if len(requests) <= most {
		return requests
	}
	slices.SortFunc(requests, func(a, b *stsv1alpha1.TokenRequest) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.UID, b.UID))
	})
	return requests[:most]
}

func instantsOf(request *stsv1alpha1.TokenRequest) Instants {
	i := Instants{Namespace: request.Namespace, Name: request.Name, NextAttempt: timeOf(request.Status.NextAttemptAt)}
	if token := request.Status.Token; token != nil {
		i.ExpiresAt = timeOf(token.ExpiresAt)
	}
	return i
}

func timeOf(stamp *metav1.Time) time.Time {
	if stamp == nil {
		return time.Time{}
	}
	return stamp.Time
}
