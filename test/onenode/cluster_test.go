// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strconv"
	"testing"
)

func TestDownIsContentWithNothing(t *testing.T) {
	c := &cluster{state: t.TempDir() + "/cluster"}
	for range 2 {
		if err := c.down(); err != nil {
			t.Fatal(err)
		}
	}
}

// The number of an init that is long gone may be another process's, here this one's: it must live.
func TestDownSparesAnotherProcessOfTheSameNumber(t *testing.T) {
	c := &cluster{state: t.TempDir() + "/cluster"}
	if err := os.Mkdir(c.state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.path(pidFile), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		t.Fatal(err)
	}
	if pid, err := c.pid(); pid != 0 || err != nil {
		t.Fatalf("took process %d, which is this test, for the init (error %v)", pid, err)
	}
	if err := c.down(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.state); !os.IsNotExist(err) {
		t.Errorf("the state directory is still there: %v", err)
	}
}
