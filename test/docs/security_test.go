// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestTheThreatModelNamesTestsThatExist(t *testing.T) {
	threats := rows(userPage(t, "SECURITY.md").section(t, "Threat model"))
	if len(threats) < 10 {
		t.Fatalf("the table has %d rows", len(threats))
	}
	for _, row := range threats {
		tests := namedLink.FindAllStringSubmatch(row[len(row)-1], -1)
		if len(tests) == 0 {
			t.Errorf("no test shows what keeps %s from %s", row[0], row[1])
		}
		for _, match := range tests {
			if !strings.HasSuffix(match[2], "_test.go") || !strings.Contains(string(readFile(t, filepath.Join(root, match[2]))), match[1]) {
				t.Errorf("%s has no test %q", match[2], match[1])
			}
		}
	}
}
