// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// outage is a way in which tokens stop coming.
type outage struct {
	name   string
	answer answer // while it lasts
	// begin and end are what people do, where it isn't the token service's doing.
	begin, end func(*world)
	reason     string
	// extra are the conditions that it adds while the old token lives, and then.
	extra, owed map[string]string
}

func outagesOfALife() []outage {
	retried := map[string]string{"Reconciling": "True/RetryScheduled"}
	return []outage{
		{name: "500", answer: unusable(http.StatusInternalServerError, ""), reason: "ServerError", owed: retried},
		{name: "a timeout", answer: timedOut(), reason: "ConnectionFailed", owed: retried},
		{name: "connection refused", answer: cutOff(os.NewSyscallError("connect", syscall.ECONNREFUSED)), reason: "ConnectionFailed", owed: retried},
		{name: "429", answer: limited(http.StatusTooManyRequests, time.Minute, "60"), reason: "Throttled",
			extra: map[string]string{"Throttled": "True/Throttled"}, owed: retried},
		{name: "an expired client secret", answer: refused(http.StatusUnauthorized, "invalid_client", 7000222), reason: "InvalidClient",
			owed: map[string]string{"Stalled": "True/InvalidClient"}},
		{name: "a deleted credential", reason: "CredentialNotFound", owed: map[string]string{"Stalled": "True/CredentialNotFound"},
			begin: func(w *world) {
				w.must("deleting the credential", w.people.Delete(w.ctx(), w.credential(w.namespace("a"))))
			},
			end: func(w *world) { w.create(w.credential(w.namespace("a"))) }},
	}
}

// TestAnOutageIsLoudWhenATokenNearsItsEndAndNotBefore has a request lose its token service just before its refresh, and get it
// back after the token's end. Who watches Ready is told once that the end is near, and once that it has come.
func TestAnOutageIsLoudWhenATokenNearsItsEndAndNotBefore(t *testing.T) {
	for _, life := range []time.Duration{5 * time.Minute, time.Hour} {
		for _, o := range outagesOfALife() {
			t.Run(o.name+" with tokens of "+life.String(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { sitOut(t, o, life) })
			})
		}
	}
}

func sitOut(t *testing.T, o outage, life time.Duration) {
	w := newWorld(t, "outage-"+string(uidOf(types.NamespacedName{Name: t.Name()}))[:8], 1, "a")
	defer func() { w.process.kill() }()
	w.once, w.latency = true, func() time.Duration { return 0 }
	w.say = func() answer { return token(life, 0) }
	name := w.ask("a", "mail", "app", []stsv1alpha1.Scope{"mail"})
	w.until(func() bool { return w.isWell(name) })
	well := w.read(name).request.Status
	calm := readyOf(w.read(name).request)
	end := well.Token.ExpiresAt.Time
	near := end.Add(-min(max(life/10, 2*time.Minute), life/4))
	holds := w.read(name).secret.Data["access_token"]

	if o.begin != nil {
		o.begin(w)
	}
	w.say = func() answer { return o.answer }
	before := w.applied[writeStatus]
	calls := len(w.calls)

	// Until the end nears nothing but Issued tells.
	told := map[string]string{"Ready": "True/TokenValid", "Issued": "False/" + o.reason}
	maps.Copy(told, o.extra)
	w.until(func() bool { return !w.time.wall.Now().Before(well.NextAttemptAt.Time) && w.says(name, told) })
	for w.nextLook(name).Before(near) {
		w.follow()
		w.hasTold(name, told)
		if said := readyOf(w.read(name).request); said != calm {
			t.Fatalf("before the end is near Ready says %q", said)
		}
	}
	w.hadEvents(map[string]int{"mail Warning/" + o.reason: 1})

	// Then Ready says so once, at that very instant, and stays True.
	w.until(func() bool { return readyOf(w.read(name).request) != calm })
	if now := w.time.wall.Now(); now.Before(near) || now.After(near.Add(time.Second)) {
		t.Errorf("the end at %v was said to be near at %v, want %v", end, now, near)
	}
	loud := readyOf(w.read(name).request)
	if !strings.Contains(loud, end.UTC().Format(time.RFC3339)) {
		t.Errorf("near the end Ready says %q, want the instant %v", loud, end)
	}
	for w.nextLook(name).Before(end) {
		w.follow()
		w.hasTold(name, told)
		if said := readyOf(w.read(name).request); said != loud {
			t.Fatalf("Ready says %q, and then %q", loud, said)
		}
	}
	w.hadEvents(map[string]int{"mail Warning/" + o.reason: 1, "mail Warning/TokenExpiring": 1})

	// From its end on there is no token, for as long as it takes.
	over := map[string]string{"Ready": "False/TokenExpired"}
	for _, more := range []map[string]string{{"Issued": "False/" + o.reason}, o.extra, o.owed} {
		maps.Copy(over, more)
	}
	w.until(func() bool { return w.says(name, over) })
	if now := w.time.wall.Now(); now.Before(end) || now.After(end.Add(time.Second)) {
		t.Errorf("the end was told at %v, want %v", now, end)
	}
	for w.time.wall.Now().Before(end.Add(2 * time.Hour)) {
		w.follow()
		w.hasTold(name, over)
	}
	events := map[string]int{"mail Warning/" + o.reason: 1, "mail Warning/TokenExpiring": 1, "mail Warning/TokenExpired": 1}
	w.hadEvents(events)
	if got := w.read(name).secret.Data["access_token"]; string(got) != string(holds) {
		t.Error("the outage changed what the Secret holds")
	}
	// One write for each call, one for each of the three changes that come by the clock or the API alone.
	if wrote, most := w.applied[writeStatus]-before, len(w.calls)-calls+3; wrote > most {
		t.Errorf("%d status writes, want %d at most", wrote, most)
	}

	// And all of it goes back.
	if o.end != nil {
		o.end(w)
	}
	w.say = func() answer { return token(life, 0) }
	w.until(func() bool { return w.isWell(name) })
	w.hasTold(name, map[string]string{"Ready": "True/TokenValid", "Issued": "True/TokenIssued"})
	if said := readyOf(w.read(name).request); said != calm {
		t.Errorf("after the outage Ready says %q", said)
	}
	events["mail Normal/TokenIssued"] = 1
	w.hadEvents(events)
	if e := w.read(name).request.Status.LastError; e != nil {
		t.Errorf("after the outage lastError is %+v", e)
	}
}

// until follows the request until something is so.
func (w *world) until(so func() bool) {
	w.t.Helper()
	for looks := 0; !so(); looks++ {
		if looks > 2000 {
			w.t.Fatalf("it isn't so after %d looks; the last: %v", looks, w.diary[max(0, len(w.diary)-20):])
		}
		w.follow()
	}
}

// nextLook is when a request is looked at next, by the wall clock.
func (w *world) nextLook(name types.NamespacedName) time.Time {
	return w.time.wall.Now().Add(w.due[name] - w.time.trueTime())
}

func saidOf(r *stsv1alpha1.TokenRequest) map[string]string {
	said := map[string]string{}
	for _, c := range r.Status.Conditions {
		said[c.Type] = string(c.Status) + "/" + c.Reason
	}
	return said
}

func readyOf(r *stsv1alpha1.TokenRequest) string {
	return meta.FindStatusCondition(r.Status.Conditions, stsv1alpha1.ConditionReady).Message
}

func (w *world) says(name types.NamespacedName, conditions map[string]string) bool {
	return cmp.Equal(conditions, saidOf(w.read(name).request))
}

func (w *world) hasTold(name types.NamespacedName, conditions map[string]string) {
	w.t.Helper()
	if diff := cmp.Diff(conditions, saidOf(w.read(name).request)); diff != "" {
		w.t.Fatalf("at %v the conditions are (-want +got):\n%s", w.time.wall.Now(), diff)
	}
}

func (w *world) hadEvents(want map[string]int) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.events); diff != "" {
		w.t.Fatalf("at %v the events are (-want +got):\n%s", w.time.wall.Now(), diff)
	}
}

// TestASuspendedTokenIsLoudOnceBeforeItsEnd lets a suspended request's token run out: no call, a message, and two events.
func TestASuspendedTokenIsLoudOnceBeforeItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "suspended", 1, "a")
		defer func() { w.process.kill() }()
		w.once, w.latency = true, func() time.Duration { return 0 }
		w.say = func() answer { return token(time.Hour, 0) }
		name := w.ask("a", "mail", "app", []stsv1alpha1.Scope{"mail"})
		w.until(func() bool { return w.isWell(name) })
		well := w.read(name).request.Status
		w.suspend(name, true)
		w.follow()
		quiet := readyOf(w.read(name).request)
		if !strings.Contains(quiet, "until spec.suspend is false") {
			t.Errorf("Ready says %q", quiet)
		}
		said := []string{quiet}
		writes := w.applied[writeStatus]
		for w.time.wall.Now().Before(well.Token.ExpiresAt.Add(2 * time.Hour)) {
			w.follow()
			if now := readyOf(w.read(name).request); !slices.Contains(said, now) {
				said = append(said, now)
			}
		}
		if len(said) != 3 || !strings.Contains(said[1], well.Token.ExpiresAt.UTC().Format(time.RFC3339)) {
			t.Errorf("Ready said %q, want what is, then the end, then that it has come", said)
		}
		w.hasTold(name, map[string]string{"Ready": "False/Suspended", "Issued": "True/TokenIssued"})
		w.hadEvents(map[string]int{"mail Warning/TokenExpiring": 1, "mail Warning/TokenExpired": 1})
		if wrote := w.applied[writeStatus] - writes; wrote != 2 {
			t.Errorf("%d status writes, want one for each change", wrote)
		}
		if len(w.calls) != 1 {
			t.Errorf("%d calls, of which those after the first were made for a suspended request", len(w.calls))
		}
		w.suspend(name, false)
		w.until(func() bool { return w.isWell(name) })
	})
}

// suspend sets spec.suspend, which wakes the operator.
func (w *world) suspend(name types.NamespacedName, suspended bool) {
	w.edit(name, func(r *stsv1alpha1.TokenRequest) { r.Spec.Suspend = suspended })
}
