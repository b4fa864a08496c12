// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWrap(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"a short text is one line", "one two", []string{"one two"}},
		{"a line is as long as it may be", "one two three", []string{"one two", "three"}},
		{"a longer word has a line of its own", "a https://127.0.0.1 b", []string{"a", "https://127.0.0.1", "b"}},
		{"a line feed stays", "one\ntwo three four", []string{"one", "two", "three", "four"}},
		{"nothing is an empty line", "", []string{""}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, wrap(test.text, 8)); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAFileGetsPlainLines(t *testing.T) {
	var file bytes.Buffer
	s := &screen{to: &file}
	s.title("Title")
	s.status("Waiting ...")
	s.row("0.1 s", "graph", "True", "TokenValid", "Secret graph-token holds a valid token.")
	s.row("10.1 s", "a-name-that-is-long", "False", "CredentialNotFound", "It was looked for, and not found in the namespace that was named.")
	s.good("The end.")
	want := `Title
  0.1 s  graph         True   TokenValid     Secret graph-token holds a valid token.
 10.1 s  a-name-that-is-long False  CredentialNotFound It was looked for, and not found in the namespace that
                                             was named.

The end.
`
	if diff := cmp.Diff(want, file.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestATerminalsStatusMakesWayForTheNextLine(t *testing.T) {
	var terminal bytes.Buffer
	s := &screen{to: &terminal, terminal: true}
	s.status("Waiting ...")
	s.line("Done.")
	if want := "  " + dim + "Waiting ..." + plain + erase + "Done.\n"; terminal.String() != want {
		t.Errorf("it was sent %q, want %q", terminal.String(), want)
	}
}

func TestLogLinesAreCut(t *testing.T) {
	var file bytes.Buffer
	(&screen{to: &file}).log("manager.log", []string{strings.Repeat("x", longestLine+1)})
	if want := strings.Repeat("x", longestLine) + " ...\n"; !strings.Contains(file.String(), want) {
		t.Errorf("the line isn't cut at %d:\n%s", longestLine, file.String())
	}
}
