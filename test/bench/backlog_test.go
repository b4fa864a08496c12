// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"

	"tokenrequest.dev/operator/test/bench/report"
)

// backlog starts the operator over n TokenRequests that nobody has served yet. Its time runs from when the
// caches have synced, with all objects in them, and so from where the floor's does: no creation of objects
// is in either.
func backlog(n int) scenario {
	of := scenario{
		name:  fmt.Sprintf("backlog%d", n),
		about: fmt.Sprintf("%d new TokenRequests are there when the operator starts, each with a token of its own", n),
		goals: []report.Goal{
			{Figure: "writesPerObject", Bound: 2, Counted: true},
			{Figure: "stsCalls", Bound: float64(n), Exactly: true, Counted: true},
		},
	}
	if n >= 1000 {
		of.goals = append(of.goals, report.Goal{Figure: "ratio", Bound: 1.3})
	}
	of.run = func(ctx SpecContext, s *stage) report.Figures {
		admin := s.cluster.Admin()
		before := s.floor(ctx, admin, n)
		list := s.requests(ctx, "backlog", n)
		w := s.watch(ctx)
		s.create(ctx, w, list)

		m := s.measure(ctx, nil)
		p := s.launch(ctx)
		m.process = p
		finish := s.profile(ctx, p)
		w.awaitReady(ctx)
		finish()
		ready := w.readiness(p.synced)
		s.series = append(s.series, report.Series{Name: "operator", At: ready})
		f := report.Figures{"syncSeconds": p.synced.Sub(p.started).Seconds(), "wallSeconds": seconds(ready)}
		m.finish(ctx, f, n)
		s.compare(f, before, s.floor(ctx, admin, n))
		return f
	}
	return of
}
