// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package schedule

import "time"

const (
	// longestRetry is the furthest that a retry can honestly lie ahead: a Retry-After is capped at one hour, and those who
	// wait behind its gate are spread over another tenth.
	longestRetry = time.Hour + time.Hour/10

	// clockSlack is how far another replica's clock may run ahead of ours before its records stop being plausible. Nodes
	// with NTP agree within a second; five minutes is the customary leeway of token validation.
	clockSlack = 5 * time.Minute
)

// Why names the cause of a decision. The set is closed; the values serve logs, events and metric labels alike.
type Why string

// The causes. A decision that is due carries one of the first eight, one that isn't one of the last three.
const (
	// WhySecretMissing: there is no Secret of ours.
	WhySecretMissing Why = "SecretMissing"
	// WhySecretDrifted: the Secret's data or record were changed by somebody else.
	WhySecretDrifted Why = "SecretDrifted"
	// WhySpecChanged: the token was asked for with other inputs than the spec's, or can't be had in the shape that the
	// spec wants now.
	WhySpecChanged Why = "SpecChanged"
	// WhyTokenExpired: the token is past its expiry.
	WhyTokenExpired Why = "TokenExpired"
	// WhyNearExpiry: the planned refresh has come.
	WhyNearExpiry Why = "NearExpiry"
	// WhyClockMoved: the record says that the token was issued in the future, or is to be refreshed beyond the Horizon.
	// Our clock went back, or another's was ahead when the record was written; none of its instants can be waited for.
	WhyClockMoved Why = "ClockMoved"
	// WhyForcedByAnnotation: somebody asked for a new token.
	WhyForcedByAnnotation Why = "ForcedByAnnotation"
	// WhyOwed: the last attempt failed, and the token that it was to bring still hasn't come, though the one before it is
	// good. A refresh that somebody asked for is not forgotten after its first failure.
	WhyOwed Why = "Owed"

	// WhyNothing: the token is good and its refresh lies ahead.
	WhyNothing Why = "Nothing"
	// WhyBackoff: a token is owed, but the same request failed lately.
	WhyBackoff Why = "Backoff"
	// WhySuspended: the owner stopped everything.
	WhySuspended Why = "Suspended"
)

// Step says what happens at a Decision's instant.
type Step string

const (
	// StepNone: nothing is planned.
	StepNone Step = ""
	// StepAttempt: a token is asked for.
	StepAttempt Step = "Attempt"
	// StepExpiry: the token in the Secret runs out while no attempt may be made, and readiness has to say so.
	StepExpiry Step = "Expiry"
)

// Facts are what is observed now. All zero: nothing is known, a new object.
type Facts struct {
	// Suspended is the owner's wish that no call be made.
	Suspended bool
	// SecretFound says that a Secret of ours exists.
	SecretFound bool
	// Intact says that the Secret's content hash matches its data and that its record parses.
	Intact bool
	// Matches says that the record's inputs equal the spec's, and that the token stands where the spec wants it, or can
	// be written there as it is.
	Matches bool
	// IssuedAt is of the record, by the clock of the operator that wrote it, never by the server's: one that lies ahead of
	// now makes the token due. Zero: unknown, no such check.
	IssuedAt time.Time
	// RefreshAt and ExpiresAt are of the record. A zero RefreshAt has come; a zero ExpiresAt is an unknown expiry, which
	// never comes.
	RefreshAt, ExpiresAt time.Time
	// Forced says that a request to refresh now is not yet acknowledged.
	Forced bool
	// Owed says that the last attempt at these inputs failed, with whichever version of the credential.
	Owed bool
	// Retry is set when the last attempt failed with exactly the same inputs and credential; nil otherwise.
	Retry *Retry
}

// Retry is when an attempt that failed may be repeated.
type Retry struct {
	// At is the first instant of the next attempt.
	At time.Time
}

// Decision is what to do with one object, and why.
type Decision struct {
	// Due says that a token is to be asked for now.
	Due bool
	// At is the one instant of the next step, when to look again: now when due, otherwise after now and at most 30 days
	// ahead. It is zero only when suspended with no token that is still to expire.
	At time.Time
	// Step says what At is for.
	Step Step
	// AttemptAt is the instant of the next attempt: At, unless the token's expiry or the Horizon comes before it. Zero
	// while suspended. It doesn't move between two looks at the same facts, hence is fit for a status.
	AttemptAt time.Time
	// Why is the cause.
	Why Why
}

// Decide says whether a token is due now and, when it isn't, when to look again. Whatever the facts, who follows At without
// anything else changing arrives at an attempt, unless suspended.
func Decide(f Facts, now time.Time) Decision {
	if f.Suspended {
		return f.wake(Decision{Why: WhySuspended}, now)
	}
	why, owed := causeOf(f, now)
	switch {
	case !owed:
		return f.wake(Decision{Why: WhyNothing, AttemptAt: f.RefreshAt}, now)
	case !f.Forced && f.Retry.holds(now):
		return f.wake(Decision{Why: WhyBackoff, AttemptAt: f.Retry.At}, now)
	default:
		return Decision{Due: true, At: now, Step: StepAttempt, AttemptAt: now, Why: why}
	}
}

// holds says whether the retry is still to be waited for. One that lies further ahead than any failure can put it comes from
// a hand-edited status or another clock and doesn't count. It isn't cut to a limit counted from now: that would move on with
// every look and never be reached.
func (r *Retry) holds(now time.Time) bool {
	return r != nil && r.At.After(now) && !r.At.After(now.Add(longestRetry+clockSlack))
}

// wake completes a decision that isn't due with the instant at which to look again: the attempt, or the token's expiry
// when that comes first, so that readiness ends on time. An expiry that is reached while nothing holds an attempt back is
// itself the attempt.
func (f Facts) wake(d Decision, now time.Time) Decision {
	if !d.AttemptAt.IsZero() {
		d.At, d.Step = d.AttemptAt, StepAttempt
	}
	if f.ExpiresAt.After(now) && (d.At.IsZero() || f.ExpiresAt.Before(d.At)) {
		d.At, d.Step = f.ExpiresAt, StepExpiry
		if d.Why == WhyNothing {
			d.AttemptAt, d.Step = f.ExpiresAt, StepAttempt
		}
	}
	if limit := now.Add(Horizon); d.At.After(limit) {
		d.At = limit
	}
	return d
}

// cause is one reason to ask for a token.
type cause struct {
	why   Why
	holds func(f Facts, now time.Time) bool
}

// causes lists the reasons to ask for a token, what is most wrong first: the first one that holds names the decision.
func causes() []cause {
	return []cause{
		{WhySecretMissing, func(f Facts, _ time.Time) bool { return !f.SecretFound }},
		{WhySecretDrifted, func(f Facts, _ time.Time) bool { return !f.Intact }},
		{WhySpecChanged, func(f Facts, _ time.Time) bool { return !f.Matches }},
		{WhyTokenExpired, func(f Facts, now time.Time) bool { return !f.ExpiresAt.IsZero() && !f.ExpiresAt.After(now) }},
		{WhyNearExpiry, func(f Facts, now time.Time) bool { return !f.RefreshAt.After(now) }},
		{WhyClockMoved, clockMoved},
		{WhyForcedByAnnotation, func(f Facts, _ time.Time) bool { return f.Forced }},
		{WhyOwed, func(f Facts, _ time.Time) bool { return f.Owed }},
	}
}

// causeOf returns the first cause that holds, and whether there is one.
func causeOf(f Facts, now time.Time) (Why, bool) {
	for _, c := range causes() {
		if c.holds(f, now) {
			return c.why, true
		}
	}
	return WhyNothing, false
}

// clockMoved says that the record was written by a clock that ours disagrees with. Waiting for its instants would let a
// token die unseen after the clock went back by a day; waiting as long as was planned, from now, would start over at every
// look. One new token costs one call and puts the record on our clock.
func clockMoved(f Facts, now time.Time) bool {
	return f.IssuedAt.After(now.Add(clockSlack)) || f.RefreshAt.After(now.Add(Horizon+clockSlack))
}
