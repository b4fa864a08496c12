// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/bench/report"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

// rotation changes the Secret with the credential of n TokenRequests twice: when the STS refuses it, and
// when all is well.
func rotation(n int) scenario {
	return scenario{
		name:  fmt.Sprintf("rotation%d", n),
		about: fmt.Sprintf("a right client secret takes the place of a wrong one, for %d TokenRequests", n),
		goals: []report.Goal{
			// A call with the wrong one may be due just before the change: as many more as a namespace has under way.
			{Figure: "stsCalls", Bound: float64(n + 16), Counted: true},
			{Figure: "secretWritesPerObject", Bound: 1, Counted: true},
			{Figure: "statusWritesPerObject", Bound: 1, Counted: true},
			// A failure that is over is told once; conditions alone would have to be watched for it.
			{Figure: "eventWritesPerObject", Bound: 1, Counted: true},
			{Figure: "healthyCalls", Bound: 0, Counted: true},
			{Figure: "healthyWrites", Bound: 0, Counted: true},
		},
		run: func(ctx SpecContext, s *stage) report.Figures {
			p := s.start(ctx)
			list := s.requests(ctx, "rotation", n)
			s.rotate(ctx, list, "stssim-wrong-secret")
			w := s.watch(ctx)
			s.create(ctx, w, list)
			refused := func(s *sight) bool { return len(s.conditions) > 0 }
			Eventually(func() int { return w.count(refused) }).WithContext(ctx).Should(Equal(n), "refused")
			s.settle(ctx, p)

			m := s.measure(ctx, p)
			s.rotate(ctx, list, "stssim-new-secret")
			w.awaitReady(ctx)
			f := report.Figures{"wallSeconds": seconds(w.readiness(m.start)), "cpuMillisPerObject": m.spent().Seconds() * 1000 / float64(n)}
			s.settle(ctx, p)
			u := m.usage(ctx)
			f["stsCalls"] = float64(u.calls)
			own := float64(len(namespaces(list))) // writes of credentials, which are the bench's
			u.written["secret"] -= own
			u.perObject(f, n)

			m = s.measure(ctx, p)
			s.rotate(ctx, list, "stssim-newer-secret")
			pause(ctx, 10*time.Second)
			u = m.usage(ctx)
			f["healthyCalls"], f["healthyWrites"] = float64(u.calls), u.writes()-own
			p.Stop()
			times := s.floor(ctx, s.cluster.Admin(), n).served
			f["floorSeconds"] = seconds(times)
			f["ratio"] = f["wallSeconds"] / f["floorSeconds"]
			return f
		},
	}
}

// rotate stores another client secret, which the STS takes unless it is a wrong one.
func (s *stage) rotate(ctx SpecContext, list []*stsv1alpha1.TokenRequest, secret string) {
	GinkgoHelper()
	if secret != "stssim-wrong-secret" {
		s.register(list, 0, stssim.Secret{Value: secret})
	}
	for namespace := range namespaces(list) {
		credential := operator.Tenant{Namespace: namespace, Secret: secret}.Credential()
		Expect(s.cluster.API.Update(ctx, credential)).To(Succeed())
	}
}
