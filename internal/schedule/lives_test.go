// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package schedule_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"tokenrequest.dev/operator/internal/schedule"
)

// promised is the time that a token has left at its refresh, as RefreshAt's comment has it and not as the code does.
func promised(life time.Duration, refreshBefore *time.Duration) time.Duration {
	if refreshBefore != nil {
		return min(max(*refreshBefore, 0), life*3/4)
	}
	return min(max(life/4, 120*time.Second), life*3/4)
}

// Each object lives through tokens, from issue to issue, by nothing but what RefreshAt and Decide say.
func TestNoLifeEverHoldsLessThanThePromisedMargin(t *testing.T) {
	lives := []time.Duration{
		0, math.MinInt64, time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second, 7 * time.Second, time.Minute, 160 * time.Second,
		5 * time.Minute, time.Hour, 90 * time.Minute, day, 40 * day, year, 10 * year, math.MaxInt64,
	}
	margins := []*time.Duration{nil, new(time.Duration(0)), new(-time.Hour), new(time.Second), new(10 * time.Minute), new(11 * year)}
	advices := []time.Duration{0, 1, time.Second, -time.Hour, 30 * time.Minute, 100 * year, math.MaxInt64}
	random := rand.New(rand.NewPCG(21, 22))
	for _, life := range lives {
		for _, margin := range margins {
			for _, advice := range advices {
				for range 5 {
					liveThrough(t, schedule.Token{IssuedAt: issued(), Lifetime: life, RefreshIn: advice, RefreshBefore: margin, First: true}, uidOf(random))
				}
			}
		}
	}
}

// liveThrough follows one object from token to token, which all live as long.
func liveThrough(t *testing.T, token schedule.Token, uid string) {
	t.Helper()
	life := token.Lifetime
	if life <= 0 {
		life = time.Hour
	}
	for range 12 {
		facts := held(token, uid)
		now := token.IssuedAt
		d := schedule.Decide(facts, now)
		for looks := 0; !d.Due; looks++ {
			if wait := d.At.Sub(now); wait <= 0 || wait > schedule.Horizon || looks > 1 {
				t.Fatalf("%+v: look %d waits for %v", token, looks, wait)
			}
			now = d.At
			d = schedule.Decide(facts, now)
		}
		age := now.Sub(token.IssuedAt)
		least := min(life/20*3, 6*day) - time.Second
		switch {
		case life < 4*time.Second:
			if age < time.Second || age > max(life, time.Second) {
				t.Fatalf("%+v: refreshed after %v", token, age)
			}
		case life-age < promised(life, token.RefreshBefore):
			t.Fatalf("%+v: %v left at the refresh, want %v", token, life-age, promised(life, token.RefreshBefore))
		case age < least:
			t.Fatalf("%+v: refreshed after %v, want %v at least", token, age, least)
		}
		token.IssuedAt, token.First = now, false
	}
}

// held are the facts of an object whose Secret holds a token.
func held(token schedule.Token, uid string) schedule.Facts {
	facts := schedule.Facts{SecretFound: true, Intact: true, Matches: true, IssuedAt: token.IssuedAt, RefreshAt: schedule.RefreshAt(token, uid)}
	if token.Lifetime > 0 && token.Lifetime < 200*year {
		facts.ExpiresAt = token.IssuedAt.Add(token.Lifetime)
	}
	return facts
}

// The wall clock is set once in a token's life. A queue's delays are in true time: a look that was planned comes when it was
// planned for, whatever the wall clock says by then.
func TestAClockThatIsSetPutsARefreshOffByNoMoreThanItWasSetBack(t *testing.T) {
	const slack = 5 * time.Minute
	random := rand.New(rand.NewPCG(23, 24))
	for range 40_000 {
		token := schedule.Token{IssuedAt: issued(), Lifetime: anyDuration(random), First: random.IntN(2) == 0}
		facts := held(token, uidOf(random))
		planned := facts.RefreshAt.Sub(token.IssuedAt)
		setAt := time.Duration(random.Int64N(int64(planned)))
		set := anyDuration(random)
		if random.IntN(2) == 0 {
			set = -set
		}
		wall := func(age time.Duration) time.Time {
			if age >= setAt {
				age += set
			}
			return token.IssuedAt.Add(age)
		}
		latest := planned
		if set < 0 && planned+set > -slack {
			latest -= set
		}
		age := time.Duration(0)
		for looks := 0; ; looks++ {
			d := schedule.Decide(facts, wall(age))
			if d.Due {
				break
			}
			wait := d.At.Sub(wall(age))
			if wait <= 0 || looks > 3 {
				t.Fatalf("%+v, set by %v at %v: look %d waits for %v", token, set, setAt, looks, wait)
			}
			age += wait
		}
		if age > latest {
			t.Fatalf("%+v, set by %v at %v: refreshed after %v, planned for %v", token, set, setAt, age, planned)
		}
	}
}

// population is how many objects a GitOps tool creates within one second.
const population = 10_000

// A cycle is one refresh of each object; the first token of each comes with the burst and is no refresh. The mean is that of
// all windows between one life after the burst and the end, twenty lives later. The peak is that of the fullest window from
// the first refresh on, whatever cycles its refreshes belong to.
func TestABurstOfObjectsNeverComesDueTogetherAgain(t *testing.T) {
	constant := func(life time.Duration) func(*rand.Rand) time.Duration {
		return func(*rand.Rand) time.Duration { return life }
	}
	for _, c := range []struct {
		name     string
		longest  time.Duration
		window   time.Duration
		lifetime func(*rand.Rand) time.Duration
	}{
		{"5 min", 5 * time.Minute, time.Minute, constant(5 * time.Minute)},
		{"7 min", 7 * time.Minute, time.Minute, constant(7 * time.Minute)},
		{"15 min", 15 * time.Minute, time.Minute, constant(15 * time.Minute)},
		{"1 h", time.Hour, time.Minute, constant(time.Hour)},
		// Entra's default: "a random value ranging between 60-90 minutes (75 minutes on average)".
		{"60 to 90 min", 90 * time.Minute, time.Minute, func(random *rand.Rand) time.Duration {
			return time.Hour + time.Duration(random.IntN(1801))*time.Second
		}},
		{"24 h", day, 24 * time.Minute, constant(day)},
		{"90 d", 90 * day, 90 * 24 * time.Minute, constant(90 * day)},
	} {
		t.Run(c.name, func(t *testing.T) {
			peak, mean := refreshesPerWindow(rand.New(rand.NewPCG(25, 26)), c.lifetime, c.window, c.longest)
			if float64(peak) >= 2*mean {
				t.Errorf("%d refreshes in one window, and %.0f on average", peak, mean)
			}
		})
	}
}

// refreshesPerWindow lets a burst of objects live for twenty of the longest lives, and counts.
func refreshesPerWindow(random *rand.Rand, lifetime func(*rand.Rand) time.Duration, window, longest time.Duration) (peak int, mean float64) {
	settled, end := int(longest/window), int(21*longest/window)
	counts := make([]int, end)
	for range population {
		uid := uidOf(random)
		token := schedule.Token{IssuedAt: issued().Add(time.Duration(random.Int64N(int64(time.Second)))), First: true}
		for {
			token.Lifetime = lifetime(random)
			at := schedule.RefreshAt(token, uid)
			slot := int(at.Sub(issued()) / window)
			if slot >= end {
				break
			}
			counts[slot]++
			token.IssuedAt, token.First = at, false
		}
	}
	total := 0
	for slot, n := range counts {
		peak = max(peak, n)
		if slot >= settled {
			total += n
		}
	}
	return peak, float64(total) / float64(end-settled)
}
