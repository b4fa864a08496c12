// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	. "github.com/onsi/ginkgo/v2"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/bench/report"
)

// readyAmongIdle creates single TokenRequests, one after the other, while n others have nothing to do.
func readyAmongIdle(n, probes int) scenario {
	return scenario{
		name:  "readyAmongIdle",
		about: "single new TokenRequests, among many that have nothing to do",
		goals: []report.Goal{{Figure: "p99ReadySeconds", Bound: 2}, {Figure: "rssMiB", Bound: 100}},
		run: func(ctx SpecContext, s *stage) report.Figures {
			p := s.start(ctx)
			s.settled(ctx, p, s.requests(ctx, "idle", n))
			list := s.requests(ctx, "probe", probes)
			w := s.watch(ctx)
			m := s.measure(ctx, p)
			for _, r := range list {
				s.create(ctx, w, []*stsv1alpha1.TokenRequest{r})
				w.awaitReadyNow(ctx, r)
			}
			waits := w.waits()
			f := report.Figures{
				"objects":            float64(n),
				"p50ReadySeconds":    waits[len(waits)/2].Seconds(),
				"p99ReadySeconds":    p99(waits),
				"cpuMillisPerObject": m.spent().Seconds() * 1000 / float64(probes),
			}
			s.settle(ctx, p)
			m.usage(ctx).perObject(f, probes)
			f["rssSettledMiB"], f["rssMiB"] = p.rss()
			p.Stop()
			return f
		},
	}
}
