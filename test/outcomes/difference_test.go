// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// difference says line by line, and whole lines, how two texts differ; it is empty when they don't.
func difference(want, got string) string {
	if want == got {
		return ""
	}
	return strings.Join(aligned(slices.Collect(strings.Lines(want)), slices.Collect(strings.Lines(got))), "")
}

// aligned keeps a line that both have, and prefers to drop one of want where that is nearer.
func aligned(want, got []string) []string {
	switch {
	case len(want) > 0 && len(got) > 0 && want[0] == got[0]:
		return append([]string{"  " + want[0]}, aligned(want[1:], got[1:])...)
	case len(want) > 0 && !slices.Contains(got, want[0]):
		return append([]string{"- " + want[0]}, aligned(want[1:], got)...)
	case len(got) > 0:
		return append([]string{"+ " + got[0]}, aligned(want, got[1:])...)
	case len(want) > 0:
		return append([]string{"- " + want[0]}, aligned(want[1:], got)...)
	default:
		return nil
	}
}

func TestADifferenceShowsWholeLines(t *testing.T) {
	for name, c := range map[string]struct{ want, got, difference string }{
		"nothing differs":     {"a\nb\n", "a\nb\n", ""},
		"a line was changed":  {"a\nb\nc\n", "a\nB\nc\n", "  a\n- b\n+ B\n  c\n"},
		"a line was added":    {"a\nc\n", "a\nb\nc\n", "  a\n+ b\n  c\n"},
		"a line was dropped":  {"a\nb\nc\n", "a\nc\n", "  a\n- b\n  c\n"},
		"all of it is new":    {"", "a\nb\n", "+ a\n+ b\n"},
		"all of it is gone":   {"a\nb\n", "", "- a\n- b\n"},
		"two lines swapped":   {"a\nb\n", "b\na\n", "+ b\n  a\n- b\n"},
		"a blank line is one": {"a\n\nb\n", "a\n\nc\n", "  a\n  \n- b\n+ c\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.difference, difference(c.want, c.got)); diff != "" {
				t.Errorf("difference (-want +got):\n%s", diff)
			}
		})
	}
}
