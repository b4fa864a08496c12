// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Machine is what a run ran on and with.
type Machine struct {
	CPU, Memory, Kernel          string
	Cores                        int
	Go, Kubernetes, Etcd, Commit string
}

// Here is this machine, with the control plane in the folder assets.
func Here(ctx context.Context, assets string) Machine {
	m := Machine{
		CPU: after("/proc/cpuinfo", "model name"), Memory: after("/proc/meminfo", "MemTotal"), Kernel: said(ctx, "uname", "-sr"),
		Cores: runtime.NumCPU(), Go: runtime.Version(),
		Kubernetes: said(ctx, filepath.Join(assets, "kube-apiserver"), "--version"),
		Etcd:       said(ctx, filepath.Join(assets, "etcd"), "--version"),
		Commit:     said(ctx, "git", "rev-parse", "--short", "HEAD"),
	}
	if said(ctx, "git", "status", "--porcelain", "--untracked-files=no") != "" {
		m.Commit += ", with changes that aren't in it"
	}
	return m
}

// Markdown is the machine as a table.
func (m Machine) Markdown() string {
	return fmt.Sprintf("| CPU | cores | memory | kernel | Go | API server | etcd | commit |\n|---|---|---|---|---|---|---|---|\n| %s | %d | %s | %s | %s | %s | %s | %s |",
		m.CPU, m.Cores, m.Memory, m.Kernel, m.Go, m.Kubernetes, m.Etcd, m.Commit)
}

// after is what a file such as /proc/cpuinfo says of a name.
func after(path, name string) string {
	file, err := os.Open(path)
	if err != nil {
		return "unknown"
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if before, value, found := strings.Cut(lines.Text(), ":"); found && strings.TrimSpace(before) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// said is the first line that a program prints.
func said(ctx context.Context, program string, arguments ...string) string {
	text, err := exec.CommandContext(ctx, program, arguments...).Output()
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
}
