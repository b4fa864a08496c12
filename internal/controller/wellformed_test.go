// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"regexp"

	"github.com/onsi/gomega/gcustom"
	gomegatypes "github.com/onsi/gomega/types"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// volatile is what no condition's message may carry: ids change with each attempt, and an instant is
// allowed in one message alone.
var volatile = regexp.MustCompile(`(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|trace id|correlation`)

// HaveWellFormedStatus holds every status that a spec reads to the dialect of kstatus and of our own
// API: it is the same for all outcomes.
func HaveWellFormedStatus() gomegatypes.GomegaMatcher {
	return gcustom.MakeMatcher(func(r *stsv1alpha1.TokenRequest) (bool, error) {
		return true, wellFormed(r)
	})
}

func wellFormed(r *stsv1alpha1.TokenRequest) error {
	s := &r.Status
	if len(s.Conditions) == 0 {
		if s.ObservedGeneration != -1 {
			return fmt.Errorf("observedGeneration is %d before anybody looked; kstatus would say Current", s.ObservedGeneration)
		}
		return nil
	}
	for _, c := range s.Conditions {
		switch {
		case c.Reason == "" || c.Message == "":
			return fmt.Errorf("condition %s has no reason or no message", c.Type)
		case volatile.MatchString(c.Message):
			return fmt.Errorf("condition %s says something that changes with each attempt: %s", c.Type, c.Message)
		case c.ObservedGeneration != s.ObservedGeneration:
			return fmt.Errorf("condition %s speaks of generation %d, the status of %d", c.Type, c.ObservedGeneration, s.ObservedGeneration)
		}
	}
	has := func(kind string) bool { return meta.FindStatusCondition(s.Conditions, kind) != nil }
	is := func(kind string) bool { return meta.IsStatusConditionTrue(s.Conditions, kind) }
	switch {
	case !has(stsv1alpha1.ConditionReady) || !has(stsv1alpha1.ConditionIssued):
		return fmt.Errorf("Ready and Issued must always be there: %v", s.Conditions)
	case is(stsv1alpha1.ConditionReconciling) && is(stsv1alpha1.ConditionStalled):
		return fmt.Errorf("both Reconciling and Stalled: %v", s.Conditions)
	case is(stsv1alpha1.ConditionReady) && (has(stsv1alpha1.ConditionReconciling) || has(stsv1alpha1.ConditionStalled)):
		return fmt.Errorf("Ready, and Reconciling or Stalled: %v", s.Conditions)
	case is(stsv1alpha1.ConditionReady) && s.Token == nil:
		return fmt.Errorf("Ready without status.token")
	case is(stsv1alpha1.ConditionIssued) != (s.LastError == nil) && is(stsv1alpha1.ConditionIssued):
		return fmt.Errorf("Issued, and lastError is still there")
	}
	for _, kind := range []string{stsv1alpha1.ConditionThrottled, stsv1alpha1.ConditionInteractionRequired, stsv1alpha1.ConditionReconciling, stsv1alpha1.ConditionStalled} {
		if c := meta.FindStatusCondition(s.Conditions, kind); c != nil && c.Status != metav1.ConditionTrue {
			return fmt.Errorf("condition %s is there and %s; it must be True or absent", kind, c.Status)
		}
	}
	return nil
}
