// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"tokenrequest.dev/operator/test/bench/report"
	"tokenrequest.dev/operator/test/stssim"
)

// outage takes the STS away while most of n TokenRequests come due, and gives it back.
func outage(n int) scenario {
	// With its jitter, a tenth of the lifetime, a token is due 70 to 100 s after it was issued, and lives for 200 s more.
	const lifetime, before, away = 300 * time.Second, 200 * time.Second, 75 * time.Second
	return scenario{
		name:  fmt.Sprintf("outage%d", n),
		about: fmt.Sprintf("the STS answers 503 for %s, while most of %d TokenRequests come due, and then is back", away, n),
		goals: []report.Goal{{Figure: "expired", Bound: 0}},
		run: func(ctx SpecContext, s *stage) report.Figures {
			p := s.start(ctx)
			w := s.populate(ctx, s.shortLived(ctx, n, lifetime, before))
			out := s.measure(ctx, p)
			s.answer(stssim.Action{Status: http.StatusServiceUnavailable})
			pause(ctx, away)
			spent := out.spent()
			u := out.usage(ctx)

			back := s.measure(ctx, p)
			s.answer(stssim.Action{})
			start := time.Now()
			owed := func(s *sight) bool { return !s.issued || s.token.RefreshAt.Time.Before(start) }
			f := report.Figures{
				"objects": float64(n), "behind": float64(w.count(owed)),
				"outageCalls": float64(u.calls), "outageWrites": u.writes(), "outageCPUMillisPerObject": spent.Seconds() * 1000 / float64(n),
			}
			Eventually(func() int { return w.count(owed) }).WithContext(ctx).Should(BeZero(), "without a new token")
			f["recoverySeconds"] = time.Since(start).Seconds()
			calls := s.calls(back.call)
			f["stsCalls"], f["peakCallsPerSecond"] = float64(len(calls)), float64(peak(calls))
			first := slices.IndexFunc(calls, func(c stssim.Call) bool { return !c.At.Before(start) }) // some are under way
			f["firstCallSeconds"] = calls[first].At.Sub(start).Seconds()
			_, f["expired"] = late(w.renewals(), start)
			_, f["rssMiB"] = p.rss()
			p.Stop()
			return f
		},
	}
}
