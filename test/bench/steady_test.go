// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/bench/report"
)

// shortLived are n requests for tokens that are replaced so long before they expire.
func (s *stage) shortLived(ctx SpecContext, n int, lifetime, before time.Duration) []*stsv1alpha1.TokenRequest {
	GinkgoHelper()
	list := s.requests(ctx, "short", n)
	s.register(list, lifetime)
	for _, r := range list {
		r.Spec.RefreshBefore = &metav1.Duration{Duration: before}
	}
	return list
}

// steadyRefresh watches n TokenRequests for the time in which each is due once. Their lifetimes are a
// quarter of the ten minutes that are common for short ones, so that the load is four times theirs.
func steadyRefresh(n int) scenario {
	const lifetime, before = 150 * time.Second, 45 * time.Second
	return scenario{
		name:  "steadyRefresh",
		about: fmt.Sprintf("%d TokenRequests whose tokens live for %s, and are due %s before they expire", n, lifetime, before),
		goals: []report.Goal{{Figure: "expired", Bound: 0}, {Figure: "writesPerRefresh", Bound: 2.05}},
		run: func(ctx SpecContext, s *stage) report.Figures {
			p := s.start(ctx)
			w := s.populate(ctx, s.shortLived(ctx, n, lifetime, before))
			m := s.measure(ctx, p)
			finish := s.profile(ctx, p)
			pause(ctx, lifetime-before)
			spent := m.spent()
			u := m.usage(ctx)
			finish()

			f := report.Figures{"objects": float64(n), "stsCalls": float64(u.calls), "peakCallsPerSecond": float64(peak(s.calls(m.call)))}
			f["writesPerRefresh"] = u.writes() / float64(u.calls)
			f["readsPerRefresh"] = u.read / float64(u.calls)
			f["cpuMillisPerRefresh"] = spent.Seconds() * 1000 / float64(u.calls)
			f["cores"] = spent.Seconds() / (lifetime - before).Seconds()
			f["p99LateSeconds"], f["expired"] = late(w.renewals(), m.start)
			f["rssSettledMiB"], f["rssMiB"] = p.rss()
			p.Stop()
			return f
		},
	}
}

// late is how long after they were due tokens were replaced in the API, but for one in a hundred, and how
// many had expired by then, since an instant.
func late(renewals []renewal, since time.Time) (p99Seconds, expired float64) {
	var delays []time.Duration
	for _, r := range renewals {
		if r.seen.Before(since) {
			continue
		}
		delays = append(delays, r.seen.Sub(r.due))
		if r.seen.After(r.dead) {
			expired++
		}
	}
	slices.Sort(delays)
	return p99(delays), expired
}
