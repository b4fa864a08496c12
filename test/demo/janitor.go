// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// sweep waits until nobody holds the other end of its standard input, which is when the demo has
// ended in whatever way, SIGKILL included. Then it kills the process groups whose leaders are noted
// in the place, and removes the place.
const sweep = `
trap '' INT TERM HUP
cat >/dev/null
for file in "$1"/pids/*; do
	[ -s "$file" ] && kill -s KILL -- "-$(cat "$file")" 2>/dev/null
done
rm -rf "$1" 2>/dev/null || { sleep 1; rm -rf "$1"; }
`

// janitor is a process that outlives the demo if need be, so that nothing else does. A parent death
// signal would do the same on Linux alone, and can't be set on the processes that envtest starts.
type janitor struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

func hireJanitor(dir string) (*janitor, error) {
	cmd := exec.Command("/bin/sh", "-c", sweep, "demo-janitor", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C isn't for it
	pipe, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("starting the shell that cleans up behind a killed demo: %w", err)
	}
	return &janitor{cmd: cmd, pipe: pipe}, nil
}

// dismiss is for when there is nothing left to sweep.
func (j *janitor) dismiss() {
	// Its whole group: it waits in a cat.
	_ = syscall.Kill(-j.cmd.Process.Pid, syscall.SIGKILL)
	_ = j.cmd.Wait()
	j.pipe.Close()
}
