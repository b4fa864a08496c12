// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"os/exec"
	"strings"
	"testing"
)

// What is linked is paid for in memory by everybody, whether it ever runs or not (ADR 0013). text/template
// and html/template have the linker keep each method of each type; the others are what comes in with
// controller-runtime's filter for metrics.
func TestWhatIsNotLinked(t *testing.T) {
	linked, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "tokenrequest.dev/operator/cmd").Output()
	if err != nil {
		t.Fatal(err)
	}
	heavy := []string{"text/template", "html/template"}
	trees := []string{"k8s.io/apiserver/", "google.golang.org/grpc/", "github.com/google/cel-go/"}
	for path := range strings.Lines(string(linked)) {
		path = strings.TrimSpace(path)
		for _, h := range heavy {
			if path == h {
				t.Errorf("%s is linked", path)
			}
		}
		for _, tree := range trees {
			if strings.HasPrefix(path, tree) {
				t.Errorf("%s is linked", path)
			}
		}
	}
}
