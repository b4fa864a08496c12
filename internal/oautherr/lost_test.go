// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr_test

import (
	"testing"

	"tokenrequest.dev/operator/internal/oautherr"
)

func TestLost(t *testing.T) {
	for name, c := range map[string]struct {
		e    oautherr.Error
		want bool
	}{
		"never sent":                 {oautherr.Error{}, false},
		"sent, and no answer":        {oautherr.Error{Sent: true}, true},
		"an answer that broke off":   {oautherr.Error{HTTPStatus: 200}, true},
		"sent elsewhere":             {oautherr.Error{HTTPStatus: 302}, false},
		"refused":                    {oautherr.Error{HTTPStatus: 400}, false},
		"throttled":                  {oautherr.Error{HTTPStatus: 429}, false},
		"down":                       {oautherr.Error{HTTPStatus: 503}, false},
		"no answer behind a gateway": {oautherr.Error{HTTPStatus: 504}, true},
		"half of one":                {oautherr.Error{HTTPStatus: 502}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.e.Lost(); got != c.want {
				t.Errorf("Lost = %t, want %t", got, c.want)
			}
		})
	}
}
