// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// place is the temporary directory of a run: everything that it leaves on disk is in here.
type place struct {
	dir     string
	janitor *janitor
}

const (
	logsDir     = "logs"
	pidsDir     = "pids"
	programsDir = "programs"
)

func newPlace() (*place, error) {
	dir, err := os.MkdirTemp("", "tokenrequest-demo-")
	if err != nil {
		return nil, fmt.Errorf("making a temporary directory: %w", err)
	}
	p := &place{dir: dir}
	for _, name := range []string{logsDir, pidsDir, programsDir} {
		if err := os.Mkdir(p.path(name), 0o700); err != nil {
			return nil, fmt.Errorf("making a temporary directory: %w", err)
		}
	}
	p.janitor, err = hireJanitor(dir)
	return p, err
}

// path is where a file of the run is.
func (p *place) path(elements ...string) string {
	return filepath.Join(append([]string{p.dir}, elements...)...)
}

// write puts a file into the place, readable by its owner alone: some hold keys.
func (p *place) write(name string, content []byte) (string, error) {
	path := p.path(name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return "", fmt.Errorf("writing %s: %w", name, err)
	}
	return path, nil
}

// log makes the file that a process writes to.
func (p *place) log(name string) (*os.File, error) {
	file, err := os.OpenFile(p.path(logsDir, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making the log %s: %w", name, err)
	}
	return file, nil
}

// tailLines is how much of a log is shown.
const tailLines = 10

// tail returns the last lines of a log.
func (p *place) tail(name string) []string {
	content, err := os.ReadFile(p.path(logsDir, name))
	if err != nil {
		return nil
	}
	lines := strings.FieldsFunc(string(content), func(r rune) bool { return r == '\n' })
	return lines[max(0, len(lines)-tailLines):]
}

// remove ends the place. Nothing may be running in it any more.
func (p *place) remove() {
	p.janitor.dismiss()
	os.RemoveAll(p.dir)
}

// keepLogs removes all but the logs, and returns where they are.
func (p *place) keepLogs() string {
	p.janitor.dismiss()
	entries, _ := os.ReadDir(p.dir)
	for _, entry := range entries {
		if entry.Name() != logsDir {
			os.RemoveAll(p.path(entry.Name()))
		}
	}
	return p.path(logsDir)
}
