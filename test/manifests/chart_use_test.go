// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Helm checks the value of a condition against the schema of the chart that it switches.
func TestChartIsAPartOfAnotherUnderACondition(t *testing.T) {
	umbrella := filepath.Join(t.TempDir(), "umbrella")
	part, err := filepath.Abs(chart)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(umbrella, 0o700); err != nil {
		t.Fatal(err)
	}
	text := "apiVersion: v2\nname: umbrella\nversion: 0.1.0\ndependencies:\n- name: tokenrequest-operator\n  version: \">=0.0.0-0\"\n" +
		"  repository: file://" + part + "\n  condition: tokenrequest-operator.enabled\n"
	if err := os.WriteFile(filepath.Join(umbrella, "Chart.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, nil, "../../bin/helm", "dependency", "update", umbrella, "--skip-refresh")
	for value, there := range map[string]bool{
		`tokenrequest-operator={"replicas":3}`:                true,
		`tokenrequest-operator={"enabled":true,"replicas":3}`: true,
		`tokenrequest-operator={"enabled":false}`:             false,
	} {
		t.Run(value, func(t *testing.T) {
			rendered, _ := run(t, nil, "../../bin/helm", "template", "umbrella", umbrella, "--namespace", namespace, "--kube-version", "1.37.0", "--set-json", value)
			if !there {
				if text := strings.TrimSpace(string(rendered)); text != "" {
					t.Errorf("switched off, it has\n%s", text)
				}
				return
			}
			if got := deployment(t, objects(t, rendered)).Spec.Replicas; got == nil || *got != 3 {
				t.Error("the operator hasn't the replicas that the umbrella gives it")
			}
		})
	}
}

// Whoever has begun with make install goes on as the README says.
func TestChartInstallsBesideTheCRDsOfMakeInstall(t *testing.T) {
	in := start(t)
	in.apply(t, "../../config/crd")
	in.kubectl(t, nil, "wait", "--for=condition=Established", "crd", "--all")
	install := []string{"install", "tokenrequest-operator", chart, "--kubeconfig", in.kubeconfig, "--namespace", namespace, "--create-namespace"}
	said, err := exec.CommandContext(t.Context(), "../../bin/helm", install...).CombinedOutput()
	if err == nil || !strings.Contains(string(said), "invalid ownership metadata") {
		t.Errorf("Helm takes CRDs that aren't its own (%v):\n%s", err, said)
	}
	run(t, nil, "../../bin/helm", append(install, "--set", "crds.enabled=false")...)
	if got := *deployed(t, in.Client).Spec.Replicas; got != 2 {
		t.Errorf("the Deployment has %d replicas", got)
	}
	run(t, nil, "../../bin/helm", "uninstall", "tokenrequest-operator", "--kubeconfig", in.kubeconfig, "--namespace", namespace)
	run(t, nil, "../../bin/helm", append(install, "--take-ownership")...)
}
