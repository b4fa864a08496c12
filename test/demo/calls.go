// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"tokenrequest.dev/operator/test/stssim"
)

// account tells of calls: how many, how they were answered, and how long after the one before.
func account(calls []stssim.Call) string {
	answers := make([]string, len(calls))
	for i, call := range calls {
		answers[i] = fmt.Sprintf("%d %s", call.Status, http.StatusText(call.Status))
		if call.Error != "" {
			answers[i] += " (" + call.Error + ")"
		}
		if i > 0 {
			answers[i] = fmt.Sprintf("%.1f s later %s", call.At.Sub(calls[i-1].At).Seconds(), answers[i])
		}
	}
	return strings.TrimSuffix(plural(len(calls), "call")+": "+strings.Join(answers, ", "), ": ")
}

// answered says whether calls were answered with these statuses, in this order.
func answered(calls []stssim.Call, statuses []int) bool {
	return slices.EqualFunc(calls, statuses, func(call stssim.Call, status int) bool { return call.Status == status })
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
