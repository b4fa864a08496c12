// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// operation is one random call, to be played to any number of caches.
type operation struct {
	what    int
	request Request
	failure Failure[int]
	now     time.Time
}

func anyRequest(random *rand.Rand) Request {
	return Request{
		Domain: fmt.Sprint("ns/", random.IntN(5)), Endpoint: "https://sts.example/token", ClientID: fmt.Sprint(random.IntN(3)),
		Scopes: []string{fmt.Sprint(random.IntN(3))}, Credential: fmt.Sprint(random.IntN(2)), Inputs: fmt.Sprint(random.IntN(2)),
	}
}

func anyOperation(random *rand.Rand, now time.Time) operation {
	return operation{
		what: random.IntN(6), request: anyRequest(random), now: now,
		failure: Failure[int]{
			Kind: []Kind{Rate, Unavailable, Refused}[random.IntN(3)], Propagating: random.IntN(2) == 0, Attempts: random.IntN(4),
			RetryAfter: []time.Duration{0, time.Second, time.Minute, 2 * time.Hour}[random.IntN(4)], Remember: random.IntN(1000),
		},
	}
}

func (o operation) play(c *Dated[int]) Verdict[int] {
	switch o.what {
	case 0, 1:
		return c.Remember(o.request, o.failure, o.now)
	case 2:
		c.Succeeded(o.request, o.now)
	case 3:
		entries, _ := c.Snapshot(o.now)
		c.Restore(entries, o.now)
	}
	return c.Admit(o.request, o.now, o.what == 4)
}

// wander moves the clock on, and at times far forward or back.
func wander(random *rand.Rand, now time.Time) time.Time {
	switch random.IntN(100) {
	case 0:
		return now.Add(-time.Duration(random.Int64N(int64(300 * 24 * time.Hour))))
	case 1:
		return now.Add(time.Duration(random.Int64N(int64(300 * 24 * time.Hour))))
	case 2:
		return now.Add(-time.Duration(random.Int64N(int64(2 * time.Second))))
	default:
		return now.Add(time.Duration(random.Int64N(int64(20 * time.Second))))
	}
}

func TestAnySequenceKeepsTheInvariants(t *testing.T) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 1))
		c := NewDated[int](Limits{PerDomain: 4, Total: 10})
		now, version := begin(), uint64(0)
		for range 1000 {
			now = wander(random, now)
			o := anyOperation(random, now)
			v := o.play(c)
			for _, s := range []*store[int]{c.rate, c.unavailable, c.refused} {
				consistent(t, s)
			}
			switch {
			case v.Open && v != Verdict[int]{Open: true}:
				t.Fatalf("seed %d: %+v says more than open", seed, v)
			case v.Open && o.what <= 1:
				t.Fatalf("seed %d: %+v left its gate open", seed, o)
			case v.Open:
			case !v.Until.After(now) || v.Until.After(now.Add(longest+2*time.Second)) || v.Until.Nanosecond() != 0:
				t.Fatalf("seed %d: at %v shut until %v", seed, now, v.Until)
			case v.Since.After(now.Add(rewindTolerance)) || v.Attempts < 1:
				t.Fatalf("seed %d: at %v shut since %v after %d attempts", seed, now, v.Since, v.Attempts)
			}
			if c.Version() < version {
				t.Fatalf("seed %d: version %d after %d", seed, c.Version(), version)
			}
			version = c.Version()
		}
	}
}

func TestADomainBehavesAsIfItWereAlone(t *testing.T) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 2))
		shared, alone := NewDated[int](Limits{PerDomain: 4, Total: 20}), map[string]*Dated[int]{}
		now := begin()
		for range 1000 {
			now = now.Add(time.Duration(random.Int64N(int64(20 * time.Second))))
			o := anyOperation(random, now)
			if alone[o.request.Domain] == nil {
				alone[o.request.Domain] = NewDated[int](Limits{PerDomain: 4, Total: 20})
			}
			if got, want := o.play(shared), o.play(alone[o.request.Domain]); got != want {
				t.Fatalf("seed %d: %+v\namong others %+v\nalone        %+v", seed, o, got, want)
			}
		}
	}
}

func TestARateGateHoldsAsLongAsTheServerSaid(t *testing.T) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 3))
		c := NewDated[int](Limits{})
		promised := map[string]time.Time{} // by rate key: no call before
		now := begin()
		for range 1000 {
			now = now.Add(time.Duration(random.Int64N(int64(20 * time.Second))))
			o := anyOperation(random, now)
			key := newEntry[int](Rate, o.request).Key()
			v := o.play(c)
			if v.Open && now.Before(promised[key]) {
				t.Fatalf("seed %d: %+v was admitted %v early", seed, o, promised[key].Sub(now))
			}
			if o.what <= 1 && o.failure.Kind == Rate {
				asked := min(o.failure.RetryAfter, time.Hour)
				promised[key] = laterOf(promised[key], now.Add(asked))
			}
		}
	}
}
