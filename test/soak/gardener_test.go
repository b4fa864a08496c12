// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package soak_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// gardener does to requests and Secrets what people do.
type gardener struct {
	dice *rand.Rand
	all  []*patient

	mu        sync.Mutex
	edits     map[string]int
	deleted   map[*patient]time.Time
	suspended map[*patient][]span
}

func newGardener(dice *rand.Rand, all []*patient) *gardener {
	return &gardener{
		dice: dice, all: all,
		edits: map[string]int{}, deleted: map[*patient]time.Time{}, suspended: map[*patient][]span{},
	}
}

// tend does one thing at a time until the context ends, and then lets go on who is suspended.
func (g *gardener) tend(until, ctx context.Context) {
	defer GinkgoRecover()
	every(until, time.Second, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		p := g.all[g.dice.IntN(len(g.all))]
		number := g.dice.IntN(1 << 20)
		switch g.dice.IntN(5) {
		case 0:
			g.edit(ctx, p, "asking for another token", func(r *stsv1alpha1.TokenRequest) {
				r.Spec.Parameters = map[string]stsv1alpha1.ParameterValue{"soak": stsv1alpha1.ParameterValue(fmt.Sprint(number))}
			})
		case 1:
			g.edit(ctx, p, "labelling the Secret", func(r *stsv1alpha1.TokenRequest) {
				wanted(r).Labels = map[string]stsv1alpha1.LabelValue{"soak.example/number": stsv1alpha1.LabelValue(fmt.Sprint(number))}
			})
		case 2:
			g.edit(ctx, p, "asking for a refresh now", refreshNow)
		case 3:
			g.turn(ctx, p)
		case 4:
			g.deleted[p] = time.Now()
			g.edits["deleting the Secret"]++
			s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: p.tenant, Name: p.secret}}
			Expect(client.IgnoreNotFound(cluster.API.Delete(ctx, s))).To(Succeed())
		}
	})
	for p, spans := range g.suspended {
		if spans[len(spans)-1].to.IsZero() {
			g.turn(ctx, p)
		}
	}
}

// turn suspends a request, or lets it go on.
func (g *gardener) turn(ctx context.Context, p *patient) {
	spans := g.suspended[p]
	if n := len(spans); n > 0 && spans[n-1].to.IsZero() {
		g.edit(ctx, p, "resuming", func(r *stsv1alpha1.TokenRequest) { r.Spec.Suspend = false })
		spans[n-1].to = time.Now()
		return
	}
	g.suspended[p] = append(spans, span{from: time.Now()})
	g.edit(ctx, p, "suspending", func(r *stsv1alpha1.TokenRequest) { r.Spec.Suspend = true })
}

func (g *gardener) edit(ctx context.Context, p *patient, what string, change func(*stsv1alpha1.TokenRequest)) {
	GinkgoHelper()
	g.edits[what]++
	edit(ctx, p, change)
}

// edit changes a request as a merge patch of what differs.
func edit(ctx context.Context, p *patient, change func(*stsv1alpha1.TokenRequest)) {
	GinkgoHelper()
	r := &stsv1alpha1.TokenRequest{}
	Expect(cluster.API.Get(ctx, client.ObjectKeyFromObject(p.request), r)).To(Succeed())
	before := r.DeepCopy()
	change(r)
	Expect(cluster.API.Patch(ctx, r, client.MergeFrom(before))).To(Succeed(), "%s", p)
}

func refreshNow(r *stsv1alpha1.TokenRequest) {
	if r.Annotations == nil {
		r.Annotations = map[string]string{}
	}
	r.Annotations[stsv1alpha1.AnnotationRefreshRequestedAt] = time.Now().Format(time.RFC3339Nano)
}

// deletedSince says that the Secret was deleted by the gardener after an instant.
func (g *gardener) deletedSince(p *patient, at time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.deleted[p].After(at)
}
