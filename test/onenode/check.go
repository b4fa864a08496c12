// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// neededControllers are those that kubelet limits pods with.
var neededControllers = []string{"cpu", "cpuset", "memory", "pids"}

// check tells whether this machine can carry a node, by trying what up does and undoing it. Its error has
// a line for each thing that the machine lacks.
func check() error {
	var lacks []error
	if os.Geteuid() != 0 {
		return errors.New("it isn't run as root, which namespaces, mounts, cgroups and a bridge need")
	}
	for _, part := range nodePackages() {
		if err := part.is(); err != nil {
			if _, apt := exec.LookPath("apt-get"); apt != nil {
				lacks = append(lacks, fmt.Errorf("%s isn't installed, and there is no apt-get to do it: %w", part.name, err))
			}
		}
	}
	lacks = append(lacks, tryNamespaces(), tryCgroups())
	if inPath("ip")() == nil { // else up installs it
		lacks = append(lacks, tryBridge())
	}
	return errors.Join(lacks...)
}

// tryCommand is how check runs this program again, in namespaces as the cluster and its pods have them.
const tryCommand = "try"

// tryNamespaces makes such namespaces and mounts in them.
func tryNamespaces() error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	command := exec.Command(program, tryCommand)
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS}
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("no namespaces with mounts of their own can be made here, perhaps because this is a container without privileges: %w %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// tryMounts is what the try does in its namespaces, which end with it.
func tryMounts() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keeping mounts from the machine: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	if err := syscall.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mounting a tmpfs: %w", err)
	}
	return nil
}

// tryCgroups makes a cgroup, and asks whether it has the controllers.
func tryCgroups() error {
	unified := unifiedCgroups()
	if unified {
		if err := delegate(cgroups); err != nil {
			return err
		}
	}
	hierarchies, err := cgroupHierarchies()
	if err != nil {
		return err
	}
	available := map[string]bool{}
	for _, hierarchy := range hierarchies {
		tried := filepath.Join(hierarchy, "onenode-check")
		if err := os.Mkdir(tried, 0o755); err != nil {
			return fmt.Errorf("cgroups can't be made here: %w", err)
		}
		for _, name := range controllersOf(hierarchy, tried, unified) {
			available[name] = true
		}
		if err := os.Remove(tried); err != nil {
			return fmt.Errorf("removing a cgroup: %w", err)
		}
	}
	missing := slices.DeleteFunc(slices.Clone(neededControllers), func(name string) bool { return available[name] })
	if len(missing) > 0 {
		return fmt.Errorf("there are no cgroup controllers %v in %s", missing, cgroups)
	}
	return nil
}

// controllersOf are those of a cgroup. Version 1 has them in the names of its hierarchies.
func controllersOf(hierarchy, cgroup string, unified bool) []string {
	if !unified {
		return strings.Split(filepath.Base(hierarchy), ",")
	}
	content, err := os.ReadFile(filepath.Join(cgroup, "cgroup.controllers"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(content))
}

// tryBridge makes a bridge and takes it away.
func tryBridge() error {
	const tried = bridge + "-try"
	if err := ip("link", "add", tried, "type", "bridge"); err != nil {
		return fmt.Errorf("no network bridge can be made here: %w", err)
	}
	return ip("link", "delete", tried)
}
