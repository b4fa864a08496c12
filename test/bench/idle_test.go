// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"

	"tokenrequest.dev/operator/test/bench/report"
)

// idle watches the operator while nothing is due: with nothing in place, and with n TokenRequests.
func idle(n int, window time.Duration) scenario {
	return scenario{
		name:  "idle",
		about: "nothing is due",
		goals: []report.Goal{
			{Figure: "writesPerMinute", Bound: 0, Counted: true},
			{Figure: "stsCalls", Bound: 0, Counted: true},
			{Figure: "rssEmptyMiB", Bound: 60},
		},
		run: func(ctx SpecContext, s *stage) report.Figures {
			p := s.start(ctx)
			s.settle(ctx, p)
			f := report.Figures{"objects": float64(n)}
			_, f["rssEmptyMiB"] = p.rss()
			s.settled(ctx, p, s.requests(ctx, "idle", n))

			m := s.measure(ctx, p)
			finish := s.profile(ctx, p)
			pause(ctx, window)
			spent := m.spent()
			finish()
			u := m.usage(ctx)
			f["writesPerMinute"] = u.writes() / window.Minutes()
			f["readsPerMinute"] = u.read / window.Minutes()
			f["cpuMillisPerMinute"] = spent.Seconds() * 1000 / window.Minutes()
			f["stsCalls"] = float64(u.calls)
			f["rssSettledMiB"], f["rssMiB"] = p.rss()
			p.Stop()
			return f
		},
	}
}
