// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package soak_test

import (
	"context"
	"math/rand/v2"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokenrequest.dev/operator/test/operator"
)

// killer keeps one operator running, and ends it at random: with SIGKILL, at times as a rollout does.
type killer struct {
	dice  *rand.Rand
	all   int // requests
	runs  []*operator.Run
	kills []time.Time
	stops int
	down  []span
	slow  time.Duration // the longest that a successor took to go through all requests
}

// start runs the operator and waits until it has the lease, as it must before it does anything, and has
// gone through all requests once.
func (k *killer) start(ctx context.Context) {
	GinkgoHelper()
	before := leader(ctx)
	run := cluster.RunSilently()
	k.runs = append(k.runs, run)
	Eventually(func() string { return leader(ctx) }).Should(And(Not(BeEmpty()), Not(Equal(before))))
	led := time.Now()
	Eventually(func() (float64, error) {
		return run.Sample(ctx, "controller_runtime_reconcile_total", map[string]string{"controller": "tokenrequest"})
	}).Should(BeNumerically(">=", k.all))
	k.slow = max(k.slow, time.Since(led))
}

// leader is who holds the operator's lease, or "".
func leader(ctx context.Context) string {
	GinkgoHelper()
	list := &coordinationv1.LeaseList{}
	Expect(cluster.API.List(ctx, list, client.InNamespace(operator.Namespace))).To(Succeed())
	for _, lease := range list.Items {
		if holder := lease.Spec.HolderIdentity; holder != nil {
			return *holder
		}
	}
	return ""
}

// haunt ends the operator again and again until the context ends; the last run stays.
func (k *killer) haunt(until, ctx context.Context) {
	defer GinkgoRecover()
	for {
		select {
		case <-until.Done():
			return
		case <-time.After(time.Duration(15000+k.dice.IntN(25000)) * time.Millisecond):
		}
		run, began := k.runs[len(k.runs)-1], time.Now()
		if k.dice.IntN(4) == 0 && len(k.kills) > 0 {
			run.Stop()
			k.stops++
		} else {
			k.kills = append(k.kills, began)
			run.Kill()
		}
		k.start(ctx)
		k.down = append(k.down, span{began, time.Now()})
	}
}
