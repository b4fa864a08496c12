// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// onTrial returns a cache whose gate of that kind for r has been shut and opens at the instant that is returned.
func onTrial(kind Kind, r Request) (*Dated[int], time.Time) {
	c := NewDated[int](Limits{})
	v := c.Remember(r, Failure[int]{Kind: kind, RetryAfter: time.Minute, Remember: 7}, begin())
	return c, v.Until
}

// let reports that a call leaves; else whether it waits for another's trial.
func let(t *testing.T, v Verdict[int]) (in, waits bool) {
	t.Helper()
	if v.Open && v.Trial != nil {
		t.Fatalf("%+v is open and on trial", v)
	}
	return v.Open, v.Trial != nil
}

func ended(v Verdict[int]) bool {
	select {
	case <-v.Trial:
		return true
	default:
		return false
	}
}

func TestOneCallTriesAGateThatHasOpened(t *testing.T) {
	r := Request{Domain: "ns/a", Endpoint: "https://sts.example/token", ClientID: "app", Scopes: []string{"s"}, Credential: "c"}
	for _, kind := range []Kind{Rate, Unavailable} {
		t.Run(string(kind), func(t *testing.T) {
			c, opens := onTrial(kind, r)
			if v := c.Enter(r, opens.Add(-time.Second), false); v.Open || v.Trial != nil {
				t.Fatalf("a gate that is shut lets in: %+v", v)
			}
			if in, _ := let(t, c.Enter(r, opens, false)); !in {
				t.Fatal("nobody may try the gate that has opened")
			}
			waiting := c.Enter(r, opens, false)
			if in, waits := let(t, waiting); in || !waits || waiting.Remembered != 7 || waiting.Kind != kind {
				t.Fatalf("a second call doesn't wait for the first: %+v", waiting)
			}
			if ended(waiting) {
				t.Fatal("the trial ended before its call")
			}
			c.Succeeded(r, opens)
			if !ended(waiting) {
				t.Fatal("who waited isn't told that the call succeeded")
			}
			for range 3 {
				if in, _ := let(t, c.Enter(r, opens, false)); !in {
					t.Fatal("after a success somebody still waits")
				}
			}
		})
	}
}

func TestWhatTheTrialCallMet(t *testing.T) {
	r := Request{Domain: "ns/a", Endpoint: "https://sts.example/token", ClientID: "app"}
	for _, test := range []struct {
		name  string
		end   func(c *Dated[int], now time.Time)
		after string // what the next call meets, and the one after it
	}{
		{"another 429 shuts the gate for all", func(c *Dated[int], now time.Time) {
			c.Remember(r, Failure[int]{Kind: Rate, RetryAfter: time.Minute}, now)
		}, "shut shut"},
		{"a 503 shuts the error gate for all", func(c *Dated[int], now time.Time) { c.Remember(r, Failure[int]{Kind: Unavailable}, now) }, "shut shut"},
		{"a refusal shows that the server is there: others go", func(c *Dated[int], now time.Time) {
			other := r
			other.Inputs = "others"
			c.Remember(other, Failure[int]{Kind: Refused}, now)
		}, "in in"},
		{"a call that was given up tells nothing: another one tries", func(c *Dated[int], _ time.Time) { c.Abandon(r) }, "in waits"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, opens := onTrial(Rate, r)
			c.Enter(r, opens, false)
			waiting := c.Enter(r, opens, false)
			test.end(c, opens)
			if !ended(waiting) {
				t.Fatal("who waited isn't told that the call has ended")
			}
			if got := fmt.Sprintf("%s %s", met(t, c.Enter(r, opens, false)), met(t, c.Enter(r, opens, false))); got != test.after {
				t.Errorf("the next two calls meet %q, want %q", got, test.after)
			}
		})
	}
}

func met(t *testing.T, v Verdict[int]) string {
	t.Helper()
	switch in, waits := let(t, v); {
	case in:
		return "in"
	case waits:
		return "waits"
	default:
		return "shut"
	}
}

func TestWhoWaitsForNoTrial(t *testing.T) {
	r := Request{Domain: "ns/a", Endpoint: "https://sts.example/token", ClientID: "app", Scopes: []string{"s"}, Credential: "c"}
	t.Run("who never failed", func(t *testing.T) {
		c := NewDated[int](Limits{})
		for range 2 {
			if got := met(t, c.Enter(r, begin(), false)); got != "in" {
				t.Errorf("meets %q", got)
			}
		}
	})
	t.Run("another tenant", func(t *testing.T) {
		c, opens := onTrial(Rate, r)
		c.Enter(r, opens, false)
		other := r
		other.Domain = "ns/b"
		if got := met(t, c.Enter(other, opens, false)); got != "in" {
			t.Errorf("meets %q", got)
		}
	})
	t.Run("a new credential, after an outage", func(t *testing.T) {
		c, opens := onTrial(Unavailable, r)
		c.Enter(r, opens, false)
		other := r
		other.Credential = "d"
		if got := met(t, c.Enter(other, opens, false)); got != "in" {
			t.Errorf("meets %q", got)
		}
	})
	t.Run("who is forced, after an outage", func(t *testing.T) {
		c, opens := onTrial(Unavailable, r)
		c.Enter(r, opens, false)
		if got := met(t, c.Enter(r, opens, true)); got != "in" {
			t.Errorf("meets %q", got)
		}
	})
	t.Run("but who is forced, after a 429, does", func(t *testing.T) {
		c, opens := onTrial(Rate, r)
		c.Enter(r, opens, false)
		if got := met(t, c.Enter(r, opens, true)); got != "waits" {
			t.Errorf("meets %q", got)
		}
	})
	t.Run("long after the failure is forgotten", func(t *testing.T) {
		c, opens := onTrial(Rate, r)
		for range 2 {
			if got := met(t, c.Enter(r, opens.Add(memory), false)); got != "in" {
				t.Errorf("meets %q", got)
			}
		}
	})
}

// TestATrialAlwaysEnds plays random calls that each end in one of the three ways, and checks that whoever waits is told in the
// end, that no more than one call is on trial per gate, and that nothing is left behind.
func TestATrialAlwaysEnds(t *testing.T) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 4))
		c := NewDated[int](Limits{})
		now := begin()
		var under []operation
		var waiting []Verdict[int]
		for range 2000 {
			now = now.Add(time.Duration(random.Int64N(int64(10 * time.Second))))
			o := anyOperation(random, now)
			switch v := c.Enter(o.request, now, o.what == 4); {
			case v.Open:
				under = append(under, o)
			case v.Trial != nil:
				waiting = append(waiting, v)
			}
			for len(under) > random.IntN(6) {
				i := random.IntN(len(under))
				conclude(c, under[i], now)
				under = append(under[:i], under[i+1:]...)
			}
		}
		for _, o := range under {
			conclude(c, o, now)
		}
		if len(waiting) == 0 || len(c.trials) != 0 {
			t.Fatalf("seed %d: %d waited, %d trials are left", seed, len(waiting), len(c.trials))
		}
		for _, v := range waiting {
			if !ended(v) {
				t.Fatalf("seed %d: %+v still waits", seed, v)
			}
		}
	}
}

func conclude(c *Dated[int], o operation, now time.Time) {
	switch o.what {
	case 0, 1:
		c.Abandon(o.request)
	case 2, 3:
		c.Succeeded(o.request, now)
	default:
		c.Remember(o.request, o.failure, now)
	}
}
