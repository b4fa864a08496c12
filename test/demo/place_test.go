// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"
)

func TestAPlaceThatFailedKeepsItsLogsAlone(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	p, err := newPlace()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.write("kubeconfig", []byte("a key")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.write(logsDir+"/manager.log", []byte("one\ntwo\n")); err != nil {
		t.Fatal(err)
	}
	if lines := p.tail("manager.log"); len(lines) != 2 || lines[1] != "two" {
		t.Errorf("the log's last lines are %q", lines)
	}
	logs := p.keepLogs()
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || p.path(entries[0].Name()) != logs {
		t.Errorf("%v stay, want the logs alone", entries)
	}
}
