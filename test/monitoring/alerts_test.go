// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package monitoring_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// promtool builds the program without the discovery of clouds, which rules don't need.
func promtool(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "promtool")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "remove_all_sd", "-o", program, "github.com/prometheus/prometheus/cmd/promtool")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if printed, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building promtool: %v\n%s", err, printed)
	}
	return program
}

// written is a folder with the rules as Prometheus reads them, and the cases beside.
func written(t *testing.T) string {
	t.Helper()
	rules, err := yaml.Marshal(map[string]any{"groups": groups(t)})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, text := range map[string][]byte{"rules.yaml": rules, "cases.yaml": read(t, "testdata/cases.yaml")} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestAlertsFireWhenTheyHaveTo(t *testing.T) {
	program, in := promtool(t), written(t)
	for _, arguments := range [][]string{
		{"check", "rules", "--lint=all", "--lint-fatal", "rules.yaml"},
		{"test", "rules", "cases.yaml"},
	} {
		command := exec.CommandContext(t.Context(), program, arguments...)
		command.Dir = in
		if printed, err := command.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(arguments, " "), err, printed)
		}
	}
}

// cases are what testdata/cases.yaml expects of alerts by name.
type cases struct {
	Tests []struct {
		Name     string `json:"name"`
		Expected []struct {
			Alert string `json:"alertname"`
			Fire  []any  `json:"exp_alerts"`
		} `json:"alert_rule_test"`
	} `json:"tests"`
}

func TestEachAlertHasACaseInWhichItFiresAndOneInWhichItDoesNot(t *testing.T) {
	var all cases
	if err := yaml.Unmarshal(read(t, "testdata/cases.yaml"), &all); err != nil {
		t.Fatal(err)
	}
	fires, rests := map[string]bool{}, map[string]bool{}
	for _, test := range all.Tests {
		for _, expected := range test.Expected {
			if len(expected.Fire) > 0 {
				fires[expected.Alert] = true
			} else {
				rests[expected.Alert] = true
			}
		}
	}
	for _, a := range alerts(t) {
		if !fires[a.Alert] || !rests[a.Alert] {
			t.Errorf("%s: a case in which it fires: %t, one in which it doesn't: %t", a.Alert, fires[a.Alert], rests[a.Alert])
		}
	}
}

var heading = regexp.MustCompile(`(?m)^### (\w+)$`)

func TestEachAlertSaysWhatToDo(t *testing.T) {
	sections := map[string]bool{}
	for _, match := range heading.FindAllStringSubmatch(string(read(t, "../../docs/operations.md")), -1) {
		sections[match[1]] = true
	}
	for _, a := range alerts(t) {
		for _, name := range []string{"summary", "description", "remedy"} {
			if !strings.HasSuffix(a.Annotations[name], ".") {
				t.Errorf("%s: its annotation %s isn't a sentence: %q", a.Alert, name, a.Annotations[name])
			}
		}
		if want := "docs/operations.md#" + strings.ToLower(a.Alert); a.Annotations["runbook"] != want || !sections[a.Alert] {
			t.Errorf("%s: its runbook is %q, want %q, which exists: %t", a.Alert, a.Annotations["runbook"], want, sections[a.Alert])
		}
		if severity := a.Labels["severity"]; severity != "critical" && severity != "warning" {
			t.Errorf("%s: its severity is %q", a.Alert, severity)
		}
	}
}
