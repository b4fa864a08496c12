// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	clocktesting "k8s.io/utils/clock/testing"

	"tokenrequest.dev/operator/internal/metrics"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

// samples are the series of some families with their values, as a scrape would write them.
func samples(t *testing.T, collector prometheus.Collector, names ...string) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector)
	return gathered(t, registry, names...)
}

func gathered(t *testing.T, registry prometheus.Gatherer, names ...string) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatalf("Gather: %v", err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, series := range family.GetMetric() {
			key := family.GetName() + " " + values(series)
			all[strings.TrimSpace(key)] = series.GetGauge().GetValue() + series.GetCounter().GetValue() + float64(series.GetHistogram().GetSampleCount())
		}
	}
	for _, name := range names {
		if _, there := all[name]; !there {
			t.Errorf("%s is absent", name)
		}
	}
	return all
}

func TestWhatIsOverdueIsSaidWhenSomebodyAsks(t *testing.T) {
	overdue := metrics.OverdueRequests{}
	collector := metrics.Overdue(func() metrics.OverdueRequests { return overdue })
	for _, want := range []metrics.OverdueRequests{{}, {Requests: 3, Worst: 90 * time.Second, Stalls: 4}} {
		overdue = want
		got := samples(t, collector)
		if got["tokenrequest_overdue_requests"] != float64(want.Requests) || got["tokenrequest_overdue_seconds"] != want.Worst.Seconds() ||
			got["tokenrequest_stalls_total"] != float64(want.Stalls) {
			t.Errorf("%+v is shown as %v", want, got)
		}
	}
}

func TestADeletedRequestLeavesNoSeriesBehind(t *testing.T) {
	shown, omitted := []metrics.Instants{
		{Namespace: "payments", Name: "graph", ExpiresAt: start().Add(time.Hour), NextAttempt: start()},
		{Namespace: "payments", Name: "blocked"},
	}, 0
	collector := metrics.PerRequest(func() ([]metrics.Instants, int) { return shown, omitted })
	const expires, next = "tokenrequest_token_expiry_timestamp_seconds graph payments", "tokenrequest_next_attempt_timestamp_seconds graph payments"
	got := samples(t, collector, expires, next)
	if got[expires] != float64(start().Add(time.Hour).Unix()) || got[next] != float64(start().Unix()) {
		t.Errorf("the instants are %v and %v", got[expires], got[next])
	}
	if len(got) != 3 {
		t.Errorf("series %v, want those of graph and the number of the omitted alone", got)
	}
	shown, omitted = nil, 7
	if got := samples(t, collector); len(got) != 1 || got["tokenrequest_metrics_omitted_requests"] != 7 {
		t.Errorf("when all are gone the series are %v", got)
	}
}

func TestAResultThatNobodyKnowsIsAnUnknownError(t *testing.T) {
	got := samples(t, metrics.Results(func() map[string]uint64 {
		return map[string]uint64{"TokenIssued": 5, "InvalidClient": 2, "UnknownError": 1, "hunter2": 3}
	}))
	for reason, want := range map[string]float64{"TokenIssued": 5, "InvalidClient": 2, "UnknownError": 4, "Throttled": 0} {
		if got["tokenrequest_refresh_results_total "+reason] != want {
			t.Errorf("%s = %v, want %v", reason, got["tokenrequest_refresh_results_total "+reason], want)
		}
	}
	if _, there := got["tokenrequest_refresh_results_total hunter2"]; there {
		t.Error("a label has a value that the code doesn't know")
	}
}

func TestFailingRequestsAreCountedWhenSomebodyAsks(t *testing.T) {
	var counts map[string]int
	collector := metrics.Failing(func() map[string]int { return counts })
	none := len(samples(t, collector, "tokenrequest_failing_requests InvalidClient", "tokenrequest_failing_requests CredentialNotFound"))
	counts = map[string]int{"CredentialNotFound": 2, "UnknownError": 1, "hunter2": 3}
	got := samples(t, collector)
	for reason, want := range map[string]float64{"CredentialNotFound": 2, "UnknownError": 4, "InvalidClient": 0} {
		if got["tokenrequest_failing_requests "+reason] != want {
			t.Errorf("%s = %v, want %v", reason, got["tokenrequest_failing_requests "+reason], want)
		}
	}
	if _, there := got["tokenrequest_failing_requests TokenIssued"]; there || len(got) != none {
		t.Errorf("there are the series %v, want the %d of before", got, none)
	}
}

// A tenant can make up as many hosts as they like.
func TestHostsAreBounded(t *testing.T) {
	clk := clocktesting.NewFakeClock(start())
	registry := prometheus.NewPedanticRegistry()
	refusing, refused := prometheus.NewPedanticRegistry(), &oautherr.Error{Reason: oautherr.ReasonInvalidClient}
	giving := metrics.Instrument(service{clock: clk}, registry, clk)
	never := metrics.Instrument(service{clock: clk, err: refused}, refusing, clk)
	for i := range 200 {
		r := sts.Request{Endpoint: fmt.Sprintf("https://sts-%d.example/token", i)}
		for range 2 {
			_, _ = giving.Token(t.Context(), r)
			_, _ = never.Token(t.Context(), r)
		}
	}
	const family = "tokenrequest_sts_host_request_duration_seconds "
	count := func(all map[string]float64) (series int, calls float64) {
		for name, n := range all {
			if strings.HasPrefix(name, family) {
				series, calls = series+1, calls+n
			}
		}
		return series, calls
	}
	got := gathered(t, registry, family+"other", family+"sts-0.example", family+"sts-49.example")
	if series, calls := count(got); series != 51 || calls != 400 || got[family+"sts-0.example"] != 2 || got[family+"other"] != 300 {
		t.Errorf("%d series of %v calls, the first host %v and other %v, want 51 of 400, 2 and 300", series, calls, got[family+"sts-0.example"], got[family+"other"])
	}
	if series, calls := count(gathered(t, refusing)); series != 1 || calls != 400 {
		t.Errorf("hosts that give no token have %d series of %v calls, want 1 of 400", series, calls)
	}
}
