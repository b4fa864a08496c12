// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// sight is what can be seen of a request at a glance. The zero value is that of one at which the
// operator hasn't looked yet.
type sight struct {
	ready           metav1.ConditionStatus
	secret          string
	reason, message string
	remedy          string
	throttled       bool
	stalled         bool
	issuedAt, next  time.Time

	// wasThrottled stays once it was seen throttled.
	wasThrottled bool
}

// look takes in a request; before is how it was seen last.
func look(request *stsv1alpha1.TokenRequest, before sight) sight {
	conditions := request.Status.Conditions
	s := sight{
		throttled: meta.IsStatusConditionTrue(conditions, stsv1alpha1.ConditionThrottled),
		stalled:   meta.IsStatusConditionTrue(conditions, stsv1alpha1.ConditionStalled),
	}
	s.wasThrottled = s.throttled || before.wasThrottled
	if ready := meta.FindStatusCondition(conditions, stsv1alpha1.ConditionReady); ready != nil {
		s.ready, s.reason, s.message = ready.Status, ready.Reason, ready.Message
	}
	if token := request.Status.Token; token != nil {
		s.secret = token.SecretName
		if token.IssuedAt != nil {
			s.issuedAt = token.IssuedAt.Time
		}
	}
	if next := request.Status.NextAttemptAt; next != nil {
		s.next = next.Time
	}
	if last := request.Status.LastError; last != nil {
		s.remedy = last.Remedy
	}
	return s
}

// news is what is worth a line, in the operator's own words, or nothing.
func (s sight) news(before sight) string {
	switch {
	case s.ready == "":
		return ""
	case s.ready == before.ready && s.reason == before.reason && s.message == before.message && s.issuedAt.Equal(before.issuedAt):
		return ""
	case s.ready == metav1.ConditionTrue && before.ready == metav1.ConditionTrue && s.message == before.message:
		return "A new token was issued. " + s.message
	}
	return s.message
}

// String is the state in words.
func (s sight) String() string {
	if s.ready == "" {
		return "the operator hasn't looked at it"
	}
	return fmt.Sprintf("it is Ready %s (%s): %s", s.ready, s.reason, strings.TrimSuffix(s.message, "."))
}
