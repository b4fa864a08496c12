// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package monitoring_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	_ "tokenrequest.dev/operator/internal/manager" // it registers what controllers measure
	"tokenrequest.dev/operator/internal/metrics"
)

// exposed are the names that a scrape of the operator may find. A family of its own comes with it.
func exposed(t *testing.T) map[string]*metrics.Family {
	t.Helper()
	names := map[string]*metrics.Family{}
	for _, family := range metrics.Families() {
		names[family.Name] = &family
		if family.Type == metrics.Histogram {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				names[family.Name+suffix] = &family
			}
		}
	}
	// Of controller-runtime's, which has vectors that are empty until something happens.
	described := make(chan *prometheus.Desc)
	go func() {
		crmetrics.Registry.(prometheus.Collector).Describe(described)
		close(described)
	}()
	name := regexp.MustCompile(`fqName: "([^"]+)"`)
	for desc := range described {
		names[name.FindStringSubmatch(desc.String())[1]] = nil
	}
	return names
}

// selectors parses a query and returns what it selects.
func selectors(t *testing.T, q query) []*parser.VectorSelector {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(q.expr)
	if err != nil {
		t.Errorf("%s: %v", q.where, err)
		return nil
	}
	var all []*parser.VectorSelector
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if v, ok := node.(*parser.VectorSelector); ok {
			all = append(all, v)
		}
		return nil
	})
	return all
}

func TestEachQueryAsksForWhatTheOperatorExposes(t *testing.T) {
	names := exposed(t)
	for _, q := range queries(t) {
		for _, selector := range selectors(t, q) {
			family, there := names[selector.Name]
			if !there {
				t.Errorf("%s: there is no metric %q", q.where, selector.Name)
			}
			if family == nil {
				continue
			}
			for _, m := range selector.LabelMatchers {
				if m.Name != "__name__" { // the selector's own
					expectMatch(t, q, *family, m)
				}
			}
		}
	}
}

// expectMatch expects of a matcher that it can match, and that each value it names is one.
func expectMatch(t *testing.T, q query, family metrics.Family, m *labels.Matcher) {
	t.Helper()
	i := slices.IndexFunc(family.Labels, func(l metrics.Label) bool { return l.Name == m.Name })
	if i < 0 {
		t.Errorf("%s: %s has no label %s", q.where, family.Name, m.Name)
		return
	}
	for value := range strings.SplitSeq(m.Value, "|") {
		if label := family.Labels[i]; label.Open == "" && !slices.Contains(label.Values, value) {
			t.Errorf("%s: the label %s of %s is never %q", q.where, m.Name, family.Name, value)
		}
	}
}

// What nobody looks at is measured for nobody.
func TestTheDashboardShowsEachMetricOfTheOperator(t *testing.T) {
	shown := map[string]bool{}
	for _, q := range queries(t) {
		for _, selector := range selectors(t, q) {
			shown[selector.Name] = true
		}
	}
	spared := map[string]string{
		"tokenrequest_flight_results":               "is of use to who works on the operator",
		"tokenrequest_sts_request_duration_seconds": "is shown by host",
	}
	for _, family := range metrics.Families() {
		if _, spare := spared[family.Name]; !spare && !shown[family.Name] && !shown[family.Name+"_bucket"] {
			t.Errorf("no panel shows %s", family.Name)
		}
	}
}
