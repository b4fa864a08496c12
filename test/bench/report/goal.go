// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strconv"
)

// Goal is a bound for one figure.
type Goal struct {
	// Figure is the name of the figure.
	Figure string
	// Bound is the most that it may be.
	Bound float64
	// Exactly makes it the least too.
	Exactly bool
	// Counted says that no machine is too slow for the goal: it is about what was done and not about how fast.
	Counted bool
}

// Met says whether the figures meet the goal. A figure that was not measured doesn't.
func (g Goal) Met(figures Figures) bool {
	value, measured := figures[g.Figure]
	return measured && value <= g.Bound && (!g.Exactly || value == g.Bound)
}

// String is the goal in words.
func (g Goal) String() string {
	if g.Exactly {
		return fmt.Sprintf("%s is %s", g.Figure, number(g.Bound))
	}
	return fmt.Sprintf("%s is at most %s", g.Figure, number(g.Bound))
}

// Missed are the goals of the scenario that are counted and not met, each with what was measured.
func (s *Scenario) Missed() []string {
	var missed []string
	for _, g := range s.Goals {
		if g.Counted && !g.Met(s.Figures) {
			missed = append(missed, fmt.Sprintf("%s: %s, and was %s", s.Name, g, s.Figures.text(g.Figure)))
		}
	}
	return missed
}

// text is a figure as people read it.
func (f Figures) text(name string) string {
	value, measured := f[name]
	if !measured {
		return "not measured"
	}
	return number(value)
}

// number has three digits that mean something, and no more.
func number(value float64) string {
	switch {
	case value == float64(int64(value)):
		return strconv.FormatInt(int64(value), 10)
	case value >= 100 || value <= -100:
		return strconv.FormatFloat(value, 'f', 0, 64)
	case value >= 10 || value <= -10:
		return strconv.FormatFloat(value, 'f', 1, 64)
	default:
		return strconv.FormatFloat(value, 'f', 2, 64)
	}
}
