// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Markdown is the report for people.
func (r *Report) Markdown() string {
	var b strings.Builder
	line := func(format string, arguments ...any) { fmt.Fprintf(&b, format+"\n", arguments...) }
	line("# A run of the benchmark\n")
	line("What each figure means, and how it was measured: [README.md](README.md).\n")
	line("%s\n", r.Machine.Markdown())
	line("It took %s.%s\n", r.Took.Round(time.Second), map[bool]string{true: " Profiles were taken meanwhile, which costs a few per cent."}[r.Profiled])
	line("## Goals\n")
	line("| scenario | goal | measured | |\n|---|---|---|---|")
	for _, s := range r.Scenarios {
		for _, g := range s.Goals {
			line("| %s | %s | %s | %s |", s.Name, g, s.Figures.text(g.Figure), map[bool]string{true: "met", false: "**not met**"}[g.Met(s.Figures)])
		}
	}
	line("\n## Scenarios")
	for _, s := range r.Scenarios {
		line("\n### %s\n\n%s\n", s.Name, s.About)
		if len(s.Figures) == 0 {
			line("It failed: nothing was measured.")
			continue
		}
		if len(s.Series) > 0 {
			line("![%s](%s.svg)\n", s.About, s.Name)
		}
		line("| figure | |\n|---|---|")
		for _, name := range slices.Sorted(maps.Keys(s.Figures)) {
			line("| %s | %s |", name, s.Figures.text(name))
		}
	}
	return b.String()
}

// Terminal is what a scenario measured, in two columns, with its goals.
func (s *Scenario) Terminal() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.Figures)) {
		fmt.Fprintf(&b, "    %-28s %s\n", name, s.Figures.text(name))
	}
	for _, g := range s.Goals {
		fmt.Fprintf(&b, "    %-8s %s\n", map[bool]string{true: "met", false: "NOT MET"}[g.Met(s.Figures)], g)
	}
	return b.String()
}
