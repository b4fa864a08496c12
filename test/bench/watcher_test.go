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
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
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
	issued  bool      // its last attempt succeeded
	token   stsv1alpha1.TokenStatus
	renewed []renewal

	conditions []metav1.Condition
	isReady    chan struct{} // closed when it is, the first time
}

// renewal is a token that took the place of another.
type renewal struct{ due, dead, issued, seen time.Time }

// watch begins to watch all TokenRequests, until the scenario ends. An API server may end a watch at any
// time, as it does while the CRD is new, so that an informer does it.
func (s *stage) watch(ctx SpecContext) *watcher {
	GinkgoHelper()
	w := &watcher{seen: map[client.ObjectKey]*sight{}}
	see := func(object any) { w.see(object.(*stsv1alpha1.TokenRequest), time.Now()) }
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ObjectType: &stsv1alpha1.TokenRequest{},
		ListerWatcher: &cache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
				list := &stsv1alpha1.TokenRequestList{}
				return list, s.cluster.API.List(ctx, list, &client.ListOptions{Raw: &options})
			},
			WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
				return s.cluster.API.Watch(ctx, &stsv1alpha1.TokenRequestList{}, &client.ListOptions{Raw: &options})
			},
		},
		Handler: cache.ResourceEventHandlerFuncs{AddFunc: see, UpdateFunc: func(_, now any) { see(now) }},
	})
	watching, stop := context.WithCancel(ctx)
	DeferCleanup(stop)
	go informer.RunWithContext(watching)
	Eventually(informer.HasSynced).WithContext(ctx).Should(BeTrue())
	return w
}

// expect notes that a request is about to be created. Without a watcher nobody waits for it.
func (w *watcher) expect(r *stsv1alpha1.TokenRequest) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[client.ObjectKeyFromObject(r)] = &sight{isReady: make(chan struct{}), created: time.Now()}
}

func (w *watcher) see(r *stsv1alpha1.TokenRequest, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, known := w.seen[client.ObjectKeyFromObject(r)]
	if !known {
		return
	}
	s.conditions = r.Status.Conditions
	s.issued = meta.IsStatusConditionTrue(r.Status.Conditions, stsv1alpha1.ConditionIssued)
	if s.ready.IsZero() && meta.IsStatusConditionTrue(r.Status.Conditions, stsv1alpha1.ConditionReady) {
		s.ready = at
		close(s.isReady)
	}
	if r.Status.Token == nil {
		return
	}
	if before := s.token; before.IssuedAt != nil && before.IssuedAt.Before(r.Status.Token.IssuedAt) {
		s.renewed = append(s.renewed, renewal{before.RefreshAt.Time, before.ExpiresAt.Time, r.Status.Token.IssuedAt.Time, at})
	}
	s.token = *r.Status.Token
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

// awaitReadyNow returns as soon as one is ready.
func (w *watcher) awaitReadyNow(ctx context.Context, r *stsv1alpha1.TokenRequest) {
	GinkgoHelper()
	w.mu.Lock()
	ready := w.seen[client.ObjectKeyFromObject(r)].isReady
	w.mu.Unlock()
	Eventually(ready).WithContext(ctx).WithPolling(5*time.Millisecond).Should(BeClosed(), w.unready)
}

// renewals are all tokens that took the place of another.
func (w *watcher) renewals() []renewal {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []renewal
	for _, s := range w.seen {
		list = append(list, s.renewed...)
	}
	return list
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
