// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"

	"tokenrequest.dev/operator/test/stssim"
)

func TestAccount(t *testing.T) {
	begun := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	refused := stssim.Call{At: begun, Status: 429}
	served := stssim.Call{At: begun.Add(12500 * time.Millisecond), Status: 200}
	wrong := stssim.Call{At: begun, Status: 401, Error: "invalid_client"}
	tests := []struct {
		name  string
		calls []stssim.Call
		want  string
	}{
		{"no call", nil, "0 calls"},
		{"a refusal by name", []stssim.Call{wrong}, "1 call: 401 Unauthorized (invalid_client)"},
		{"a wait", []stssim.Call{refused, served}, "2 calls: 429 Too Many Requests, 12.5 s later 200 OK"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if text := account(test.calls); text != test.want {
				t.Errorf("it is told as %q, want %q", text, test.want)
			}
		})
	}
}

func TestAnsweredCountsEveryCallAndItsOrder(t *testing.T) {
	calls := []stssim.Call{{Status: 429}, {Status: 200}}
	for _, test := range []struct {
		name     string
		statuses []int
		want     bool
	}{
		{"the same", []int{429, 200}, true},
		{"another order", []int{200, 429}, false},
		{"one more than wanted", []int{429}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := answered(calls, test.statuses); got != test.want {
				t.Errorf("answered is %t", got)
			}
		})
	}
}
