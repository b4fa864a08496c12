// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	cgroups = "/sys/fs/cgroup"
	// podCgroup is what kubelet puts all pods below, in each hierarchy.
	podCgroup = "onenode"
)

// makeCgroup makes the cgroup of all pods. Version 2 has one hierarchy, version 1 one for each
// controller.
func makeCgroup() error {
	if unifiedCgroups() {
		if err := delegate(cgroups); err != nil {
			return err
		}
	}
	dirs, err := podCgroups()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("making a cgroup: %w", err)
		}
	}
	return nil
}

// unifiedControllers are those that kubelet uses; it takes a cgroup for missing while that lacks one of
// them which the machine has.
var unifiedControllers = []string{"cpu", "cpuset", "hugetlb", "memory", "pids"}

// delegate hands the controllers of version 2 to the cgroups below the topmost. Within a container that
// is not the machine's own: it has processes, and one with processes hands nothing down
// (https://docs.kernel.org/admin-guide/cgroup-v2.html#no-internal-process-constraint). So these move
// aside first.
func delegate(top string) error {
	has, err := os.ReadFile(filepath.Join(top, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("finding the cgroup controllers: %w", err)
	}
	var wanted []string
	for name := range strings.FieldsSeq(string(has)) {
		if slices.Contains(unifiedControllers, name) {
			wanted = append(wanted, "+"+name)
		}
	}
	hand := func() error {
		return os.WriteFile(filepath.Join(top, "cgroup.subtree_control"), []byte(strings.Join(wanted, " ")), 0o644)
	}
	err = hand()
	if errors.Is(err, syscall.EBUSY) {
		if err = moveAside(top); err == nil {
			err = hand()
		}
	}
	if err != nil {
		return fmt.Errorf("handing controllers to cgroups: %w", err)
	}
	return nil
}

// moveAside moves the processes of the topmost cgroup into one of their own, where they stay.
func moveAside(top string) error {
	aside := filepath.Join(top, "init")
	if err := os.Mkdir(aside, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	processes, err := os.ReadFile(filepath.Join(top, "cgroup.procs"))
	if err != nil {
		return err
	}
	for process := range strings.FieldsSeq(string(processes)) {
		err := os.WriteFile(filepath.Join(aside, "cgroup.procs"), []byte(process), 0o644)
		if err != nil && !errors.Is(err, syscall.ESRCH) { // or it has ended
			return err
		}
	}
	return nil
}

// removeCgroup removes it with all below; that its processes have ended shows in it a little later.
func removeCgroup() error {
	dirs, err := podCgroups()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := within(10*time.Second, func() error { return removeCgroupTree(dir) }); err != nil {
			return fmt.Errorf("removing a cgroup: %w", err)
		}
	}
	return nil
}

// removeCgroupTree removes directories alone, the innermost first: the files in them can't be removed.
func removeCgroupTree(root string) error {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, dir := range slices.Backward(dirs) {
		err = errors.Join(err, os.Remove(dir))
	}
	return err
}

func unifiedCgroups() bool {
	_, err := os.Stat(filepath.Join(cgroups, "cgroup.controllers"))
	return err == nil
}

// podCgroups are the directories of the pods' cgroup, whether they are there or not.
func podCgroups() ([]string, error) {
	hierarchies, err := cgroupHierarchies()
	if err != nil {
		return nil, err
	}
	dirs := make([]string, 0, len(hierarchies))
	for _, hierarchy := range hierarchies {
		dirs = append(dirs, filepath.Join(hierarchy, podCgroup))
	}
	return dirs, nil
}

// cgroupHierarchies are where cgroups are mounted.
func cgroupHierarchies() ([]string, error) {
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return nil, fmt.Errorf("finding the cgroup hierarchies: %w", err)
	}
	var dirs []string
	for line := range bytes.Lines(mounts) {
		fields := strings.Fields(string(line)) // device, directory, type, ...
		if strings.HasPrefix(fields[2], "cgroup") && strings.HasPrefix(fields[1], cgroups) {
			dirs = append(dirs, fields[1])
		}
	}
	return dirs, nil
}
