// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Command strike kills the processes of a program with SIGKILL, as the kernel does when memory is
// short. In a pod that sees the node's processes that is the death of another pod's container, which
// the container itself can't bring about: the first process of a PID namespace is deaf to its own.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: strike program")
		os.Exit(2)
	}
	killed, err := strike(os.Args[1])
	fmt.Println("killed", killed)
	if err != nil || killed == 0 {
		fmt.Fprintln(os.Stderr, "strike:", err)
		os.Exit(1)
	}
}

// strike kills each process whose command line begins with the program.
func strike(program string) (killed int, err error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, fmt.Errorf("listing processes: %w", err)
	}
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil || !bytes.HasPrefix(line, []byte(program+"\x00")) {
			continue // ended, or another program
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return killed, fmt.Errorf("reading a process's number: %w", err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return killed, fmt.Errorf("killing process %d: %w", pid, err)
		}
		killed++
	}
	return killed, nil
}
