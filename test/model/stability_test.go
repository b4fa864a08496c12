// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"net/http"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// TestTheSameFailureStaysTheSame has one request fail a thousand times. Each answer has other ids and instants; nothing that
// people or machines watch may change with them.
func TestTheSameFailureStaysTheSame(t *testing.T) {
	limit := limited(http.StatusTooManyRequests, 30*time.Second, "30")
	limit.body = `{"error":"request_throttled","error_description":"Again. %s}`
	html := unusable(http.StatusOK, `<html>Sign in. %s</html>`)
	for _, c := range []struct {
		name   string
		answer answer
		gap    func(attempt int) time.Duration
		want   map[string]string // conditions
	}{
		{
			"401 invalid_client", refused(http.StatusUnauthorized, "invalid_client", 7000222), growing(time.Minute, 10*time.Minute),
			map[string]string{"Ready": "False/InvalidClient", "Issued": "False/InvalidClient", "Stalled": "True/InvalidClient"},
		},
		{
			"429 with Retry-After", limit, insisting(30 * time.Second),
			map[string]string{"Ready": "False/Throttled", "Issued": "False/Throttled", "Throttled": "True/Throttled", "Reconciling": "True/RetryScheduled"},
		},
		{
			"503", unusable(http.StatusServiceUnavailable, `{"error":"temporarily_unavailable","error_description":"Again. %s}`), growing(5*time.Second, 5*time.Minute),
			map[string]string{"Ready": "False/TemporarilyUnavailable", "Issued": "False/TemporarilyUnavailable", "Reconciling": "True/RetryScheduled"},
		},
		{
			"connection refused", cutOff(os.NewSyscallError("connect", syscall.ECONNREFUSED)), growing(5*time.Second, 5*time.Minute),
			map[string]string{"Ready": "False/ConnectionFailed", "Issued": "False/ConnectionFailed", "Reconciling": "True/RetryScheduled"},
		},
		{
			"200 with HTML", html, growing(5*time.Second, 5*time.Minute),
			map[string]string{"Ready": "False/MalformedResponse", "Issued": "False/MalformedResponse", "Reconciling": "True/RetryScheduled"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { endure(t, c.answer, c.gap, c.want) })
		})
	}
}

// failures is how often the same happens.
const failures = 1000

// growing is the backoff that internal/throttle documents: it doubles from the first to the last.
func growing(first, last time.Duration) func(int) time.Duration {
	return func(attempt int) time.Duration { return min(first<<min(max(attempt-1, 0), 20), last) }
}

// insisting is the backoff from a server that asks for the same again and again: it is taken at its word four times, then waits
// no less than an outage would.
func insisting(asked time.Duration) func(int) time.Duration {
	return func(attempt int) time.Duration {
		if attempt <= 4 {
			return asked
		}
		return max(asked, growing(5*time.Second, 5*time.Minute)(attempt-4))
	}
}

// longestSpread bounds how much later than its gate opens a request asks again; it is a tenth of the wait otherwise. Within
// the second of that instant each request has its own place.
const longestSpread = 30 * time.Second

func endure(t *testing.T, said answer, gap func(int) time.Duration, want map[string]string) {
	w := newWorld(t, "stable-"+string(uidOf(types.NamespacedName{Name: t.Name()}))[:8], 1, "a")
	defer func() { w.process.kill() }()
	w.say, w.latency = func() answer { return said }, func() time.Duration { return 0 }
	name := w.ask("a", "mail", "app", []stsv1alpha1.Scope{"mail"})
	began := metav1.NewTime(w.time.wall.Now())
	var last time.Duration
	for attempt := 1; attempt <= failures; attempt++ {
		w.once = attempt%100 != 1
		w.follow() // asks
		asked := w.time.trueTime()
		if waited, least := asked-last, gap(attempt-1); attempt > 1 && (waited < least || waited > least+min(least/10, longestSpread)+time.Second) {
			t.Fatalf("attempt %d came %v after the one before, want %v, up to a tenth more, and a place within the second", attempt, waited, least)
		}
		last = asked
		w.follow() // is told
		if w.time.trueTime() != asked || len(w.calls) != attempt {
			t.Fatalf("%d calls after %d attempts", len(w.calls), attempt)
		}
	}
	if w.applied[writeStatus] > failures {
		t.Errorf("%d status writes for %d attempts", w.applied[writeStatus], failures)
	}
	status := w.read(name).request.Status
	if status.LastError.Attempts != failures {
		t.Errorf("lastError.attempts is %d, want %d", status.LastError.Attempts, failures)
	}
	got := map[string]string{}
	for _, c := range status.Conditions {
		got[c.Type] = string(c.Status) + "/" + c.Reason
		if !c.LastTransitionTime.Equal(&began) {
			t.Errorf("%s has changed at %v; the first failure was at %v", c.Type, c.LastTransitionTime, began)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"mail Warning/" + status.Conditions[0].Reason: 1}, w.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
