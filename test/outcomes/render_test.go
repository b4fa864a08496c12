// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// conditionOrder is the order in which conditions are shown; there are no others.
var conditionOrder = []string{
	stsv1alpha1.ConditionReady, stsv1alpha1.ConditionIssued, stsv1alpha1.ConditionThrottled,
	stsv1alpha1.ConditionInteractionRequired, stsv1alpha1.ConditionStalled, stsv1alpha1.ConditionReconciling,
}

// section is a stop's section of the golden file, from its headline on.
func (s *stop) section() string {
	GinkgoHelper()
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n%s %s\n\n", s.name, s.does, s.schedule())
	for _, line := range s.conditions() {
		fmt.Fprintf(&b, "    %s\n", line)
	}
	for _, line := range slices.Concat(s.token(), s.device(), s.lastError()) {
		fmt.Fprintf(&b, "    %s\n", line)
	}
	return s.stable(b.String())
}

// schedule says how often the STS was called, and when it will be again.
func (s *stop) schedule() string {
	calls := fmt.Sprintf("%d calls", s.count())
	if s.count() == 1 {
		calls = "1 call"
	}
	if s.from != nil && s.service.arrived == nil {
		calls = "Nobody there counts the calls"
	}
	next := "no retry is planned"
	switch {
	case s.status.NextAttemptAt == nil:
	case s.status.DeviceAuthorization != nil && s.status.LastError == nil:
		next = "the next one asks whether somebody has signed in"
	case s.status.LastError == nil:
		next = "the next one is the refresh"
	default:
		next = "the next one after " + seconds(s.wait)
	}
	return calls + ", " + next + "."
}

// conditions are one line each. A message that the one above has too isn't repeated.
func (s *stop) conditions() []string {
	GinkgoHelper()
	var lines []string
	var above metav1.Condition
	for _, kind := range conditionOrder {
		c := meta.FindStatusCondition(s.status.Conditions, kind)
		if c == nil {
			continue
		}
		told := c.Message
		if c.Reason == above.Reason && c.Message == above.Message {
			told = "(as " + above.Type + ")"
		} else {
			above = *c
		}
		lines = append(lines, fmt.Sprintf("%-19s %-5s %s: %s", c.Type, c.Status, c.Reason, told))
	}
	Expect(s.status.Conditions).To(HaveLen(len(lines)), "conditions of other types")
	return lines
}

// token says what is known of the token.
func (s *stop) token() []string {
	t := s.status.Token
	if t == nil {
		return nil
	}
	life := "none"
	if t.ExpiresAt != nil {
		life = "after " + seconds(t.ExpiresAt.Sub(t.IssuedAt.Time))
		if s.lives != 0 {
			life = "after about " + seconds(s.lives)
		}
	}
	lines := []string{fmt.Sprintf("token: tokenType %s, expiresAt: %s", t.TokenType, life)}
	if len(t.Scopes) > 0 {
		lines[0] += ", scopes " + strings.Join(t.Scopes, " ")
	}
	return lines
}

// device is what a person is shown who is to sign in.
func (s *stop) device() []string {
	d := s.status.DeviceAuthorization
	if d == nil {
		return nil
	}
	return []string{fmt.Sprintf("deviceAuthorization: userCode %s, verificationURI %s, verificationURIComplete %s",
		d.UserCode, d.VerificationURI, cmp.Or(d.VerificationURIComplete, "none"))}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%d s", int64(d/time.Second)) }

// lastError has its fields but instants and counts; of the ids it says which are there.
func (s *stop) lastError() []string {
	e := s.status.LastError
	if e == nil {
		return nil
	}
	var facts, ids []string
	add := func(list *[]string, there bool, text string) {
		if there {
			*list = append(*list, text)
		}
	}
	add(&facts, true, "class "+string(e.Class))
	add(&facts, e.HTTPStatus != 0, fmt.Sprintf("HTTP %d", e.HTTPStatus))
	add(&facts, e.Error != "", "error "+e.Error)
	add(&facts, len(e.Codes) > 0, fmt.Sprintf("codes %d", e.Codes))
	add(&facts, e.Suberror != "", "suberror "+e.Suberror)
	add(&ids, e.CorrelationID != "", "correlationID")
	add(&ids, e.TraceID != "", "traceID")
	add(&ids, e.Timestamp != "", "timestamp")
	add(&facts, len(ids) > 0, "with "+strings.Join(ids, ", "))
	lines := []string{"lastError: " + strings.Join(facts, ", ")}
	add(&lines, e.Description != "", "  description: "+e.Description)
	add(&lines, e.Claims != "", "  claims: "+e.Claims)
	add(&lines, e.ErrorURI != "", "  errorURI: "+e.ErrorURI)
	add(&lines, !s.remedyEndsMessage(), "  remedy: "+e.Remedy)
	return lines
}

// remedyEndsMessage says that who reads Issued's message has read the remedy.
func (s *stop) remedyEndsMessage() bool {
	issued := meta.FindStatusCondition(s.status.Conditions, stsv1alpha1.ConditionIssued)
	return issued != nil && strings.HasSuffix(issued.Message, s.status.LastError.Remedy)
}
