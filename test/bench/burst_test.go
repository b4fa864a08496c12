// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"

	"tokenrequest.dev/operator/test/bench/report"
)

// burst creates n TokenRequests as fast as the API server takes them. Time runs from before the first is
// sent until the last is seen to be ready, so that it holds their creation, which the floor has behind it.
func burst(n int) scenario {
	of := scenario{
		name:  fmt.Sprintf("burst%d", n),
		about: fmt.Sprintf("%d new TokenRequests at once, each with a token of its own", n),
		goals: []report.Goal{
			{Figure: "writesPerObject", Bound: 2, Counted: true},
			{Figure: "readsPerObject", Bound: 2},
			{Figure: "stsCalls", Bound: float64(n), Exactly: true, Counted: true},
		},
	}
	if n >= 1000 {
		of.goals = append(of.goals, report.Goal{Figure: "ratio", Bound: 1.3}, report.Goal{Figure: "ratioWithCreation", Bound: 1.3}, report.Goal{Figure: "cpuMillisPerObject", Bound: 2})
	}
	if n >= 10000 {
		of.goals = append(of.goals, report.Goal{Figure: "rssMiB", Bound: 100})
	}
	of.run = func(ctx SpecContext, s *stage) report.Figures {
		admin := s.cluster.Admin()
		before := s.floor(ctx, admin, n)
		f := s.burst(ctx, n)
		after := s.floor(ctx, admin, n)
		s.compare(f, before, after)
		f["floorCreateSeconds"] = (before.created + after.created).Seconds() / 2
		f["ratioWithCreation"] = f["wallSeconds"] / (f["floorSeconds"] + f["floorCreateSeconds"])
		return f
	}
	return of
}

// burst measures a burst of n, and stops the operator.
func (s *stage) burst(ctx SpecContext, n int) report.Figures {
	GinkgoHelper()
	p := s.start(ctx)
	s.settle(ctx, p)
	f := report.Figures{}
	f["rssEmptyMiB"], _ = p.rss()
	list := s.requests(ctx, "burst", n)
	w := s.watch(ctx)

	server := s.cluster.CPUSeconds(ctx)
	m := s.measure(ctx, p)
	finish := s.profile(ctx, p)
	f["createSeconds"] = s.create(ctx, w, list).Seconds()
	w.awaitReady(ctx)
	f["cpuMillisPerObject"] = m.spent().Seconds() * 1000 / float64(n)
	f["apiServerCPUMillisPerObject"] = (s.cluster.CPUSeconds(ctx) - server) * 1000 / float64(n)
	finish()

	ready := w.readiness(m.start)
	s.series = append(s.series, report.Series{Name: "operator", At: ready})
	f["wallSeconds"], f["p99ReadySeconds"] = seconds(ready), p99(w.waits())
	m.finish(ctx, f, n)
	tell("  burst of %d: %.1f s", n, f["wallSeconds"])
	return f
}
