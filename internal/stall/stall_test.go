// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stall_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/stall"
)

func noon() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// at is an instant around noon.
func at(d time.Duration) time.Time { return noon().Add(d) }

func TestDue(t *testing.T) {
	const hour = time.Hour
	for name, c := range map[string]struct {
		plan  stall.Plan
		look  stall.Look
		since time.Time
		want  time.Time
	}{
		"a plan that lies ahead of the last look":        {stall.Plan{At: at(0)}, stall.Look{Covered: at(-hour), Next: at(0)}, at(-2 * hour), at(0)},
		"a plan though the look promised another day":    {stall.Plan{At: at(0)}, stall.Look{Covered: at(-hour), Next: at(24 * hour)}, at(-2 * hour), at(0)},
		"a plan though the look promised nothing":        {stall.Plan{At: at(0)}, stall.Look{Covered: at(-hour)}, at(-2 * hour), at(0)},
		"a plan that a look has met":                     {stall.Plan{At: at(0)}, stall.Look{Covered: at(0), Next: at(hour)}, at(-2 * hour), at(hour)},
		"a plan that falls into a call under way":        {stall.Plan{At: at(0)}, stall.Look{Covered: at(time.Minute), Next: at(time.Minute)}, at(-2 * hour), at(time.Minute)},
		"no plan but the last look's":                    {stall.Plan{}, stall.Look{Covered: at(0), Next: at(hour)}, at(-2 * hour), at(hour)},
		"neither":                                        {stall.Plan{}, stall.Look{}, at(-2 * hour), time.Time{}},
		"an object that nobody has looked at":            {stall.Plan{At: at(0)}, stall.Look{}, at(-2 * hour), at(0)},
		"a plan from before the watch":                   {stall.Plan{At: at(0)}, stall.Look{}, at(hour), at(hour)},
		"a suspended one":                                {stall.Plan{At: at(0), Rests: true}, stall.Look{Covered: at(-hour), Next: at(0)}, at(-2 * hour), time.Time{}},
		"a plan while somebody else works":               {stall.Plan{At: at(0)}, stall.Look{}, time.Time{}, time.Time{}},
		"a look that promised less than what is planned": {stall.Plan{At: at(hour)}, stall.Look{Covered: at(0), Next: at(time.Minute)}, at(-2 * hour), at(time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := stall.Due(c.plan, c.look, c.since); !got.Equal(c.want) {
				t.Errorf("Due = %v, want %v", got, c.want)
			}
		})
	}
}

func TestAMinuteIsForgiven(t *testing.T) {
	var w stall.Watch[string]
	w.Start(at(-time.Hour))
	plans := map[string]stall.Plan{"graph": {At: at(0)}, "orders": {At: at(30 * time.Second)}, "later": {At: at(time.Hour)}}
	for _, c := range []struct {
		now  time.Time
		want stall.Verdict[string]
	}{
		{at(-time.Second), stall.Verdict[string]{}},
		{at(stall.Patience), stall.Verdict[string]{Worst: stall.Patience}},
		{at(stall.Patience + 1), stall.Verdict[string]{Stalled: []string{"graph"}, Worst: stall.Patience + 1}},
		{at(2 * stall.Patience), stall.Verdict[string]{Stalled: []string{"graph", "orders"}, Worst: 2 * stall.Patience}},
	} {
		got := w.Judge(maps.All(plans), c.now)
		slices.Sort(got.Stalled)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("at %v (-want +got):\n%s", c.now, diff)
		}
	}
}

func TestAStallIsToldOnceUntilSomebodyLooks(t *testing.T) {
	var w stall.Watch[string]
	w.Start(at(-time.Hour))
	plans := map[string]stall.Plan{"graph": {At: at(0)}}
	advance := func(now time.Time, stalled, begun []string) {
		t.Helper()
		v, began := w.Advance(maps.All(plans), now)
		if !slices.Equal(v.Stalled, stalled) || !slices.Equal(began, begun) {
			t.Errorf("at %v %v are stalled and %v began to be, want %v and %v", now, v.Stalled, began, stalled, begun)
		}
	}
	advance(at(time.Second), nil, nil)
	advance(at(2*time.Minute), []string{"graph"}, []string{"graph"})
	advance(at(3*time.Minute), []string{"graph"}, nil)

	w.Note("graph", stall.Look{Covered: at(3 * time.Minute), Next: at(time.Hour)})
	plans["graph"] = stall.Plan{At: at(time.Hour)}
	advance(at(4*time.Minute), nil, nil)
	advance(at(time.Hour+2*time.Minute), []string{"graph"}, []string{"graph"})
	if got := w.Stalls(); got != 2 {
		t.Errorf("%d stalls were counted, want 2", got)
	}
}

// An object of another UID begins anew, and what is deleted must not fill the memory.
func TestWhatIsGoneIsForgotten(t *testing.T) {
	var w stall.Watch[string]
	w.Start(at(-time.Hour))
	w.Note("graph", stall.Look{Covered: at(time.Hour), Next: at(time.Hour)})
	plans := map[string]stall.Plan{"graph": {At: at(0)}}
	if v, _ := w.Advance(maps.All(plans), at(10*time.Minute)); len(v.Stalled) > 0 {
		t.Fatal("the look wasn't taken in: the test would prove nothing")
	}
	w.Advance(maps.All(map[string]stall.Plan{}), at(10*time.Minute))
	if v := w.Judge(maps.All(plans), at(10*time.Minute)); len(v.Stalled) != 1 {
		t.Error("the look of an object outlived it")
	}
}

func TestNobodyIsJudgedBeforeTheStart(t *testing.T) {
	var w stall.Watch[string]
	plans := map[string]stall.Plan{"graph": {At: at(0)}}
	if v := w.Judge(maps.All(plans), at(time.Hour)); len(v.Stalled) > 0 || v.Worst != 0 {
		t.Errorf("a replica that waits finds %v", v)
	}
	w.Start(at(time.Hour))
	if v := w.Judge(maps.All(plans), at(time.Hour+time.Second)); len(v.Stalled) > 0 || v.Worst != time.Second {
		t.Errorf("a replica that has just begun finds %v", v)
	}
}
