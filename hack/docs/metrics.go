// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strconv"
	"strings"

	"tokenrequest.dev/operator/internal/metrics"
)

const metricsIntroduction = `# Metrics

What the operator measures itself. The replica that leads serves it, beside the metrics of controller-runtime. Labels
have no other values than those that stand here. Those that name a TokenRequest, its namespace or a host are bounded in number, and none
names a client, a scope or an account. A series that isn't said to be absent at times is there from the start. [Conditions](conditions.md) explains the reasons among the outcomes.
`

// metricsReference renders a section per family, so that each has an address.
func metricsReference(families []metrics.Family) string {
	var b strings.Builder
	b.WriteString(metricsIntroduction)
	for _, family := range families {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n- Type: %s\n", family.Name, html(family.Help), family.Type)
		for _, label := range family.Labels {
			if label.Open != "" {
				fmt.Fprintf(&b, "- Label `%s`: %s\n", label.Name, label.Open)
				continue
			}
			fmt.Fprintf(&b, "- Label `%s`: `%s`\n", label.Name, strings.Join(label.Values, "`, `"))
		}
		if len(family.Buckets) > 0 {
			fmt.Fprintf(&b, "- Buckets: %s\n", strings.Join(numbers(family.Buckets), ", "))
		}
	}
	return b.String()
}

// numbers writes bounds as their label le does.
func numbers(bounds []float64) []string {
	var texts []string
	for _, bound := range bounds {
		texts = append(texts, strconv.FormatFloat(bound, 'g', -1, 64))
	}
	return texts
}
