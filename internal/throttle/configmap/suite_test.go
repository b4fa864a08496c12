// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package configmap_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"tokenrequest.dev/operator/internal/throttle"
	"tokenrequest.dev/operator/internal/throttle/configmap"
)

func TestConfigMap(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "internal/throttle/configmap")
}

var (
	environment *envtest.Environment
	apiServer   client.WithWatch
	namespaces  atomic.Int32
)

var _ = BeforeSuite(func() {
	environment = &envtest.Environment{}
	config, err := environment.Start()
	Expect(err).NotTo(HaveOccurred())
	config.QPS = -1 // the specs count requests, they don't save them
	apiServer, err = client.NewWithWatch(config, client.Options{})
	Expect(err).NotTo(HaveOccurred())
})

var _ = AfterSuite(func() {
	Expect(environment.Stop()).To(Succeed())
})

// now is the one time of all specs.
func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// bench is one cache with its store, and what it did to the API server.
type bench struct {
	key      types.NamespacedName
	clock    *clocktesting.FakePassiveClock
	cache    *throttle.Cache[string]
	store    *configmap.Store[string]
	reads    atomic.Int32
	writes   atomic.Int32 // tried
	overlap  atomic.Bool  // two writes were under way at once
	problems []configmap.Problem

	// readError, where set, is every read's.
	readError error
	// beforeWrite runs before each write, with its context and its number, from 1. An error of it is the write's.
	beforeWrite func(ctx context.Context, n int32) error
}

// newBench returns a bench in a namespace of its own.
func newBench(ctx context.Context) *bench {
	namespace := fmt.Sprint("specs-", namespaces.Add(1))
	Expect(apiServer.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
	return benchFor(types.NamespacedName{Namespace: namespace, Name: "tokenrequest-throttle"})
}

// benchFor returns a bench for that ConfigMap, as another process would have it.
func benchFor(key types.NamespacedName) *bench {
	clock := clocktesting.NewFakePassiveClock(now())
	b := &bench{key: key, clock: clock, cache: throttle.New[string](throttle.Limits{PerDomain: 2000, Total: 4000}, clock)}
	var underWay atomic.Int32
	write := func(ctx context.Context, send func() error) error {
		n := b.writes.Add(1)
		if underWay.Add(1) > 1 {
			b.overlap.Store(true)
		}
		defer underWay.Add(-1)
		if b.beforeWrite != nil {
			if err := b.beforeWrite(ctx, n); err != nil {
				return err
			}
		}
		return send()
	}
	counting := interceptor.NewClient(apiServer, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			b.reads.Add(1)
			if b.readError != nil {
				return b.readError
			}
			return c.Get(ctx, key, o, opts...)
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			return write(ctx, func() error { return c.Create(ctx, o, opts...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			return write(ctx, func() error { return c.Update(ctx, o, opts...) })
		},
	})
	b.store = configmap.New(counting, b.key, b.cache, b.clock, func(p configmap.Problem) { b.problems = append(b.problems, p) })
	return b
}

// restarted returns the bench of the process after this one, which has loaded.
func (b *bench) restarted(ctx context.Context) *bench {
	after := benchFor(b.key)
	Expect(after.store.Load(ctx)).To(Succeed())
	return after
}

// throttled lets the client's requests be answered with 429 and the given Retry-After.
func (b *bench) throttled(clientID string, retryAfter time.Duration) {
	b.throttledIn(requestOf(clientID).Domain, clientID, retryAfter)
}

// throttledIn is throttled for the client in another tenancy domain.
func (b *bench) throttledIn(domain, clientID string, retryAfter time.Duration) {
	r := requestOf(clientID)
	r.Domain = domain
	b.cache.Remember(r, throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: retryAfter, Remember: "why"})
}

// opensAfter returns for how long the client's gate is shut, zero when it is open.
func (b *bench) opensAfter(clientID string) time.Duration {
	v := b.cache.Admit(requestOf(clientID), false)
	if v.Open {
		return 0
	}
	return v.Until.Sub(b.clock.Now())
}

// stored returns the ConfigMap.
func (b *bench) stored(ctx context.Context) *corev1.ConfigMap {
	GinkgoHelper()
	var object corev1.ConfigMap
	Expect(apiServer.Get(ctx, b.key, &object)).To(Succeed())
	return &object
}

func requestOf(clientID string) throttle.Request {
	return throttle.Request{
		Domain: "ns/payments", Endpoint: "https://login.example/token?a=1&b=2", ClientID: clientID, Scopes: []string{"read"},
		Credential: "SECRET-credential", Claims: "SECRET-claims", Account: "SECRET-account",
	}
}
