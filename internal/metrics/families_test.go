// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	clocktesting "k8s.io/utils/clock/testing"

	"tokenrequest.dev/operator/internal/flight"
	"tokenrequest.dev/operator/internal/metrics"
	"tokenrequest.dev/operator/internal/throttle"
)

func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// everything is a registry in which each series there can be is there.
func everything(t *testing.T) *prometheus.Registry {
	t.Helper()
	clk := clocktesting.NewFakeClock(start())
	gates := throttle.New[string](throttle.Limits{}, clk)
	for _, kind := range []throttle.Kind{throttle.Rate, throttle.Unavailable, throttle.Refused} {
		gates.Remember(throttle.Request{Domain: "ns/payments"}, throttle.Failure[string]{Kind: kind})
	}
	registry := prometheus.NewPedanticRegistry()
	metrics.Instrument(service{}, registry, clk)
	registry.MustRegister(
		metrics.Gates(gates.List),
		metrics.Flights(func() flight.Stats { return flight.Stats{} }),
		metrics.Reuses(func() uint64 { return 0 }),
		metrics.Tokens(func(int) (map[string]metrics.TokenStates, metrics.TokenStates) { return nil, metrics.TokenStates{} }),
		metrics.Results(func() map[string]uint64 { return nil }),
		metrics.Failing(func() map[string]int { return nil }),
		metrics.Overdue(func() metrics.OverdueRequests { return metrics.OverdueRequests{} }),
		metrics.PerRequest(func() ([]metrics.Instants, int) {
			return []metrics.Instants{{Namespace: "contoso", Name: "contoso", ExpiresAt: start(), NextAttempt: start()}}, 0
		}),
		metrics.Issuers(func() metrics.IssuerUse { return metrics.IssuerUse{Cluster: map[string]int{"contoso": 0}} }),
	)
	return registry
}

// The reference for people is made of Families: they have to be what a scrape finds, before anything
// has happened.
func TestTheFamiliesAreWhatAScrapeFinds(t *testing.T) {
	gathered, err := everything(t).Gather()
	if err != nil {
		t.Fatalf("Gather: %v", err)
	}
	var found []metrics.Family
	for _, family := range gathered {
		found = append(found, described(family))
	}
	want := metrics.Families()
	for f, family := range want {
		for i, label := range family.Labels {
			slices.Sort(label.Values)
			if label.Open != "" && f < len(found) && i < len(found[f].Labels) {
				family.Labels[i] = metrics.Label{Name: label.Name}
				found[f].Labels[i].Values = nil
			}
		}
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("families (-described +found):\n%s", diff)
	}
}

// described is a gathered family as this package describes families, its labels' values sorted.
func described(gathered *dto.MetricFamily) metrics.Family {
	family := metrics.Family{
		Name: gathered.GetName(),
		Type: metrics.Type(strings.ToLower(gathered.GetType().String())),
		Help: gathered.GetHelp(),
	}
	for i, pair := range gathered.GetMetric()[0].GetLabel() {
		label := metrics.Label{Name: pair.GetName()}
		for _, series := range gathered.GetMetric() {
			label.Values = append(label.Values, series.GetLabel()[i].GetValue())
		}
		slices.Sort(label.Values)
		label.Values = slices.Compact(label.Values)
		family.Labels = append(family.Labels, label)
	}
	for _, bucket := range gathered.GetMetric()[0].GetHistogram().GetBucket() {
		family.Buckets = append(family.Buckets, bucket.GetUpperBound())
	}
	return family
}

func TestEveryCombinationOfValuesIsThereFromTheStart(t *testing.T) {
	registry := everything(t)
	for _, family := range metrics.Families() {
		want := 1
		for _, label := range family.Labels {
			if label.Open == "" {
				want *= len(label.Values)
			}
		}
		if got, err := testutil.GatherAndCount(registry, family.Name); err != nil || got != want {
			t.Errorf("%s has %d series, want %d (%v)", family.Name, got, want, err)
		}
	}
}

func TestNamesFollowTheConventionsOfPrometheus(t *testing.T) {
	problems, err := testutil.GatherAndLint(everything(t))
	if err != nil {
		t.Fatalf("GatherAndLint: %v", err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
	for _, family := range metrics.Families() {
		if !strings.HasPrefix(family.Name, "tokenrequest_") {
			t.Errorf("%s isn't named after the operator", family.Name)
		}
	}
}
