// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package report is what a run of the benchmark leaves behind: figures for programs, a page for people,
// and plots.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Figures are what a scenario has measured, by name. The unit is the end of the name; a name without one
// is a count.
type Figures map[string]float64

// Series is a curve: when one more of something was done, counted from the beginning.
type Series struct {
	// Name stands at the curve.
	Name string
	// At are the instants, in order.
	At []time.Duration
}

// Scenario is one scenario and what became of it.
type Scenario struct {
	// Name is the scenario's in all that is written, such as "burst1000".
	Name string
	// About says in a sentence what happens in it.
	About string
	// Goals are what it is held to.
	Goals []Goal
	// Figures are what it measured; none when it failed.
	Figures Figures
	// Series are the curves of its plot, if it has one.
	Series []Series
}

// Report is a run.
type Report struct {
	// Machine is what it ran on.
	Machine Machine
	// Scenarios are in the order in which they ran.
	Scenarios []*Scenario
	// Took is how long all of it was.
	Took time.Duration
	// Profiled says that profiles were taken meanwhile, which cost a little.
	Profiled bool
}

// JSON is the report for programs.
func (r *Report) JSON() ([]byte, error) {
	scenarios := map[string]Figures{}
	for _, s := range r.Scenarios {
		scenarios[s.Name] = s.Figures
	}
	text, err := json.MarshalIndent(map[string]any{"scenarios": scenarios}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing figures as JSON: %w", err)
	}
	return append(text, '\n'), nil
}

// Write writes report.json, report.md and a plot for each scenario with curves into a folder.
func (r *Report) Write(folder string) error {
	figures, err := r.JSON()
	if err != nil {
		return err
	}
	files := map[string][]byte{"report.json": figures, "report.md": []byte(r.Markdown())}
	for _, s := range r.Scenarios {
		if len(s.Series) > 0 {
			files[s.Name+".svg"] = []byte(s.plot())
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
	}
	return nil
}
