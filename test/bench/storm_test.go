// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"tokenrequest.dev/operator/test/bench/report"
	"tokenrequest.dev/operator/test/stssim"
)

// storm429 creates n TokenRequests for a client that the STS has told to wait.
func storm429(n int, wait time.Duration) scenario {
	return scenario{
		name:  "storm429",
		about: fmt.Sprintf("%d new TokenRequests, while the STS answers 429 and Retry-After for %s", n, wait),
		// A namespace has 16 calls under way, all of which may leave before the first is answered. That answer shuts the
		// gate of its scopes alone, so that one more may leave; the second shuts the client's.
		goals: []report.Goal{{Figure: "throttledCalls", Bound: 17, Counted: true}},
		run: func(ctx SpecContext, s *stage) report.Figures {
			p := s.start(ctx)
			s.settle(ctx, p)
			list := s.requests(ctx, "storm", n)
			w := s.watch(ctx)
			m := s.measure(ctx, p)
			for namespace := range namespaces(list) {
				Expect(s.sim.SetThrottle(stssim.Throttle{ClientID: namespace, For: stssim.Duration(wait)})).To(Succeed())
			}
			s.create(ctx, w, list)
			w.awaitReady(ctx)

			calls := s.calls(m.call)
			throttles := s.sim.Throttles()
			f := report.Figures{
				"objects": float64(n), "stsCalls": float64(len(calls)), "peakCallsPerSecond": float64(peak(calls)),
				"cpuMillisPerObject": m.spent().Seconds() * 1000 / float64(n),
			}
			for _, throttle := range throttles {
				f["throttledCalls"] += float64(throttle.Refused)
			}
			f["recoverySeconds"] = seconds(w.readiness(throttles[0].Until))
			s.settle(ctx, p)
			m.usage(ctx).perObject(f, n)
			_, f["rssMiB"] = p.rss()
			p.Stop()
			return f
		},
	}
}
