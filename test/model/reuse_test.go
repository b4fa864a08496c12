// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// published judges the token that a reconcile has put into a Secret: whoever made the call, it has to be the answer to what this
// very request asks now, with the credential of now, in its own namespace and by the process that lives. The caller holds the
// lock.
func (w *world) published(name types.NamespacedName, before, after pair, l look) {
	had, has := tokenIn(before), tokenIn(after)
	if l.reused && l.calls > 0 {
		w.complain("invariant 8: %s was given a token from the shelf, and asked for another", name)
	}
	if has == had {
		if l.reused && !before.unseen() {
			w.complain("invariant 8: %s was given the token that it had", name)
		}
		return
	}
	c := w.calls[has]
	switch {
	case c == nil || c.metadata || c.answer.remember != nothing:
		w.complain("invariant 8: the Secret of %s holds what no token service gave: %q", name, has)
		return
	case c.key.namespace != name.Namespace:
		w.complain("invariant 8: %s was given what another tenancy domain asked for: %v", name, c)
	case c.question != w.questionOf(before.request):
		w.complain("invariant 8: %s was given the answer to another question: %v", name, c)
	}
	w.lawful(name, before, c, l)
	if w.had[name] == nil {
		w.had[name] = map[string]bool{}
	}
	w.had[name][has] = true
}

// lawful judges with what, when and for whom the call was made whose token was published.
func (w *world) lawful(name types.NamespacedName, before pair, c *call, l look) {
	forced := isForced(before.request)
	switch {
	case c.credential != w.credentialValue(name.Namespace):
		w.complain("invariant 8: %s was given a token of another credential: %v", name, c)
	case c.process != w.process:
		w.complain("invariant 8: %s was given a token that a dead process asked for: %v", name, c)
	case c.key.endpoint != endpointOf(before.request):
		w.complain("invariant 8: %s was given a token of another token service: %v", name, c)
	case forced && l.reused:
		w.complain("invariant 8: somebody wants another token for %s, and it was given one from the shelf: %v", name, c)
	case forced && w.had[name][c.id]:
		// One that had come and wasn't collected yet is as good as another.
		w.complain("invariant 8: somebody wants another token for %s, and it was given one that it has had: %v", name, c)
	case l.reused && w.had[name][c.id] && !before.unseen():
		w.complain("invariant 8: %s was given a token from the shelf that it has had before: %v", name, c)
	case l.reused && l.err == nil && !l.died && !l.coveredAfter:
		w.complain("invariant 8: %s was given a token from the shelf that is due already: %v", name, c)
	}
}

// tokenIn is the token in a Secret, "" when there is none.
func tokenIn(is pair) string {
	if is.secret == nil {
		return ""
	}
	return string(is.secret.Data["access_token"])
}

// endpointOf is where a request's token comes from: the authorities of this world name the common endpoint.
func endpointOf(r *stsv1alpha1.TokenRequest) string {
	if r.Spec.Issuer.TokenEndpoint != "" {
		return string(r.Spec.Issuer.TokenEndpoint)
	}
	return commonEndpoint
}

// TestOneCallServesWhoAsksTheSame counts the calls of those who ask one after the other, and so never wait for the same call.
func TestOneCallServesWhoAsksTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "reuse", 1, "a", "b")
		defer func() { w.process.kill() }()
		w.latency = func() time.Duration { return time.Second }
		w.say = func() answer { return token(time.Hour, 0) }
		expect := func(what string, calls int) {
			t.Helper()
			w.settle()
			w.judge()
			if len(w.calls) != calls {
				t.Fatalf("%s: %d calls, want %d", what, len(w.calls), calls)
			}
		}
		mail := []stsv1alpha1.Scope{"mail"}
		first := w.ask("a", "first", "app", mail)
		expect("the first", 1)
		second := w.ask("a", "second", "app", mail)
		expect("another that asks the same", 1)
		if tokenIn(w.read(first)) != tokenIn(w.read(second)) {
			t.Error("who asks the same hasn't got the same")
		}
		w.ask("b", "first", "app", mail)
		expect("another tenant that asks the same", 2)
		w.ask("a", "resource", "app", mail, func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Resources = []stsv1alpha1.Resource{"https://resource.example/mail"}
		})
		expect("another question", 3)
		w.ask("a", "elsewhere", "app", mail, func(r *stsv1alpha1.TokenRequest) { r.Spec.Issuer.TokenEndpoint = "https://other.example/token" })
		expect("another token service", 4)
		w.force(second)
		expect("somebody who wants another token", 5)
		w.ask("a", "third", "app", mail)
		expect("another that asks what was asked last", 5)
		w.changeCredential(first)
		w.ask("a", "fourth", "app", mail)
		expect("another credential", 6)
		w.restart()
		w.ask("a", "fifth", "app", mail)
		expect("another process", 7)
	})
}

// TestATokenThatIsDueIsGivenToNobody has the request alone look that comes when another's token nears its end, or is of a time
// that the wall clock was set back from.
func TestATokenThatIsDueIsGivenToNobody(t *testing.T) {
	for i, c := range []struct {
		name        string
		passes, set time.Duration
	}{
		{name: "it is nearly over", passes: 55 * time.Minute},
		{name: "the clock was set back", set: -300 * 24 * time.Hour},
		{name: "the clock was set ahead", set: 300 * 24 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, fmt.Sprint("due-", i), 1, "a")
				defer func() { w.process.kill() }()
				w.latency = func() time.Duration { return time.Second }
				w.say = func() answer { return token(time.Hour, 0) }
				mail := []stsv1alpha1.Scope{"mail"}
				first := w.ask("a", "first", "app", mail)
				w.settle()
				w.names = nil // the first isn't looked at any more
				w.time.pass(c.passes)
				w.set(c.set)
				second := w.ask("a", "second", "app", mail)
				w.settle()
				w.judge()
				if len(w.calls) != 2 || tokenIn(w.read(first)) == tokenIn(w.read(second)) {
					t.Errorf("%d calls, want 2", len(w.calls))
				}
			})
		})
	}
}

// settle reconciles until each request has a token.
func (w *world) settle() {
	w.t.Helper()
	for range 50 {
		w.follow()
		well := 0
		for _, name := range w.names {
			if w.isWell(name) && w.due[name] > w.time.trueTime() {
				well++
			}
		}
		if well == len(w.names) {
			return
		}
	}
	w.t.Fatal("a request has no token")
}
