// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package throttle_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/throttle"
)

func TestGatesSurviveARestart(t *testing.T) {
	before := newCache()
	for _, kind := range kinds() {
		before.Remember(request(), throttle.Failure[string]{Kind: kind, RetryAfter: 90 * time.Second, Attempts: 2, Remember: "why"}, start())
	}
	entries, _ := before.Snapshot(start())
	stored, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	var read []throttle.Entry[string]
	if err := json.Unmarshal(stored, &read); err != nil {
		t.Fatal(err)
	}
	after := newCache()
	now := start().Add(10 * time.Second)
	after.Restore(read, now)

	if diff := cmp.Diff(entries, after.List(now)); diff != "" {
		t.Errorf("gates after the restart (-before +after):\n%s", diff)
	}
	want := throttle.Verdict[string]{Kind: throttle.Unavailable, Since: start(), Until: start().Add(90 * time.Second), Attempts: 3, Remembered: "why"}
	if diff := cmp.Diff(want, after.Admit(request(), now, false)); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
	if after.Admit(request(), now, true).Open {
		t.Error("the rate gate was lost")
	}
	if got := after.Remember(request(), throttle.Failure[string]{Kind: throttle.Unavailable}, want.Until).Attempts; got != 4 {
		t.Errorf("the next failure is attempt %d, want 4", got)
	}
	if after.Admit(request(), want.Until, true).Open != true {
		t.Error("the rate gate outlives its time")
	}
}

func TestAGateWhoseNamesAreNotTextSurvivesARestart(t *testing.T) {
	r := request()
	r.Domain, r.Endpoint, r.ClientID, r.Scopes = "ns/\xc3", "https://login.example/\xfe", "client\xff\xff", []string{"\x80", "b"}
	before := newCache()
	before.Remember(r, throttle.Failure[string]{Kind: throttle.Rate}, start())
	entries, _ := before.Snapshot(start())
	stored, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	var read []throttle.Entry[string]
	if err := json.Unmarshal(stored, &read); err != nil {
		t.Fatal(err)
	}
	after := newCache()
	after.Restore(read, start())
	if after.Admit(r, start(), false).Open {
		t.Error("the gate was lost")
	}
}

func TestRestoreMergesAndCuts(t *testing.T) {
	now := start()
	stored := func(since, until time.Duration) throttle.Entry[string] {
		return throttle.Entry[string]{
			Kind: throttle.Rate, Domain: request().Domain, Endpoint: request().Endpoint, Client: request().ClientID, Scopes: request().Scopes,
			Since: now.Add(since), Until: now.Add(until), Attempts: 1, Remembered: "stored",
		}
	}
	const year = 365 * 24 * time.Hour
	tests := []struct {
		name    string
		entry   throttle.Entry[string]
		want    time.Duration
		changed bool
	}{
		{"takes a gate as it is", stored(-time.Minute, time.Minute), time.Minute, false},
		{"leaves out a gate that has opened", stored(-time.Minute, 0), never, false},
		{"leaves out a gate that opens before it was shut", stored(time.Minute, time.Minute), never, false},
		{"cuts a gate to an hour", stored(-time.Minute, 100*year), time.Hour, true},
		{"cuts a gate of the year 1 to an hour", throttle.Entry[string]{Kind: throttle.Rate, Domain: request().Domain, Endpoint: request().Endpoint,
			Client: request().ClientID, Scopes: request().Scopes, Until: now.Add(year)}, time.Hour, true},
		{"counts a gate from the future from now", stored(year, year+time.Minute), time.Minute, true},
		{"counts a long gate from the future for an hour", stored(year, 3*year), time.Hour, true},
		{"opens a fraction of a second on the next whole one", stored(0, 1500*time.Millisecond), 2 * time.Second, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newCache()
			c.Restore([]throttle.Entry[string]{test.entry}, now)
			if got := opensAfter(c, request(), now); got != test.want {
				t.Errorf("opens after %v, want %v", got, test.want)
			}
			if changed := c.Version() > 0; changed != test.changed {
				t.Errorf("has to be stored again: %v, want %v", changed, test.changed)
			}
		})
	}
}

func TestRestoreKeepsTheLaterOfTwo(t *testing.T) {
	earlier, later := newCache(), newCache()
	earlier.Remember(request(), throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: time.Minute, Remember: "earlier", Attempts: 4}, start())
	later.Remember(request(), throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: time.Hour, Remember: "later"}, start())
	fromEarlier, _ := earlier.Snapshot(start())
	fromLater, _ := later.Snapshot(start())
	earlier.Restore(fromLater, start())
	later.Restore(fromEarlier, start())
	want := throttle.Verdict[string]{Kind: throttle.Rate, Since: start(), Until: start().Add(time.Hour), Attempts: 5, Remembered: "later"}
	for _, c := range []*throttle.Dated[string]{earlier, later} {
		if diff := cmp.Diff(want, c.Admit(request(), start(), false)); diff != "" {
			t.Errorf("verdict (-want +got):\n%s", diff)
		}
	}
}

func TestRestoreKeepsTheBounds(t *testing.T) {
	full := newCache()
	for i := range 200 {
		full.Remember(owned(0, i), throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: time.Duration(i+1) * time.Second}, start())
	}
	entries, _ := full.Snapshot(start())
	// In the worst order: what opens first comes last.
	slices.SortFunc(entries, func(a, b throttle.Entry[string]) int { return b.Until.Compare(a.Until) })
	small := throttle.NewDated[string](throttle.Limits{PerDomain: 10})
	small.Restore(entries, start())
	kept := small.List(start())
	if len(kept) != 10 {
		t.Fatalf("%d entries, want 10", len(kept))
	}
	for _, e := range kept {
		if e.Until.Before(start().Add(191 * time.Second)) {
			t.Errorf("kept a gate of %v, one that opens later was dropped", e.Until.Sub(start()))
		}
	}
}

func TestOnlyRateAndErrorGatesAreStored(t *testing.T) {
	c := newCache()
	c.Remember(request(), throttle.Failure[string]{Kind: throttle.Refused}, start())
	if entries, version := c.Snapshot(start()); len(entries) != 0 || version != 0 {
		t.Errorf("a refusal gives %d stored entries, version %d", len(entries), version)
	}
	c.Restore(c.List(start()), start())
	other := newCache()
	other.Restore(c.List(start()), start())
	if n := len(other.List(start())); n != 0 {
		t.Errorf("%d refusals came out of storage", n)
	}
}

func TestVersionGrowsWithWhatMustBeStored(t *testing.T) {
	c := newCache()
	expect := func(what string, want uint64) {
		t.Helper()
		if got := c.Version(); got != want {
			t.Errorf("after %s: version %d, want %d", what, got, want)
		}
	}
	expect("nothing", 0)
	v := c.Remember(request(), throttle.Failure[string]{Kind: throttle.Rate}, start())
	expect("a 429", 1)
	c.Succeeded(request(), start())
	expect("a success behind a rate gate", 1)
	c.Succeeded(request(), v.Until)
	expect("a success after it opened", 1)
	v = c.Remember(request(), throttle.Failure[string]{Kind: throttle.Unavailable}, start())
	expect("a 503", 2)
	c.Succeeded(request(), start())
	expect("a success that opened an error gate", 3)
	v = c.Remember(request(), throttle.Failure[string]{Kind: throttle.Unavailable}, v.Until)
	c.Succeeded(request(), v.Until)
	expect("a 503 and a success once its gate had opened", 4)
	c.Admit(request(), start(), true)
	c.List(start())
	entries, version := c.Snapshot(v.Since)
	c.Restore(entries, v.Since)
	expect("looking", version)
}

func TestAClockThatGoesBackNeverShutsAGateForEver(t *testing.T) {
	for _, kind := range kinds() {
		c := newCache()
		c.Remember(request(), throttle.Failure[string]{Kind: kind, RetryAfter: 20 * time.Minute}, start())
		past := start().AddDate(-1, 0, 0)
		v := c.Admit(request(), past, false)
		if got := v.Until.Sub(past); got != 20*time.Minute {
			t.Errorf("kind %s: a year before, the gate opens after %v, want its length of 20m", kind, got)
		}
		if !c.Admit(request(), past.Add(20*time.Minute), false).Open {
			t.Errorf("kind %s: shut after its length on the new clock", kind)
		}
	}
}

func TestAClockThatSlewsOpensNoGate(t *testing.T) {
	c := newCache()
	c.Remember(request(), throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: time.Minute}, start())
	for back := range 100 {
		now := start().Add(-time.Duration(back) * 50 * time.Millisecond)
		if v := c.Admit(request(), now, false); v.Open || v.Until.Sub(now) > 62*time.Second {
			t.Fatalf("%v back: open %v, until %v", start().Sub(now), v.Open, v.Until)
		}
	}
}

func TestKeysAreNamesOfConfigMapData(t *testing.T) {
	valid := regexp.MustCompile(`^(rate|unavailable|refused|unknown)-[0-9a-f]{32}$`)
	strange := request()
	strange.Domain, strange.ClientID, strange.Scopes = "ns/\x00/../\xff", strings.Repeat("ü", 300), []string{"", " "}
	c := newCache()
	for _, kind := range kinds() {
		c.Remember(strange, throttle.Failure[string]{Kind: kind}, start())
	}
	entries := c.List(start())
	entries = append(entries, throttle.Entry[string]{Kind: "../" + throttle.Rate})
	for _, e := range entries {
		if !valid.MatchString(e.Key()) {
			t.Errorf("kind %q: key %q", e.Kind, e.Key())
		}
	}
}

func TestKeysNeverChange(t *testing.T) {
	// A changed key would lose every stored gate at an upgrade.
	c := newCache()
	c.Remember(request(), throttle.Failure[string]{Kind: throttle.Rate}, start())
	c.Remember(request(), throttle.Failure[string]{Kind: throttle.Unavailable}, start())
	var keys []string
	for _, e := range c.List(start()) {
		keys = append(keys, e.Key())
	}
	want := []string{"rate-1f7db6ff4ff3265694a880d570f2d93d", "unavailable-5387e8a28e27c09f54dad4996e25fee8"}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestAnEntryIsReadableAndTellsNoSecret(t *testing.T) {
	r := request()
	r.Trust, r.Credential, r.Account, r.Claims, r.Inputs = "SECRET-t", "SECRET-c", "SECRET-a", "SECRET-l", "SECRET-i"
	c := newCache()
	c.Remember(r, throttle.Failure[string]{Kind: throttle.Unavailable, Remember: "ServerError"}, start())
	stored, err := json.Marshal(c.List(start())[0])
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(stored), "SECRET") {
		t.Errorf("entry %s", stored)
	}
	var fields map[string]any
	if err := json.Unmarshal(stored, &fields); err != nil {
		t.Fatal(err)
	}
	delete(fields, "context")
	want := map[string]any{
		"kind": "Unavailable", "domain": "ns/payments", "endpoint": "https://login.example/token", "client": "client",
		"scopes": []any{"read", "write"}, "since": "2026-03-01T12:00:00Z", "until": "2026-03-01T12:00:05Z", "attempts": 1.0,
		"remembered": "ServerError",
	}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
}

func FuzzEntry(f *testing.F) {
	c := newCache()
	c.Remember(request(), throttle.Failure[string]{Kind: throttle.Rate, Remember: "why"}, start())
	c.Remember(request(), throttle.Failure[string]{Kind: throttle.Unavailable}, start())
	for _, e := range c.List(start()) {
		stored, err := json.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(stored)
	}
	f.Add([]byte(`{"kind":"Rate","since":"0000-01-01T00:00:00Z","until":"9999-12-31T23:59:59.999999999+23:59","attempts":-9223372036854775808}`))
	f.Add([]byte(`{"kind":"Unavailable","scopes":["\ud800",""],"client":"\u0000","since":"2030-01-01T00:00:00Z","until":"2031-01-01T00:00:00Z"}`))
	f.Fuzz(func(t *testing.T, stored []byte) {
		var e throttle.Entry[string]
		if json.Unmarshal(stored, &e) != nil {
			return
		}
		c := newCache()
		c.Restore([]throttle.Entry[string]{e}, start())
		entries, _ := c.Snapshot(start())
		for _, kept := range entries {
			if !kept.Until.After(start()) || kept.Until.After(start().Add(time.Hour)) || kept.Since.After(start()) || kept.Attempts < 1 {
				t.Errorf("restored %+v", kept)
			}
			again, err := json.Marshal(kept)
			if err != nil {
				t.Fatal(err)
			}
			var read throttle.Entry[string]
			if err := json.Unmarshal(again, &read); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(kept, read); diff != "" || read.Key() != e.Key() {
				t.Errorf("key %s became %s (-kept +read):\n%s", e.Key(), read.Key(), diff)
			}
		}
	})
}
