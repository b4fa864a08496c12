// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"bytes"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokenrequest.dev/operator/test/bench/report"
)

// foreign starts the operator in a cluster with n Secrets of others, and without.
func foreign(n, kib int) scenario {
	of := scenario{
		name:  fmt.Sprintf("foreign%dx%dk", n, kib),
		about: fmt.Sprintf("%d Secrets of %d KiB that are no business of the operator's", n, kib),
		goals: []report.Goal{
			{Figure: "writes", Bound: 0, Counted: true},
			{Figure: "stsCalls", Bound: 0, Counted: true},
		},
	}
	if n >= 30000 {
		of.goals = append(of.goals, report.Goal{Figure: "extraMiB", Bound: 10})
	}
	of.run = func(ctx SpecContext, s *stage) report.Figures {
		// One request, whose credential is among the Secrets that the operator has to hear of.
		p := s.start(ctx)
		s.populate(ctx, p, "foreign", 1)
		p.Stop()
		p = s.start(ctx)
		s.settle(ctx, p)
		f := report.Figures{}
		_, f["withoutMiB"] = p.rss()
		p.Stop()

		s.clutter(ctx, n, kib)
		m := s.measure(ctx, nil)
		p = s.start(ctx)
		m.process = p
		s.settle(ctx, p)
		u := m.usage(ctx)
		f["syncSeconds"] = p.synced.Sub(p.started).Seconds()
		f["stsCalls"], f["writes"] = float64(u.calls), u.writes()
		_, f["rssMiB"] = p.rss()
		f["extraMiB"] = f["rssMiB"] - f["withoutMiB"]
		p.Stop()
		return f
	}
	return of
}

// clutter creates Secrets as others have them.
func (s *stage) clutter(ctx SpecContext, n, kib int) {
	GinkgoHelper()
	const namespace = "clutter"
	Expect(s.cluster.API.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
	filling := bytes.Repeat([]byte("x"), kib<<10)
	var list []*corev1.Secret
	for i := range n {
		list = append(list, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("s%05d", i)}, Data: map[string][]byte{"filling": filling},
		})
	}
	parallel(list, func(secret *corev1.Secret) error { return s.cluster.API.Create(ctx, secret) })
	tell("  %d Secrets of %d KiB are there", n, kib)
}
