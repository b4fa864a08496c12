// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package throttle

import "time"

// Kind is the sort of a failure, and so the gate that it shuts.
type Kind string

const (
	// Rate is an answer that asks for fewer requests: 429, or a Retry-After on anything but a token.
	Rate Kind = "Rate"
	// Unavailable is no usable answer: 5xx, a timeout, a broken connection, something that isn't OAuth.
	Unavailable Kind = "Unavailable"
	// Refused is a definite no to this very request: 400, 401, 403. The 401 counts as much as the 400: a client with a wrong
	// secret gets 401 invalid_client, and a cache of 400s alone lets it call on every reconcile (CAPZ#2250).
	Refused Kind = "Refused"
)

const (
	// longest bounds every gate: a hostile "Retry-After: 10 years" costs an hour, as in MSAL Python and MSAL.NET.
	longest = time.Hour

	// rateWindow is for a 429 without a usable Retry-After. Entra's own throttle says 60 s.
	rateWindow = time.Minute

	// mostLiteral is how many times in a row nothing but Retry-After counts. A service that says "in 1 s" again after that
	// doesn't know, and would be called every second for ever: from the next time on its gate grows as the error gate does.
	mostLiteral = 4

	// The error gate's window starts where Microsoft's resilience guidance allows the first retry, 5 s after the answer, and
	// stays short enough to notice a recovery.
	firstErrorWindow, lastErrorWindow = 5 * time.Second, 5 * time.Minute

	// The negative cache's window starts where MSAL's does. Longer ones are safe, since what helps (another credential,
	// changed inputs) is part of the key; ten minutes still notice what was repaired at the server.
	firstRefusedWindow, lastRefusedWindow = time.Minute, 10 * time.Minute

	// A new secret, key or federated credential isn't known to all of a directory's replicas for some minutes
	// (hashicorp/vault-plugin-secrets-azure#23), and a minute's wait for each try is what people notice.
	firstPropagatingWindow, lastPropagatingWindow = 5 * time.Second, time.Minute

	// memory is how long a count of failures outlives its gate, so that the next failure grows from it. It covers the
	// longest growing window, the spread of those behind it, and a call's deadline.
	memory = 15 * time.Minute

	// mostAttempts bounds the count of failures, which a hand-edited status may bring along.
	mostAttempts = 1_000_000
)

// known says whether k is one of the three kinds.
func (k Kind) known() bool { return k == Rate || k == Unavailable || k == Refused }

// persisted says whether gates of this kind outlive a restart. The negative cache doesn't: each object's own status holds
// its retry.
func (k Kind) persisted() bool { return k == Rate || k == Unavailable }

// window returns for how long the failure shuts its gate, when it is the attempts-th in a row. What the server said in
// Retry-After is taken as it is said, except that a refusal is never repeated sooner than its own window, nor what has been
// throttled mostLiteral times in a row sooner than an outage.
func (f Failure[E]) window(attempts int) time.Duration {
	asked := min(f.RetryAfter, longest)
	switch {
	case f.Kind == Refused && f.Propagating:
		return max(asked, grown(firstPropagatingWindow, lastPropagatingWindow, attempts))
	case f.Kind == Refused:
		return max(asked, grown(firstRefusedWindow, lastRefusedWindow, attempts))
	case asked <= 0 && f.Kind != Rate:
		return grown(firstErrorWindow, lastErrorWindow, attempts)
	case asked <= 0:
		asked = rateWindow
	}
	if attempts <= mostLiteral {
		return asked
	}
	return max(asked, grown(firstErrorWindow, lastErrorWindow, attempts-mostLiteral))
}

// grown returns first x 2^(attempts-1), at most last.
func grown(first, last time.Duration, attempts int) time.Duration {
	window := first
	for i := 1; i < attempts && window < last; i++ {
		window *= 2
	}
	return min(window, last)
}

// floorSecond rounds down to a whole second, UTC.
func floorSecond(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// ceilSecond rounds up to a whole second, UTC: rounding down would call up to a second before Retry-After has passed, as
// MSAL Python's integer timestamps do.
func ceilSecond(t time.Time) time.Time {
	whole := floorSecond(t)
	if whole.Before(t) {
		return whole.Add(time.Second)
	}
	return whole
}

// laterOf returns the later of two instants.
func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
