// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"tokenrequest.dev/operator/internal/flight"
)

func TestThePagesSayHowManyCallsThereAreAtATime(t *testing.T) {
	for page, limits := range map[string]flight.Limits{
		"operations.md":       flightLimits(),
		"spec/tokenissuer.md": discoveryLimits(),
	} {
		text, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("%d at a time, of which %d may be for one namespace or ClusterTokenIssuer and %d of these to one host",
			limits.Total, limits.PerDomain, limits.PerService)
		if !strings.Contains(strings.Join(strings.Fields(string(text)), " "), want) {
			t.Errorf("docs/%s doesn't say %q", page, want)
		}
	}
}
