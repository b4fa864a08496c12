// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package schedule_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/schedule"
)

// healthy returns the facts of an object whose one-hour token was issued ten minutes before now.
func healthy(now time.Time) schedule.Facts {
	return schedule.Facts{
		SecretFound: true, Intact: true, Matches: true,
		IssuedAt: now.Add(-10 * time.Minute), RefreshAt: now.Add(30 * time.Minute), ExpiresAt: now.Add(50 * time.Minute),
	}
}

func TestDecide(t *testing.T) {
	now := issued()
	in := func(d time.Duration) time.Time { return now.Add(d) }
	due := func(why schedule.Why) schedule.Decision {
		return schedule.Decision{Due: true, At: now, Step: schedule.StepAttempt, AttemptAt: now, Why: why}
	}
	later := func(d time.Duration, why schedule.Why) schedule.Decision {
		return schedule.Decision{At: in(d), Step: schedule.StepAttempt, AttemptAt: in(d), Why: why}
	}
	tests := []struct {
		name string
		edit func(f *schedule.Facts)
		want schedule.Decision
	}{
		{"a new object is due", func(f *schedule.Facts) { *f = schedule.Facts{} }, due(schedule.WhySecretMissing)},
		{"a healthy object waits for its refresh", func(*schedule.Facts) {}, later(30*time.Minute, schedule.WhyNothing)},
		{"a Secret that is gone is due", func(f *schedule.Facts) { f.SecretFound = false }, due(schedule.WhySecretMissing)},
		{"a drifted Secret is due", func(f *schedule.Facts) { f.Intact = false }, due(schedule.WhySecretDrifted)},
		{"a changed spec is due", func(f *schedule.Facts) { f.Matches = false }, due(schedule.WhySpecChanged)},
		{"a token at its very expiry is due", func(f *schedule.Facts) { f.ExpiresAt = now }, due(schedule.WhyTokenExpired)},
		{"an object at its very refresh is due", func(f *schedule.Facts) { f.RefreshAt = now }, due(schedule.WhyNearExpiry)},
		{"an object one instant before its refresh is not", func(f *schedule.Facts) { f.RefreshAt = in(1) }, later(1, schedule.WhyNothing)},
		{"a record without a plan is due", func(f *schedule.Facts) { f.RefreshAt = time.Time{} }, due(schedule.WhyNearExpiry)},
		{"an unknown expiry is never reached", func(f *schedule.Facts) { f.ExpiresAt = time.Time{} }, later(30*time.Minute, schedule.WhyNothing)},
		{"a plan behind the expiry is made at the expiry", func(f *schedule.Facts) { f.ExpiresAt = in(time.Minute) }, later(time.Minute, schedule.WhyNothing)},
		{"the worst cause names the decision", func(f *schedule.Facts) { f.SecretFound, f.Matches, f.Forced = false, false, true }, due(schedule.WhySecretMissing)},
		{"a forced refresh is due", func(f *schedule.Facts) { f.Forced = true }, due(schedule.WhyForcedByAnnotation)},

		{"a token from the future of a moved clock is due", func(f *schedule.Facts) { f.IssuedAt = in(day) }, due(schedule.WhyClockMoved)},
		{"a clock that is ahead by less than the slack is none", func(f *schedule.Facts) { f.IssuedAt = in(5 * time.Minute) }, later(30*time.Minute, schedule.WhyNothing)},
		{"a plan further ahead than any plan is due", func(f *schedule.Facts) { f.RefreshAt, f.ExpiresAt = in(31*day), in(year) }, due(schedule.WhyClockMoved)},
		{"a plan within the slack of the horizon is looked at on the horizon", func(f *schedule.Facts) { f.RefreshAt, f.ExpiresAt = in(30*day+time.Minute), in(year) },
			schedule.Decision{At: in(30 * day), Step: schedule.StepAttempt, AttemptAt: in(30*day + time.Minute), Why: schedule.WhyNothing}},

		{"a failed attempt waits for its retry", func(f *schedule.Facts) {
			f.SecretFound, f.ExpiresAt, f.Retry = false, time.Time{}, retry(in(time.Minute))
		},
			later(time.Minute, schedule.WhyBackoff)},
		{"a failed refresh looks up when the old token expires", func(f *schedule.Facts) {
			f.RefreshAt, f.ExpiresAt, f.Retry = in(-time.Minute), in(time.Minute), retry(in(time.Hour))
		}, schedule.Decision{At: in(time.Minute), Step: schedule.StepExpiry, AttemptAt: in(time.Hour), Why: schedule.WhyBackoff}},
		{"a failed refresh with time left waits for its retry", func(f *schedule.Facts) { f.RefreshAt, f.Retry = in(-time.Minute), retry(in(time.Minute)) },
			later(time.Minute, schedule.WhyBackoff)},
		{"an expired token doesn't pass over the retry", func(f *schedule.Facts) { f.ExpiresAt, f.Retry = in(-time.Minute), retry(in(time.Minute)) },
			later(time.Minute, schedule.WhyBackoff)},
		{"a refresh that failed is still owed, though the token is good", func(f *schedule.Facts) { f.Owed = true }, due(schedule.WhyOwed)},
		{"a refresh that is owed waits for its retry", func(f *schedule.Facts) { f.Owed, f.Retry = true, retry(in(time.Minute)) },
			later(time.Minute, schedule.WhyBackoff)},
		{"a retry that has come is due", func(f *schedule.Facts) { f.RefreshAt, f.Retry = in(-time.Minute), retry(now) }, due(schedule.WhyNearExpiry)},
		{"a forced refresh passes over the retry", func(f *schedule.Facts) { f.Forced, f.Retry = true, retry(in(time.Minute)) }, due(schedule.WhyForcedByAnnotation)},
		{"a retry without a cause doesn't hurry a healthy object", func(f *schedule.Facts) { f.Retry = retry(in(time.Minute)) }, later(30*time.Minute, schedule.WhyNothing)},
		{"a retry as late as a spread Retry-After counts", func(f *schedule.Facts) {
			f.SecretFound, f.ExpiresAt, f.Retry = false, time.Time{}, retry(in(66*time.Minute))
		},
			later(66*time.Minute, schedule.WhyBackoff)},
		{"a retry of a replica whose clock is ahead counts", func(f *schedule.Facts) {
			f.SecretFound, f.ExpiresAt, f.Retry = false, time.Time{}, retry(in(71*time.Minute))
		},
			later(71*time.Minute, schedule.WhyBackoff)},
		{"a retry later than any failure can put it stops nobody", func(f *schedule.Facts) { f.SecretFound, f.Retry = false, retry(in(71*time.Minute+1)) }, due(schedule.WhySecretMissing)},
		{"a hand-edited retry stops nobody", func(f *schedule.Facts) { f.SecretFound, f.Retry = false, retry(in(100*year)) }, due(schedule.WhySecretMissing)},

		{"a suspended object looks up when its token expires", func(f *schedule.Facts) { f.Suspended = true },
			schedule.Decision{At: in(50 * time.Minute), Step: schedule.StepExpiry, Why: schedule.WhySuspended}},
		{"a suspended object is never due, forced or expired", func(f *schedule.Facts) { f.Suspended, f.Forced, f.ExpiresAt = true, true, in(-time.Minute) },
			schedule.Decision{Why: schedule.WhySuspended}},
		{"a suspended object without a token has no next step", func(f *schedule.Facts) { *f = schedule.Facts{Suspended: true} },
			schedule.Decision{Why: schedule.WhySuspended}},
		{"a suspended object with a token of a year is looked at within the horizon", func(f *schedule.Facts) { f.Suspended, f.ExpiresAt = true, in(year) },
			schedule.Decision{At: in(30 * day), Step: schedule.StepExpiry, Why: schedule.WhySuspended}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(now)
			test.edit(&facts)
			if diff := cmp.Diff(test.want, schedule.Decide(facts, now)); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecideAlwaysLeavesANextStep(t *testing.T) {
	now := issued()
	random := rand.New(rand.NewPCG(11, 12))
	for range 40_000 {
		facts := anyFacts(random, now)
		d := schedule.Decide(facts, now)
		switch {
		case d.Due && facts.Suspended:
			t.Fatalf("%+v: suspended and due", facts)
		case d.Due:
			continue
		case d.At.IsZero() && facts.Suspended && !facts.ExpiresAt.After(now):
			continue
		case !d.At.After(now):
			t.Fatalf("%+v: next step %v, which isn't in the future", facts, d.At)
		case d.At.After(now.Add(schedule.Horizon)):
			t.Fatalf("%+v: next step only in %v", facts, d.At.Sub(now))
		}
	}
}

func TestFollowingTheDecisionArrivesAtAnAttempt(t *testing.T) {
	random := rand.New(rand.NewPCG(13, 14))
	for range 40_000 {
		now := issued()
		facts := anyFacts(random, now)
		facts.Suspended = false
		d := schedule.Decide(facts, now)
		for hops := 0; !d.Due; hops++ {
			if hops == 3 {
				t.Fatalf("%+v: still waiting after %v: %+v", facts, now.Sub(issued()), d)
			}
			now = d.At
			d = schedule.Decide(facts, now)
		}
	}
}

func TestALifeOfRefreshesNeitherStopsNorLoops(t *testing.T) {
	random := rand.New(rand.NewPCG(15, 16))
	for range 1_000 {
		token, uid := anyToken(random), uidOf(random)
		for range 20 {
			facts := schedule.Facts{SecretFound: true, Intact: true, Matches: true, IssuedAt: token.IssuedAt, RefreshAt: schedule.RefreshAt(token, uid)}
			d := schedule.Decide(facts, token.IssuedAt)
			if d.Due || d.Why != schedule.WhyNothing {
				t.Fatalf("%+v: asked for again at once: %+v", token, d)
			}
			if !schedule.Decide(facts, d.At).Due {
				t.Fatalf("%+v: not due at its own instant", token)
			}
			token.IssuedAt, token.First = d.At, false
		}
	}
}

func retry(at time.Time) *schedule.Retry { return &schedule.Retry{At: at} }

// anyFacts draws facts with instants from years ago to years ahead, as hand edits and jumping clocks leave them.
func anyFacts(random *rand.Rand, now time.Time) schedule.Facts {
	coin := func() bool { return random.IntN(4) > 0 }
	instant := func() time.Time {
		switch random.IntN(5) {
		case 0:
			return time.Time{}
		case 1:
			return now.Add(time.Duration(random.Int64N(7) - 3))
		case 2:
			return now.Add(-anyDuration(random))
		default:
			return now.Add(anyDuration(random))
		}
	}
	facts := schedule.Facts{
		Suspended: !coin(), SecretFound: coin(), Intact: coin(), Matches: coin(), Forced: !coin(),
		IssuedAt: instant(), RefreshAt: instant(), ExpiresAt: instant(),
	}
	if coin() {
		facts.Retry = retry(instant())
	}
	return facts
}
