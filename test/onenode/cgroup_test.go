// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"
)

// A controller that kubelet doesn't use may not be one that can be handed down, and one that the machine
// lacks can't.
func TestDelegateHandsDownWhatKubeletUses(t *testing.T) {
	top := t.TempDir()
	if err := os.WriteFile(filepath.Join(top, "cgroup.controllers"), []byte("cpuset cpu io memory hugetlb misc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := delegate(top); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(top, "cgroup.subtree_control"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "+cpuset +cpu +memory +hugetlb"; string(got) != want {
		t.Errorf("handed down %q, want %q", got, want)
	}
}
