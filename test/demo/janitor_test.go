// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
)

func TestTheJanitorSweepsWhenTheDemoIsGone(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	p, err := newPlace()
	if err != nil {
		t.Fatal(err)
	}
	orphan := exec.Command("/bin/sh", "-c", "trap '' TERM; cat")
	orphan.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if _, err := orphan.StdinPipe(); err != nil { // it would wait for ever
		t.Fatal(err)
	}
	if err := orphan.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.write(pidsDir+"/orphan", []byte(strconv.Itoa(orphan.Process.Pid))); err != nil {
		t.Fatal(err)
	}
	p.janitor.pipe.Close() // as the kernel does, however a process ends
	if err := orphan.Wait(); err == nil {
		t.Error("the orphan ended by itself")
	}
	if err := p.janitor.cmd.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(p.dir); !os.IsNotExist(err) {
		t.Errorf("looking for the place: %v, want that it is gone", err)
	}
}
