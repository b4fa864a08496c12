// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package schedule answers two questions about one token: when is the next one fetched, and is that now? Both answers are
// pure functions of what is observed and of a time that is an argument, so that a table can test every one of them.
package schedule

import "time"

const (
	// Horizon bounds every wait. No token is left alone for longer, whatever its lifetime: a credential that was revoked or
	// a client that was deleted should show up within a month, and a wrong clock can't park an object for years.
	Horizon = 30 * 24 * time.Hour

	// unknownLifetime stands in where neither expires_in nor the token say how long it lives. RFC 6749 section 5.1 asks the
	// server to document it; one hour is what the common servers issue.
	unknownLifetime = time.Hour

	// leastMargin is the time that a new token needs to reach its reader: a kubelet carries a changed Secret into a mounted
	// volume in 60 to 90 s with its defaults, and the call itself may take 20 s.
	leastMargin = 120 * time.Second

	// longLifetime is the lifetime of which three quarters are the Horizon. Jitter is measured in lifetimes up to here: a
	// tenth of ten years would reach back beyond the day of issue.
	longLifetime = Horizon / 3 * 4

	// leastWait keeps a plan in the future even for a token of one second; a next step that isn't in the future is how an
	// operator stops for ever (SlinkyProject/slurm-operator#240).
	leastWait = time.Second
)

// Token is what is known of one token's life. The zero value is a token of unknown lifetime, issued at the zero time.
type Token struct {
	// IssuedAt is when the answer came, by the operator's own clock.
	IssuedAt time.Time
	// Lifetime is expires_in or its substitute. Zero or less: unknown, one hour for planning.
	Lifetime time.Duration
	// RefreshIn is the server's own advice. Zero or less: not said.
	RefreshIn time.Duration
	// RefreshBefore is the user's margin before expiry. Nil: the policy's.
	RefreshBefore *time.Duration
	// First marks an object's first token, whose refresh is spread wider: what was created together came with one burst,
	// and shouldn't come due as one (cert-manager#8402).
	First bool
}

// RefreshAt returns when the token is to be replaced: in whole seconds, UTC, at least one second and at most 30 days after
// IssuedAt. With L for the lifetime:
//
//	margin    = max(L/4, 120 s), or RefreshBefore clamped to [0, L - L/4]
//	base      = max(L/4, L - margin); a smaller RefreshIn instead, but never under L/4
//	RefreshAt = IssuedAt + base - Fraction(uid) x L/10
//
// A quarter and not a constant: a margin of 300 s on tokens of 300 s fetches a token per look (openfga/java-sdk#388). The
// floor of L/4 is what a hostile refresh_in of 1 runs into. Jitter is subtracted, never added, so it can't cause a miss.
// The first token's jitter spans 0.45 L, less where that would reach under 0.15 L: a shorter span keeps the plans
// uniform where a clamp would pile them up on one instant. For L beyond 40 days, jitter is computed as for 40 days.
//
// What is promised of any object while the token service answers, for lives of 4 s and more:
//
//   - At its refresh the old token has min(margin, 3/4 L) left, or more.
//   - No refresh comes before 0.15 L, or 6 days where those are sooner.
//   - Of 10,000 objects that came within one second, no window has twice the mean number of refreshes, from the first refresh
//     on. A window is a minute for lives from 5 minutes to an hour. For longer ones it is a 60th of the life, since a minute
//     then has too few to speak of; shorter ones are refreshed about once in each minute, whatever is done.
//   - A clock that is set forward puts no refresh off. One that is set back by d puts it off by d at most, and by nothing
//     where it was set back to before the issue, by more than what clocks may differ.
//
// Under 4 s a refresh comes when the life ends, or up to three seconds before. No wait is ever 0: it is a second at least.
//
// Whole seconds are what RFC 3339 in an annotation holds; a plan with a fraction would compare as different from its own
// record (external-secrets#2184: a double refresh, then a skipped one).
func RefreshAt(t Token, uid string) time.Time {
	life := t.Lifetime
	if life <= 0 {
		life = unknownLifetime
	}
	base := t.base(life)
	at := t.IssuedAt.Add(base - Spread(uid, t.span(life, base))).UTC().Truncate(time.Second)
	if earliest := t.IssuedAt.Add(leastWait).UTC(); at.Before(earliest) {
		return ceilSecond(earliest)
	}
	return at
}

// base is the age at which a token of this life is replaced, before jitter: at least L/4, at most the Horizon.
func (t Token) base(life time.Duration) time.Duration {
	floor := life / 4
	margin := max(floor, leastMargin)
	if t.RefreshBefore != nil {
		margin = min(max(*t.RefreshBefore, 0), life-floor)
	}
	base := max(floor, life-margin)
	if t.RefreshIn > 0 && t.RefreshIn < base {
		base = max(floor, t.RefreshIn)
	}
	return min(base, Horizon)
}

// span is the width of the jitter that is taken off base. With each refresh it widens by the steady state's L/10, until the
// crowds of two cycles meet, each thinned out to the width of a period. At 0.45 L the third widening makes 3/4 L, the longest
// period, so that they meet with the least overlap.
func (t Token) span(life, base time.Duration) time.Duration {
	life = min(life, longLifetime)
	if t.First {
		return min(life/20*9, base-life/20*3)
	}
	return life / 10
}

// ceilSecond rounds up to a whole second.
func ceilSecond(t time.Time) time.Time {
	whole := t.Truncate(time.Second)
	if whole.Before(t) {
		return whole.Add(time.Second)
	}
	return whole
}
