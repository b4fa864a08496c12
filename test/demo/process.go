// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// patience is how long a process may take to end by itself; the operator takes 20 s at most.
const patience = 25 * time.Second

// diedError says that a process ended though nobody had asked it to.
type diedError struct {
	title, log string
	state      string // how, where that is known
}

func (e *diedError) Error() string {
	if e.state == "" {
		return e.title + " ended unexpectedly."
	}
	return fmt.Sprintf("%s ended unexpectedly (%s).", e.title, e.state)
}

// startError says that something didn't come up.
type startError struct {
	title, log string
	err        error
}

func (e *startError) Error() string { return fmt.Sprintf("%s didn't start: %v.", e.title, e.err) }

func (e *startError) Unwrap() error { return e.err }

// process is a program that runs until the demo stops it.
type process struct {
	cmd      *exec.Cmd
	pidFile  string
	stopping atomic.Bool
	ended    chan struct{}
}

// start runs a program in a process group of its own, so that a Ctrl-C at the terminal reaches the
// demo alone. Its death ends the run. What it writes goes into its log, and, where announce isn't
// nil, its first line of standard output is decoded from JSON into that.
func (d *demo) start(ctx context.Context, title, program string, announce any, args ...string) error {
	name := filepath.Base(program)
	log, err := d.place.log(name + ".log")
	if err != nil {
		return err
	}
	p := &process{cmd: exec.Command(program, args...), ended: make(chan struct{}), pidFile: d.place.path(pidsDir, name)}
	first := newFirstLine(log)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if announce != nil {
		p.cmd.Stdout = first
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		log.Close()
		return &startError{title, filepath.Base(log.Name()), err}
	}
	d.undo = append(d.undo, p.stop)
	go func() {
		_ = p.cmd.Wait() // its state says the same
		log.Close()
		if !p.stopping.Load() {
			d.end(&diedError{title, filepath.Base(log.Name()), p.cmd.ProcessState.String()})
		}
		close(p.ended)
	}()
	if err := os.WriteFile(p.pidFile, []byte(strconv.Itoa(p.cmd.Process.Pid)), 0o600); err != nil {
		return fmt.Errorf("noting the process of %s: %w", title, err)
	}
	if announce == nil {
		return nil
	}
	select {
	case line := <-first.line:
		if err := json.Unmarshal(line, announce); err != nil {
			return &startError{title, filepath.Base(log.Name()), fmt.Errorf("reading its announcement: %w", err)}
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stop asks the process to end, and makes it.
func (p *process) stop() {
	p.stopping.Store(true)
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.ended
	}
	os.Remove(p.pidFile)
}

// firstLine hands on the first line that is written to it, and copies everything to a log.
type firstLine struct {
	log  io.Writer
	line chan []byte
	text []byte
	told bool
}

func newFirstLine(log io.Writer) *firstLine { return &firstLine{log: log, line: make(chan []byte, 1)} }

func (f *firstLine) Write(text []byte) (int, error) {
	for i := 0; i < len(text) && !f.told; i++ {
		if f.told = text[i] == '\n'; f.told {
			f.line <- f.text
		} else {
			f.text = append(f.text, text[i])
		}
	}
	return f.log.Write(text)
}
