// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// expectation is how a sample has to end.
type expectation struct {
	request string
	story   string
	ready   metav1.ConditionStatus
	reason  string
	// throttled: it has to be throttled first.
	throttled bool
	// remedy has what the advice has to name.
	remedy []string
	// answers are the statuses that the simulator gave it, in their order; nil where any number of
	// refusals will do, or where another token service was asked.
	answers []int
}

// expectations are the samples' ends.
var expectations = []expectation{
	{
		request: "graph", story: "a token for Microsoft Graph: succeeds at once",
		ready: metav1.ConditionTrue, reason: stsv1alpha1.ReasonTokenValid, answers: []int{200},
	},
	{
		request: "wrong-secret", story: "the client secret is wrong: fails, and says what to do",
		ready: metav1.ConditionFalse, reason: stsv1alpha1.ReasonInvalidClient,
		remedy: []string{"Secret " + demoNamespace + "/wrong-secret-app", "client_secret"},
	},
	{
		request: "vault", story: "throttled by HTTP 429 and Retry-After: waits, then succeeds",
		ready: metav1.ConditionTrue, reason: stsv1alpha1.ReasonTokenValid, throttled: true, answers: []int{429, 200},
	},
	{
		request: "orders", story: "a token of a real authorization server: succeeds at once",
		ready: metav1.ConditionTrue, reason: stsv1alpha1.ReasonTokenValid,
	},
}

// met says whether a request has come to its end.
func (e expectation) met(s sight) bool {
	return s.ready == e.ready && s.reason == e.reason && (!e.throttled || s.wasThrottled) && e.lacks(s) == ""
}

// missed says in a sentence why a request can't come to its end any more, or nothing while it can.
func (e expectation) missed(s sight) string {
	switch {
	case s.ready == metav1.ConditionTrue && e.ready == metav1.ConditionFalse:
		return "It is ready, though it can't be."
	case s.ready == metav1.ConditionTrue && e.throttled && !s.wasThrottled:
		return "It is ready without having been throttled."
	case s.stalled && s.reason != e.reason:
		return "Its condition Stalled says that nothing more will come."
	case s.reason == e.reason && e.lacks(s) != "":
		return fmt.Sprintf("Its remedy doesn't name %q: %s", e.lacks(s), s.remedy)
	}
	return ""
}

// lacks is what the remedy ought to name and doesn't.
func (e expectation) lacks(s sight) string {
	for _, named := range e.remedy {
		if !strings.Contains(s.remedy, named) {
			return named
		}
	}
	return ""
}

// wanted is the end in words.
func (e expectation) wanted() string {
	end := fmt.Sprintf("Ready %s (%s)", e.ready, e.reason)
	if e.throttled {
		end += " after having been throttled"
	}
	return end
}

// unmetError says which requests haven't ended as they should.
type unmetError struct{ lines []string }

func (e *unmetError) Error() string { return strings.Join(e.lines, "\n") }

// unmet compares what was seen with what was expected; nil when all is as it should be.
func unmet(seen map[string]sight) error {
	var lines []string
	for _, e := range expectations {
		s := seen[e.request]
		if e.met(s) {
			continue
		}
		line := fmt.Sprintf("%s should come to %s, but %s.", e.request, e.wanted(), s)
		if why := e.missed(s); why != "" {
			line += " " + why
		}
		lines = append(lines, line)
	}
	if lines == nil {
		return nil
	}
	return &unmetError{lines}
}
