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

const (
	day  = 24 * time.Hour
	year = 365 * day

	// early is a UID whose fraction is all but zero, late one whose fraction is all but one.
	early = "uid-2822"
	late  = "uid-2167"
)

func issued() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func TestRefreshAtFollowsThePolicy(t *testing.T) {
	// With almost no jitter the plan is the base; with almost all of it, a tenth of the lifetime earlier.
	tests := []struct {
		name          string
		token         schedule.Token
		latest, first time.Duration
	}{
		{"an hour is refreshed with a quarter left", schedule.Token{Lifetime: time.Hour}, 45 * time.Minute, 39 * time.Minute},
		{"a day is refreshed with a quarter left", schedule.Token{Lifetime: day}, 18 * time.Hour, 15*time.Hour + 36*time.Minute},
		{"five minutes leave the 120 s that a kubelet needs", schedule.Token{Lifetime: 5 * time.Minute}, 180 * time.Second, 150 * time.Second},
		{"two minutes are not fetched again at once", schedule.Token{Lifetime: 2 * time.Minute}, 30 * time.Second, 18 * time.Second},
		{"one second waits its second", schedule.Token{Lifetime: time.Second}, time.Second, time.Second},
		{"an unknown lifetime is planned as an hour", schedule.Token{}, 45 * time.Minute, 39 * time.Minute},
		{"a negative lifetime is an unknown one", schedule.Token{Lifetime: -time.Hour}, 45 * time.Minute, 39 * time.Minute},
		{"a year is not trusted beyond 30 days", schedule.Token{Lifetime: year}, 30 * day, 26 * day},
		{"the longest duration there is saturates", schedule.Token{Lifetime: math.MaxInt64}, 30 * day, 26 * day},
		{"a smaller refresh_in is taken", schedule.Token{Lifetime: day, RefreshIn: 12 * time.Hour}, 12 * time.Hour, 9*time.Hour + 36*time.Minute},
		{"a larger refresh_in is not", schedule.Token{Lifetime: time.Hour, RefreshIn: 50 * time.Minute}, 45 * time.Minute, 39 * time.Minute},
		{"a refresh_in of one second makes no hot loop", schedule.Token{Lifetime: time.Hour, RefreshIn: time.Second}, 15 * time.Minute, 9 * time.Minute},
		{"a refresh_in beyond a long horizon changes nothing", schedule.Token{Lifetime: 10 * year, RefreshIn: year}, 30 * day, 26 * day},
		{"a negative refresh_in was not said", schedule.Token{Lifetime: time.Hour, RefreshIn: -time.Second}, 45 * time.Minute, 39 * time.Minute},
		{"the user's margin replaces the policy's", schedule.Token{Lifetime: time.Hour, RefreshBefore: new(10 * time.Minute)}, 50 * time.Minute, 44 * time.Minute},
		{"a margin of zero plans for the expiry, less jitter", schedule.Token{Lifetime: time.Hour, RefreshBefore: new(time.Duration(0))}, time.Hour, 54 * time.Minute},
		{"a negative margin is zero", schedule.Token{Lifetime: time.Hour, RefreshBefore: new(-time.Hour)}, time.Hour, 54 * time.Minute},
		{"a margin larger than the life leaves a quarter of it", schedule.Token{Lifetime: time.Hour, RefreshBefore: new(day)}, 15 * time.Minute, 9 * time.Minute},
		{"a refresh_in below the user's margin is taken", schedule.Token{Lifetime: time.Hour, RefreshIn: 20 * time.Minute, RefreshBefore: new(10 * time.Minute)}, 20 * time.Minute, 14 * time.Minute},
		{"a first token is spread over 0.45 of its life", schedule.Token{Lifetime: time.Hour, First: true}, 45 * time.Minute, 18 * time.Minute},
		{"a first short token is not planned before 0.15 of its life", schedule.Token{Lifetime: 2 * time.Minute, First: true}, 30 * time.Second, 18 * time.Second},
		{"a first long token is spread over 18 days", schedule.Token{Lifetime: year, First: true}, 30 * day, 12 * day},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			token := test.token
			token.IssuedAt = issued()
			wantAround(t, schedule.RefreshAt(token, early), issued().Add(test.latest))
			wantAround(t, schedule.RefreshAt(token, late), issued().Add(test.first))
		})
	}
}

// wantAround allows for the fraction that the two UIDs are away from 0 and 1: one per mille of the jitter.
func wantAround(t *testing.T, got, want time.Time) {
	t.Helper()
	tolerance := time.Second + want.Sub(issued())/1000
	if d := got.Sub(want); d > tolerance || d < -tolerance {
		t.Errorf("refresh %v after issue, want %v", got.Sub(issued()), want.Sub(issued()))
	}
}

func TestRefreshAtIsInWholeSecondsUTC(t *testing.T) {
	odd := issued().Add(900 * time.Millisecond).In(time.FixedZone("elsewhere", 3600))
	for _, life := range []time.Duration{time.Second, 1500 * time.Millisecond, time.Minute, time.Hour} {
		at := schedule.RefreshAt(schedule.Token{IssuedAt: odd, Lifetime: life}, "uid")
		if at.Nanosecond() != 0 || at.Location() != time.UTC {
			t.Errorf("lifetime %v: got %v", life, at)
		}
		if at.Before(odd.Add(time.Second)) {
			t.Errorf("lifetime %v: truncating took the plan to %v after issue, under a second", life, at.Sub(odd))
		}
	}
}

func TestRefreshAtHoldsForAnyToken(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 40_000 {
		token := anyToken(random)
		uid := uidOf(random)
		at := schedule.RefreshAt(token, uid)
		wait := at.Sub(token.IssuedAt)
		life := token.Lifetime
		if life <= 0 {
			life = time.Hour
		}
		least := max(time.Second, min(life/20*3, 6*day)-time.Second)
		switch {
		case wait < least:
			t.Fatalf("%+v: refreshed %v after issue, want at least %v", token, wait, least)
		case wait > schedule.Horizon:
			t.Fatalf("%+v: refreshed %v after issue", token, wait)
		case wait > max(life, 2*time.Second):
			t.Fatalf("%+v: refreshed %v after issue, past its life", token, wait)
		case token.RefreshBefore == nil && life >= 5*time.Minute && life-wait < 120*time.Second:
			t.Fatalf("%+v: %v left at the refresh, a kubelet needs 120 s", token, life-wait)
		case !at.Equal(schedule.RefreshAt(token, uid)):
			t.Fatalf("%+v: two plans for the same token", token)
		}
	}
}

func TestFirstTokensOfABurstDoNotComeDueTogether(t *testing.T) {
	for _, test := range []struct{ life, span time.Duration }{
		{2 * time.Minute, 12 * time.Second},
		{5 * time.Minute, 135 * time.Second},
		{time.Hour, 27 * time.Minute},
		{10 * year, 18 * day},
	} {
		const objects, slots = 12_000, 12
		var counts [slots + 1]int
		random := rand.New(rand.NewPCG(3, 4))
		latest := schedule.RefreshAt(schedule.Token{IssuedAt: issued(), Lifetime: test.life, First: true}, early)
		for range objects {
			at := schedule.RefreshAt(schedule.Token{IssuedAt: issued(), Lifetime: test.life, First: true}, uidOf(random))
			counts[max(0, latest.Sub(at))*slots/test.span]++
		}
		for slot, n := range counts {
			if n > objects/slots*6/5 {
				t.Errorf("lifetime %v: %d of %d come due in slot %d of %d", test.life, n, objects, slot, slots)
			}
		}
	}
}

func TestFractionIsUniformOverUIDs(t *testing.T) {
	const uids, buckets = 100_000, 10
	var counts [buckets]int
	random := rand.New(rand.NewPCG(5, 6))
	for range uids {
		f := schedule.Fraction(uidOf(random))
		if f < 0 || f >= 1 {
			t.Fatalf("fraction %v", f)
		}
		counts[int(f*buckets)]++
	}
	for bucket, n := range counts {
		if n < uids/buckets*9/10 || n > uids/buckets*11/10 {
			t.Errorf("%d of %d UIDs in tenth %d", n, uids, bucket)
		}
	}
}

func TestFractionAndSpreadNeverChange(t *testing.T) {
	// A changed hash would move every plan at an upgrade, all at once.
	if got := schedule.Fraction("6a2f41a3-c54c-11e5-b1d8-0242ac110002"); math.Abs(got-0.7648) > 0.0001 {
		t.Errorf("fraction %.4f", got)
	}
	if got := schedule.Spread("6a2f41a3-c54c-11e5-b1d8-0242ac110002", time.Hour).Truncate(time.Second); got != 45*time.Minute+53*time.Second {
		t.Errorf("spread %v", got)
	}
}

func TestSpreadStaysWithinItsSpan(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for _, span := range []time.Duration{1, 2, 3, time.Second, time.Hour, year, math.MaxInt64} {
		for range 1000 {
			if got := schedule.Spread(uidOf(random), span); got < 0 || got >= span {
				t.Fatalf("spread %d over %d", got, span)
			}
		}
	}
	for _, span := range []time.Duration{0, -1, math.MinInt64} {
		if got := schedule.Spread("uid", span); got != 0 {
			t.Errorf("spread %d over %d", got, span)
		}
	}
}

// anyToken draws lifetimes evenly over orders of magnitude, from one second to ten years, with or without the rest.
func anyToken(random *rand.Rand) schedule.Token {
	token := schedule.Token{
		IssuedAt: issued().Add(time.Duration(random.Int64N(int64(year)))),
		Lifetime: anyDuration(random),
		First:    random.IntN(2) == 0,
	}
	if random.IntN(3) == 0 {
		token.RefreshIn = anyDuration(random) - time.Minute
	}
	if random.IntN(3) == 0 {
		token.RefreshBefore = new(anyDuration(random) - time.Minute)
	}
	if random.IntN(20) == 0 {
		token.Lifetime = []time.Duration{0, -time.Second, math.MinInt64, math.MaxInt64}[random.IntN(4)]
	}
	return token
}

func anyDuration(random *rand.Rand) time.Duration {
	return time.Duration(float64(time.Second) * math.Exp(random.Float64()*math.Log((10*year).Seconds())))
}

func uidOf(random *rand.Rand) string {
	const digits = "0123456789abcdef"
	uid := make([]byte, 36)
	for i := range uid {
		uid[i] = digits[random.IntN(len(digits))]
	}
	return string(uid)
}
