// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	"tokenrequest.dev/operator/internal/oautherr"
)

// A refresh token that may have been spent keeps its mark: the next answer then says what became of it.
func TestARefreshTokenIsAsGoodAsBeforeOnlyAfterARefusal(t *testing.T) {
	for name, c := range map[string]struct {
		e    oautherr.Error
		want bool
	}{
		"never sent":                 {oautherr.Error{}, false},
		"sent, and no answer":        {oautherr.Error{Sent: true}, true},
		"an answer that broke off":   {oautherr.Error{HTTPStatus: 200}, true},
		"refused":                    {oautherr.Error{HTTPStatus: 400}, false},
		"throttled":                  {oautherr.Error{HTTPStatus: 429}, false},
		"down":                       {oautherr.Error{HTTPStatus: 503}, false},
		"no answer behind a gateway": {oautherr.Error{HTTPStatus: 504}, true},
		"half of one":                {oautherr.Error{HTTPStatus: 502}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := maybeSpent(&c.e); got != c.want {
				t.Errorf("maybeSpent = %t, want %t", got, c.want)
			}
		})
	}
}
