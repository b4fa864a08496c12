// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/test/bench/report"
)

// run is a report of two scenarios, one of which failed.
func run() *report.Report {
	return &report.Report{Scenarios: []*report.Scenario{
		{
			Name: "burst10", About: "ten & more",
			Goals: []report.Goal{
				{Figure: "ratio", Bound: 1.3},
				{Figure: "writesPerObject", Bound: 2, Counted: true},
				{Figure: "stsCalls", Bound: 10, Exactly: true, Counted: true},
				{Figure: "lost", Bound: 0, Counted: true},
			},
			Figures: report.Figures{"ratio": 1.52, "writesPerObject": 2.5, "stsCalls": 9},
			Series:  []report.Series{{Name: "operator", At: []time.Duration{time.Second, 2 * time.Second}}, {Name: "none"}},
		},
		{Name: "idle", About: "nothing is due", Goals: []report.Goal{{Figure: "writesPerMinute", Bound: 0, Counted: true}}},
	}}
}

func TestGoals(t *testing.T) {
	for name, test := range map[string]struct {
		goal  report.Goal
		value float64
		want  bool
	}{
		"below its bound":      {report.Goal{Figure: "f", Bound: 2}, 1.9, true},
		"at its bound":         {report.Goal{Figure: "f", Bound: 2}, 2, true},
		"above its bound":      {report.Goal{Figure: "f", Bound: 2}, 2.01, false},
		"exactly":              {report.Goal{Figure: "f", Bound: 2, Exactly: true}, 2, true},
		"less than exactly":    {report.Goal{Figure: "f", Bound: 2, Exactly: true}, 1, false},
		"one that nobody took": {report.Goal{Figure: "other", Bound: 2}, 1, false},
	} {
		if got := test.goal.Met(report.Figures{"f": test.value}); got != test.want {
			t.Errorf("%s: met is %t", name, got)
		}
	}
}

// The small form fails on these alone, so a figure that depends on the machine may not be among them.
func TestMissedGoalsAreCountedOnes(t *testing.T) {
	want := []string{
		"burst10: writesPerObject is at most 2, and was 2.50",
		"burst10: stsCalls is 10, and was 9",
		"burst10: lost is at most 0, and was not measured",
	}
	if diff := cmp.Diff(want, run().Scenarios[0].Missed()); diff != "" {
		t.Errorf("missed (-want +got):\n%s", diff)
	}
}

func TestMarkdownJudgesEachGoal(t *testing.T) {
	text := run().Markdown()
	for _, want := range []string{
		"| burst10 | ratio is at most 1.30 | 1.52 | **not met** |",
		"| idle | writesPerMinute is at most 0 | not measured | **not met** |",
		"![ten & more](burst10.svg)",
		"It failed: nothing was measured.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
}

func TestWhatIsWritten(t *testing.T) {
	folder := t.TempDir()
	if err := run().Write(folder); err != nil {
		t.Fatal(err)
	}
	figures, err := os.ReadFile(filepath.Join(folder, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]map[string]map[string]float64
	if err := json.Unmarshal(figures, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]map[string]float64{"scenarios": {"burst10": {"ratio": 1.52, "writesPerObject": 2.5, "stsCalls": 9}, "idle": nil}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report.json (-want +got):\n%s", diff)
	}
	plot, err := os.Open(filepath.Join(folder, "burst10.svg"))
	if err != nil {
		t.Fatal(err)
	}
	defer plot.Close()
	for decoder := xml.NewDecoder(plot); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("the plot is no XML: %v", err)
		}
	}
}
