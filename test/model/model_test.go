// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// TestModel plays a world for each seed. A seed that fails is played again by itself with -run TestModel -seed N.
func TestModel(t *testing.T) {
	seeds := []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 22, 32, 35, 36}
	if *oneSeed != 0 {
		seeds = []uint64{*oneSeed}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { play(t, seed) })
		})
	}
}

func play(t *testing.T, seed uint64) {
	w := newWorld(t, fmt.Sprint("model-", seed), seed, "a", "b", "c")
	defer func() { w.process.kill() }()
	w.latency = func() time.Duration { return time.Duration(w.random.IntN(3000)) * time.Millisecond }
	w.loses = 5
	w.turn(weathers()[0])
	w.populate()
	for range *steps {
		w.step()
		w.judge()
	}
	w.heal()
}

// populate makes requests that share keys in all the ways in which they can.
func (w *world) populate() {
	mail, files, chat, calendar := []stsv1alpha1.Scope{"mail"}, []stsv1alpha1.Scope{"files"}, []stsv1alpha1.Scope{"chat", "mail"}, []stsv1alpha1.Scope{"calendar"}
	w.ask("a", "mail", "app", mail)
	w.ask("a", "mail-too", "app", mail) // asks just the same
	w.ask("a", "mail-of-a-resource", "app", mail, func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Resources = []stsv1alpha1.Resource{"https://resource.example/mail"}
	})
	w.ask("a", "files", "app", files)
	w.ask("a", "chat", "app", chat)
	w.ask("a", "calendar", "app", calendar)
	w.ask("b", "mail", "app", mail) // another tenant with the same words
	w.ask("b", "files", "app", files, discovering)
	w.ask("b", "solo", "solo", nil, discovering)
	w.ask("c", "solo", "solo", nil, func(r *stsv1alpha1.TokenRequest) { r.Spec.Issuer.TokenEndpoint = "https://other.example/token" })
}

// step is one thing that happens.
func (w *world) step() {
	switch n := w.random.IntN(100); {
	case n < 54:
		w.follow()
	case n < 58:
		// The operator is late.
		w.time.pass(time.Duration(w.random.Int64N(int64(10 * time.Minute))))
		w.hear()
	case n < 66:
		// The token services take their time.
		w.holds = 100
		for range 1 + w.random.IntN(4) {
			w.follow()
		}
		w.holds = 0
	case n < 73 && len(w.held) > 0:
		w.answer(one(w.random, w.held))
	case n < 76:
		w.set(w.jump())
	case n < 79:
		w.set(-w.jump())
	case n < 81:
		w.restart()
	case n < 83:
		w.note("the process crashes")
		w.crash()
	case n < 87:
		w.plan()
	case n < 89:
		w.tidy()
	case n < 92:
		w.turn(one(w.random, weathers()))
	default:
		w.meddle()
	}
}

// turn changes the weather.
func (w *world) turn(now weather) {
	w.note("the weather is %s", now.name)
	w.say = func() answer { return now.answer(w.random) }
}

// jump is how far the wall clock is set: by what NTP corrects, by hours, or by months.
func (w *world) jump() time.Duration {
	most := one(w.random, []time.Duration{time.Second, 5 * time.Minute, 3 * time.Hour, 300 * 24 * time.Hour})
	return time.Duration(w.random.Int64N(int64(most)))
}

func (w *world) set(d time.Duration) {
	w.note("the wall clock is set by %v", d)
	w.time.set(d)
}

// plan has one of the next writes go wrong.
func (w *world) plan() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.planned, w.plannedAfter = one(w.random, []fault{diesBefore, diesAfter, failsBefore, failsAfter}), w.random.IntN(4)
}

// nextFault is the fault of the write that is about to be made. The caller holds the lock.
func (w *world) nextFault() fault {
	if w.planned == sound {
		return sound
	}
	if w.plannedAfter > 0 {
		w.plannedAfter--
		return sound
	}
	f := w.planned
	w.planned = sound
	return f
}

// tidy is what internal/manager does every ten seconds.
func (w *world) tidy() {
	w.note("the throttle ConfigMap is tidied")
	w.mu.Lock()
	w.injected = false
	w.mu.Unlock()
	err := w.process.store.Tidy(w.ctx())
	w.mu.Lock()
	injected, dead := w.injected, w.process.dead
	w.mu.Unlock()
	if dead {
		w.crash()
	} else if err != nil && !injected {
		w.t.Fatalf("tidying the gates: %v", err)
	}
}

// restart stops the operator in good order, and starts another one.
func (w *world) restart() {
	w.note("the process is restarted")
	w.mu.Lock()
	w.planned = sound
	w.mu.Unlock()
	w.must("storing the gates at the end", w.process.end())
	w.begin()
}

// crash ends the process, and starts another one.
func (w *world) crash() {
	w.process.kill()
	w.begin()
}

func (w *world) begin() {
	w.mu.Lock()
	w.books.crashed()
	w.arrived, w.held = nil, nil
	w.mu.Unlock()
	for len(w.woken) > 0 {
		<-w.woken
	}
	w.start()
	w.note("a new process has started")
	for _, name := range w.names {
		w.due[name], w.errors[name] = w.time.trueTime(), 0
	}
}

// Bounds of a recovery: true time, and reconciles for each request.
const (
	longestRecovery  = resync + 2*time.Hour
	reconcilesToHeal = 60
)

// heal ends all that went wrong, and judges that each request gets a token by nothing but its own next steps.
func (w *world) heal() {
	w.note("the world heals")
	w.mu.Lock()
	w.planned = sound
	w.mu.Unlock()
	w.loses, w.say = 0, func() answer { return token(time.Hour, 0) }
	for len(w.held) > 0 {
		w.answer(w.held[0])
	}
	began := w.time.trueTime()
	ailing := slices.Clone(w.names)
	for reconciles := 0; ; reconciles++ {
		ailing = slices.DeleteFunc(ailing, w.isWell)
		took := w.time.trueTime() - began
		if len(ailing) == 0 {
			return
		}
		if reconciles > reconcilesToHeal*len(w.names) || took > longestRecovery {
			w.mu.Lock()
			w.complain("invariant 2: %v and %d reconciles after the world has healed, %v have no token", took, reconciles, ailing)
			w.mu.Unlock()
		}
		w.judge()
		w.follow()
	}
}

// isWell says that a request has a token, and knows of it.
func (w *world) isWell(name types.NamespacedName) bool {
	is := w.read(name)
	conditions := is.request.Status.Conditions
	return w.covered(is) && meta.IsStatusConditionTrue(conditions, stsv1alpha1.ConditionReady) && meta.IsStatusConditionTrue(conditions, stsv1alpha1.ConditionIssued)
}
