// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"time"
)

// Fraction returns a number in [0, 1) that is a pure function of uid and uniform over UIDs. Jitter made of it is sticky:
// an object keeps its place in the crowd for life, so it neither drifts nor, rolled anew at every look, creeps towards the
// early end (MSAL.NET re-rolls on each call; external-secrets#4231 feared the drift, mozilla/fxa-oauth-server#370 had it).
func Fraction(uid string) float64 {
	const mantissa = 53 // a float64 holds so many bits exactly, hence the result never rounds up to 1
	return float64(position(uid)>>(64-mantissa)) / (1 << mantissa)
}

// Spread returns Fraction(uid) x span, in [0, span) and exact to the nanosecond; zero for a span of zero or less. It is what
// those who wait behind one gate add to the instant at which it opens.
func Spread(uid string, span time.Duration) time.Duration {
	if span <= 0 {
		return 0
	}
	offset, _ := bits.Mul64(position(uid), uint64(span))
	return time.Duration(offset)
}

// position places uid on the line of 64-bit integers. SHA-256 and not a cheaper hash: the names of a test or of a restored
// backup may be anything, and the high bits of FNV stay close together for short names that differ at their end.
func position(uid string) uint64 {
	sum := sha256.Sum256([]byte(uid))
	return binary.BigEndian.Uint64(sum[:])
}
