// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package flight_test

import (
	"fmt"
	"testing"
	"time"

	"tokenrequest.dev/operator/internal/flight"
)

var shelfTime = time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC)

func kept(s *flight.Shelf[string, int], domain, key string, now time.Time) string {
	if got, ok := s.Get(domain, key, now); ok {
		return fmt.Sprint(got)
	}
	return "none"
}

func TestShelfKeepsAResultAsLongAsItIsGood(t *testing.T) {
	s := flight.NewShelf[string, int](10)
	s.Put("a", "k", 1, shelfTime.Add(time.Minute), shelfTime)
	for _, test := range []struct {
		name, domain, key string
		after             time.Duration
		want              string
	}{
		{"at once", "a", "k", 0, "1"},
		{"just before its end", "a", "k", time.Minute - 1, "1"},
		{"another key", "a", "l", 0, "none"},
		{"the same key in another domain", "b", "k", 0, "none"},
		{"at its end", "a", "k", time.Minute, "none"},
		{"after it was dropped, whatever the clock says", "a", "k", 0, "none"},
	} {
		if got := kept(s, test.domain, test.key, shelfTime.Add(test.after)); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestShelfKeepsNothingThatHasEnded(t *testing.T) {
	s := flight.NewShelf[string, int](1)
	s.Put("a", "good", 1, shelfTime.Add(time.Minute), shelfTime)
	s.Put("a", "ended", 2, shelfTime, shelfTime)
	if got := kept(s, "a", "good", shelfTime); got != "1" {
		t.Errorf("a result that had ended took the place of one that is good: %s", got)
	}
}

func TestShelfReplacesAResultWithoutTakingMoreRoom(t *testing.T) {
	s := flight.NewShelf[string, int](2)
	s.Put("a", "other", 7, shelfTime.Add(time.Minute), shelfTime)
	for i := range 5 {
		s.Put("a", "k", i, shelfTime.Add(time.Hour), shelfTime)
	}
	if got := kept(s, "a", "k", shelfTime) + " " + kept(s, "a", "other", shelfTime); got != "4 7" {
		t.Errorf("got %s, want 4 7", got)
	}
}

func TestFullShelfDropsWhatHasEndedFirst(t *testing.T) {
	s := flight.NewShelf[string, int](2)
	s.Put("a", "short", 1, shelfTime.Add(time.Second), shelfTime)
	s.Put("b", "long", 2, shelfTime.Add(time.Hour), shelfTime)
	later := shelfTime.Add(time.Minute)
	s.Put("b", "new", 3, later.Add(time.Hour), later)
	if got := kept(s, "b", "long", later) + " " + kept(s, "b", "new", later); got != "2 3" {
		t.Errorf("got %s, want 2 3", got)
	}
}

func TestFullShelfTakesFromTheFullestDomain(t *testing.T) {
	s := flight.NewShelf[string, int](4)
	s.Put("victim", "k", 1, shelfTime.Add(time.Second), shelfTime)
	for i := range 100 {
		s.Put("attacker", fmt.Sprint(i), i, shelfTime.Add(time.Duration(i+60)*time.Second), shelfTime)
	}
	if got := kept(s, "victim", "k", shelfTime); got != "1" {
		t.Errorf("another tenant's results pushed the victim's out: %s", got)
	}
	if got := kept(s, "attacker", "99", shelfTime); got != "99" {
		t.Errorf("the newest result isn't there: %s", got)
	}
	if got := kept(s, "attacker", "0", shelfTime); got != "none" {
		t.Errorf("the result that ends soonest is still there: %s", got)
	}
}

func TestShelfOfOnePlaceTakesTheNewest(t *testing.T) {
	s := flight.NewShelf[string, int](1)
	s.Put("a", "k", 1, shelfTime.Add(time.Minute), shelfTime)
	s.Put("a", "l", 2, shelfTime.Add(time.Minute), shelfTime)
	if got := kept(s, "a", "k", shelfTime) + " " + kept(s, "a", "l", shelfTime); got != "none 2" {
		t.Errorf("got %s, want none 2", got)
	}
}

func TestShelfCountsWhatWasUsed(t *testing.T) {
	s := flight.NewShelf[string, int](1)
	s.Used()
	s.Used()
	if got := s.Hits(); got != 2 {
		t.Errorf("got %d hits, want 2", got)
	}
}

func TestShelfWithoutRoomPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	flight.NewShelf[string, int](0)
}
