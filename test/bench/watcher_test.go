// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// watcher sees each TokenRequest as a client of the API server does, and when.
type watcher struct {
	mu   sync.Mutex
	seen map[client.ObjectKey]*sight
}

// sight is what was seen of a TokenRequest.
type sight struct {
	created time.Time // just before it was sent
	ready   time.Time // the first time

	conditions []metav1.Condition
}

// watch begins to watch all TokenRequests, until the scenario ends.
func (s *stage) watch(ctx SpecContext) *watcher {
	GinkgoHelper()
	w := &watcher{seen: map[client.ObjectKey]*sight{}}
	// An informer, since the API server ends a plain watch that is slow to take in what happens.
	informers, err := cache.New(s.cluster.Admin(), cache.Options{Scheme: s.cluster.API.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	informer, err := informers.GetInformer(ctx, &stsv1alpha1.TokenRequest{}, cache.BlockUntilSynced(false))
	Expect(err).NotTo(HaveOccurred())
	see := func(o any) { w.see(o.(*stsv1alpha1.TokenRequest), time.Now()) }
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: see, UpdateFunc: func(_, o any) { see(o) }})
	Expect(err).NotTo(HaveOccurred())
	watching, stop := context.WithCancel(context.Background())
	DeferCleanup(stop)
	go func() {
		defer GinkgoRecover()
		Expect(informers.Start(watching)).To(Succeed())
	}()
	Expect(informers.WaitForCacheSync(ctx)).To(BeTrue())
	return w
}

// expect notes that a request is about to be created.
func (w *watcher) expect(r *stsv1alpha1.TokenRequest) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[client.ObjectKeyFromObject(r)] = &sight{created: time.Now()}
}

func (w *watcher) see(r *stsv1alpha1.TokenRequest, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, known := w.seen[client.ObjectKeyFromObject(r)]
	if !known {
		return
	}
	s.conditions = r.Status.Conditions
	if s.ready.IsZero() && meta.IsStatusConditionTrue(r.Status.Conditions, stsv1alpha1.ConditionReady) {
		s.ready = at
	}
}

// count is how many of those that are expected are such.
func (w *watcher) count(such func(*sight) bool) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, s := range w.seen {
		if such(s) {
			n++
		}
	}
	return n
}

// awaitReady returns when all that were ever expected have been ready.
func (w *watcher) awaitReady(ctx context.Context) {
	GinkgoHelper()
	Eventually(func() int { return w.count(func(s *sight) bool { return s.ready.IsZero() }) }).WithContext(ctx).Should(BeZero(), w.unready)
}

// unready is what is said of one that should be ready, to begin a search with.
func (w *watcher) unready() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, s := range w.seen {
		if s.ready.IsZero() {
			return fmt.Sprintf("%s among others isn't ready: %+v", name, s.conditions)
		}
	}
	return "all are ready"
}

// readiness is when each became ready, counted from an instant, in order.
func (w *watcher) readiness(from time.Time) []time.Duration {
	return w.sorted(func(s *sight) time.Duration { return s.ready.Sub(from) })
}

// waits is how long each took from its creation until it was ready, in order.
func (w *watcher) waits() []time.Duration {
	return w.sorted(func(s *sight) time.Duration { return s.ready.Sub(s.created) })
}

func (w *watcher) sorted(of func(*sight) time.Duration) []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []time.Duration
	for _, s := range w.seen {
		list = append(list, of(s))
	}
	slices.Sort(list)
	return list
}

// p99 is what 99 of 100 don't exceed, in seconds.
func p99(sorted []time.Duration) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*99+99)/100-1].Seconds()
}
