// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"bytes"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"tokenrequest.dev/operator/test/bench/report"
	"tokenrequest.dev/operator/test/operator"
)

const (
	// own is how many TokenRequests are there too, so that the operator has credentials to look out for.
	own = 10
	// digest is the time that the operator has for a list of all Secrets, for which nothing waits.
	digest = 10 * time.Second
)

// foreign has n Secrets of others made while the operator runs, and starts it again over them. What counts
// is the most memory that it ever held, beyond what it needs without them.
func foreign(n, kib int) scenario {
	return scenario{
		name:    fmt.Sprintf("foreign%dx%dk", n, kib),
		about:   fmt.Sprintf("%d Secrets of %d KiB that are none of the operator's business", n, kib),
		goals:   []report.Goal{{Figure: "extraMiB", Bound: 10}},
		options: []operator.Option{roomy},
		run: func(ctx SpecContext, s *stage) report.Figures {
			f := report.Figures{"objects": own}
			p := s.start(ctx)
			s.settled(ctx, p, s.requests(ctx, "own", own))
			_, f["rssWithoutMiB"] = p.rss()
			before := p.cpu()
			s.createForeign(ctx, n, kib<<10)
			s.settle(ctx, p)
			f["cpuMillisPerForeignSecret"] = (p.cpu() - before).Seconds() * 1000 / float64(n)
			_, f["rssWhileCreatedMiB"] = p.rss()
			p.Stop()

			p = s.start(ctx)
			p.SettledAfter(ctx, own)
			pause(ctx, digest)
			f["syncSeconds"] = p.synced.Sub(p.started).Seconds()
			f["rssSettledMiB"], f["rssMiB"] = p.rss()
			p.Stop()
			f["extraMiB"] = max(f["rssMiB"], f["rssWhileCreatedMiB"]) - f["rssWithoutMiB"]
			return f
		},
	}
}

// roomy gives etcd room for a gigabyte of Secrets and what it keeps beside them.
func roomy(_ *operator.Cluster, environment *envtest.Environment) {
	environment.ControlPlane.Etcd = &envtest.Etcd{}
	environment.ControlPlane.Etcd.Configure().Set("quota-backend-bytes", fmt.Sprint(8<<30))
}

func (s *stage) createForeign(ctx SpecContext, n, size int) {
	GinkgoHelper()
	content := bytes.Repeat([]byte("x"), size)
	var list []*corev1.Secret
	for i := range n {
		list = append(list, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprintf("foreign-%d", i/perNamespace), Name: fmt.Sprintf("s%05d", i)},
			Data:       map[string][]byte{"content": content},
		})
		if i%perNamespace == 0 {
			Expect(s.cluster.API.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: list[i].Namespace}})).To(Succeed())
		}
	}
	parallel(list, func(secret *corev1.Secret) error { return s.cluster.API.Create(ctx, secret) })
	tell("  %d foreign Secrets are there", n)
}
