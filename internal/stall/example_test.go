// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stall_test

import (
	"fmt"
	"maps"
	"time"

	"tokenrequest.dev/operator/internal/stall"
)

// A refresh is due at noon, and no worker comes by.
func ExampleWatch() {
	noon := time.Date(2026, time.January, 1, 12, 0, 0, 0, time.UTC)
	plans := map[string]stall.Plan{"payments/graph": {At: noon}}

	var watch stall.Watch[string]
	watch.Start(noon.Add(-time.Hour))
	fmt.Println(watch.Judge(maps.All(plans), noon.Add(30*time.Second)))
	fmt.Println(watch.Judge(maps.All(plans), noon.Add(2*time.Minute)))

	// A worker looks at last, and covers what was planned up to then.
	watch.Note("payments/graph", stall.Look{Covered: noon.Add(2 * time.Minute)})
	fmt.Println(watch.Judge(maps.All(plans), noon.Add(3*time.Minute)))
	// Output:
	// {[] 30s}
	// {[payments/graph] 2m0s}
	// {[] 0s}
}
