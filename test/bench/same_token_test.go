// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/bench/report"
)

// sameToken creates n TokenRequests that all ask for one and the same.
func sameToken(n int) scenario {
	return scenario{
		name:  fmt.Sprintf("sameToken%d", n),
		about: fmt.Sprintf("%d new TokenRequests that ask for one and the same token", n),
		goals: []report.Goal{
			{Figure: "stsCalls", Bound: 1, Exactly: true, Counted: true},
			{Figure: "writesPerObject", Bound: 2, Counted: true},
		},
		run: func(ctx SpecContext, s *stage) report.Figures {
			p := s.start(ctx)
			s.settle(ctx, p)
			list := s.requests(ctx, "same", n)
			for _, r := range list {
				r.Spec.Scopes = []stsv1alpha1.Scope{"one"}
			}
			w := s.watch(ctx)
			m := s.measure(ctx, p)
			s.create(ctx, w, list)
			w.awaitReady(ctx)
			f := report.Figures{
				"wallSeconds":        seconds(w.readiness(m.start)),
				"p99ReadySeconds":    p99(w.waits()),
				"cpuMillisPerObject": m.spent().Seconds() * 1000 / float64(n),
			}
			m.finish(ctx, f, n)
			return f
		},
	}
}
