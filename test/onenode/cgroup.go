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
		// kubelet takes a cgroup for missing while it lacks a controller.
		err := os.WriteFile(filepath.Join(cgroups, "cgroup.subtree_control"), []byte("+cpu +cpuset +memory +pids"), 0o644)
		if err != nil {
			return fmt.Errorf("handing controllers to cgroups: %w", err)
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
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return nil, fmt.Errorf("finding the cgroup hierarchies: %w", err)
	}
	var dirs []string
	for line := range bytes.Lines(mounts) {
		fields := strings.Fields(string(line)) // device, directory, type, ...
		if strings.HasPrefix(fields[2], "cgroup") && strings.HasPrefix(fields[1], cgroups) {
			dirs = append(dirs, filepath.Join(fields[1], podCgroup))
		}
	}
	return dirs, nil
}
