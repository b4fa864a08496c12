// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	pinnedKubernetes = regexp.MustCompile(`(?m)^\s+k8s\.io/kubernetes v(1\.(\d+)\.\d+)`)
	builtWith        = regexp.MustCompile(`(?m)^\s+k8s\.io/client-go v0\.(\d+)\.`)
)

// supportedMinors are the minors of Kubernetes 1 that tests can run on, the newest first. The modules of
// hack/controlplane are their list.
func supportedMinors(t *testing.T) []int {
	t.Helper()
	mods, err := filepath.Glob(filepath.Join(root, "hack/controlplane/*/go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	var minors []int
	for _, mod := range append(mods, filepath.Join(root, "hack/controlplane/go.mod")) {
		minors = append(minors, firstMinor(t, mod, pinnedKubernetes, 2))
	}
	slices.Sort(minors)
	slices.Reverse(minors)
	return minors
}

func firstMinor(t *testing.T, mod string, pattern *regexp.Regexp, group int) int {
	t.Helper()
	match := pattern.FindSubmatch(readFile(t, mod))
	if match == nil {
		t.Fatalf("%s pins no Kubernetes", mod)
	}
	minor, err := strconv.Atoi(string(match[group]))
	if err != nil {
		t.Fatal(err)
	}
	return minor
}

func TestThreeMinorsOfKubernetesAreSupported(t *testing.T) {
	newest := firstMinor(t, filepath.Join(root, "go.mod"), builtWith, 1)
	if want := []int{newest, newest - 1, newest - 2}; !slices.Equal(supportedMinors(t), want) {
		t.Errorf("control planes of the minors %d are pinned, and the client library's minor and the two before it are %d", supportedMinors(t), want)
	}
}

func TestTheSupportedVersionsOfKubernetesAreNamed(t *testing.T) {
	var versions []string
	for _, minor := range slices.Backward(supportedMinors(t)) {
		versions = append(versions, "1."+strconv.Itoa(minor))
	}
	list := strings.Join(versions[:len(versions)-1], ", ") + " and " + versions[len(versions)-1]
	for _, path := range []string{"README.md", operationsPage} {
		if !strings.Contains(string(readFile(t, filepath.Join(root, path))), list) {
			t.Errorf("%s doesn't say that Kubernetes %s are supported", path, list)
		}
	}
}

func TestAVersionOfKubernetesFindsItsControlPlane(t *testing.T) {
	minors := supportedMinors(t)
	older := "1." + strconv.Itoa(minors[1])
	match := pinnedKubernetes.FindSubmatch(readFile(t, filepath.Join(root, "hack/controlplane", older, "go.mod")))
	if match == nil {
		t.Fatalf("no Kubernetes is pinned in the folder %s", older)
	}
	for wanted, found := range map[string]string{
		"1." + strconv.Itoa(minors[0]): ".",
		older:                          older,
		string(match[1]):               older,
		"v" + string(match[1]):         older,
		older + ".999":                 "",
		"1." + strconv.Itoa(minors[len(minors)-1]-1): "",
	} {
		said, err := exec.CommandContext(t.Context(), filepath.Join(root, "hack/controlplane/pin.sh"), wanted).Output()
		if (err == nil) != (found != "") || strings.TrimSpace(string(said)) != found {
			t.Errorf("Kubernetes %s is pinned in %q, and pin.sh says %q (%v)", wanted, found, said, err)
		}
	}
}
