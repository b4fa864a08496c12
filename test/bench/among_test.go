// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/bench/report"
)

// among creates TokenRequests, one after the other, where n are settled.
func among(n, few int) scenario {
	of := scenario{
		name:  fmt.Sprintf("among%d", n),
		about: fmt.Sprintf("%d new TokenRequests, one after the other, among %d that are settled", few, n),
		goals: []report.Goal{{Figure: "writesPerObject", Bound: 2, Counted: true}},
	}
	if n >= 10000 {
		of.goals = append(of.goals, report.Goal{Figure: "p99ReadySeconds", Bound: 2}, report.Goal{Figure: "rssMiB", Bound: 100})
	}
	of.run = func(ctx SpecContext, s *stage) report.Figures {
		p := s.start(ctx)
		s.populate(ctx, p, "settled", n)
		list := s.requests(ctx, "among", few)
		w := s.watch(ctx)
		m := s.measure(ctx, p)
		for _, r := range list {
			s.create(ctx, w, []*stsv1alpha1.TokenRequest{r})
			w.awaitReady(ctx)
		}
		f := report.Figures{"p99ReadySeconds": p99(w.waits()), "cpuMillisPerObject": m.spent().Seconds() * 1000 / float64(few)}
		s.settle(ctx, p)
		u := m.usage(ctx)
		f["stsCalls"] = float64(u.calls)
		u.perObject(f, few)
		_, f["rssMiB"] = p.rss()
		p.Stop()
		return f
	}
	return of
}
