// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// TestATokenThatHasComeIsTaken has somebody ask for a refresh of a failing request and take that back while the token service
// thinks. The token comes, and it would be asked for again when the backoff ends.
func TestATokenThatHasComeIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "collect", 1, "a")
		defer func() { w.process.kill() }()
		w.latency = func() time.Duration { return time.Second }
		w.say = func() answer { return refused(http.StatusUnauthorized, "invalid_client", 7000222) }
		name := w.ask("a", "mail", "app", []stsv1alpha1.Scope{"mail"})
		w.follow()
		w.follow()
		w.say = func() answer { return token(time.Hour, 0) }
		w.hesitate(name)
		w.follow()
		if len(w.calls) != 2 || !w.isWell(name) {
			t.Errorf("after %d calls, of which the last has brought a token, the status is %+v", len(w.calls), w.read(name).request.Status)
		}
	})
}
