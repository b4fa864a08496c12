// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"

	"tokenrequest.dev/operator/test/bench/report"
)

// restart stops the operator over n TokenRequests that are ready, and starts it again.
func restart(n int) scenario {
	of := scenario{
		name:  fmt.Sprintf("restart%d", n),
		about: fmt.Sprintf("the operator starts with %d ready TokenRequests in place", n),
		goals: []report.Goal{
			{Figure: "stsCalls", Bound: 0, Counted: true},
			{Figure: "writes", Bound: 0, Counted: true},
		},
	}
	if n >= 1000 {
		of.goals = append(of.goals, report.Goal{Figure: "steadySeconds", Bound: 10}, report.Goal{Figure: "rssMiB", Bound: 100})
	}
	of.run = func(ctx SpecContext, s *stage) report.Figures {
		p := s.start(ctx)
		s.settled(ctx, p, s.requests(ctx, "restart", n))
		p.Stop()

		m := s.measure(ctx, nil)
		p = s.start(ctx)
		m.process = p
		p.SettledAfter(ctx, n)
		steady := time.Now()
		f := report.Figures{
			"syncSeconds":        p.synced.Sub(p.started).Seconds(),
			"steadySeconds":      steady.Sub(p.synced).Seconds(),
			"cpuMillisPerObject": p.cpu().Seconds() * 1000 / float64(n),
		}
		s.settle(ctx, p)
		s.profile(ctx, p)()
		u := m.usage(ctx)
		f["stsCalls"], f["writes"], f["readsPerObject"] = float64(u.calls), u.writes(), u.read/float64(n)
		f["rssSettledMiB"], f["rssMiB"] = p.rss()
		p.Stop()
		return f
	}
	return of
}
