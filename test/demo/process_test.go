// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"testing"
)

func TestFirstLineIsHandedOnWholeAndEverythingIsLogged(t *testing.T) {
	var log bytes.Buffer
	first := newFirstLine(&log)
	for _, part := range []string{`{"url":`, `"https://127.0.0.1"}` + "\nsecond", " line\nthird"} {
		if n, err := first.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("writing %q: %d, %v", part, n, err)
		}
	}
	if line := string(<-first.line); line != `{"url":"https://127.0.0.1"}` {
		t.Errorf("the first line is %q", line)
	}
	if want := `{"url":"https://127.0.0.1"}` + "\nsecond line\nthird"; log.String() != want {
		t.Errorf("the log is %q, want %q", log.String(), want)
	}
}
