// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package configmap_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokenrequest.dev/operator/internal/throttle"
	"tokenrequest.dev/operator/internal/throttle/configmap"
)

// shelf is an API server that takes every write at once, and notes when it came and of how many bytes. Requests of a store
// come one after another.
type shelf struct {
	client.Client
	began time.Time
	came  []time.Duration
	bytes []int
}

func (s *shelf) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	return s.take(o)
}

func (s *shelf) Update(_ context.Context, o client.Object, _ ...client.UpdateOption) error {
	return s.take(o)
}

func (s *shelf) take(o client.Object) error {
	s.came = append(s.came, time.Since(s.began))
	s.bytes = append(s.bytes, bytesOf(o.(*corev1.ConfigMap).Data))
	o.SetResourceVersion(fmt.Sprint(len(s.came)))
	return nil
}

// pacedBench is a bench without an API server, for a bubble of synctest.
func pacedBench() (*bench, *shelf) {
	s := &shelf{began: time.Now()}
	b := &bench{key: types.NamespacedName{Namespace: "system", Name: "tokenrequest-throttle"}, clock: clocktesting.NewFakePassiveClock(now())}
	b.cache = throttle.New[string](throttle.Limits{}, b.clock)
	b.store = configmap.New(s, b.key, b.cache, b.clock, func(configmap.Problem) {})
	return b, s
}

// crowd shuts one gate of some 30 KiB in each of so many tenancy domains.
func (b *bench) crowd(domains int) {
	for i := range domains {
		r := requestOf("crowd")
		r.Domain = fmt.Sprint("ns/crowd-", i)
		b.cache.Remember(r, throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: time.Hour, Remember: strings.Repeat("x", 30<<10)})
	}
}

func TestWritesAreSpacedByTheirSize(t *testing.T) {
	for _, c := range []struct {
		name    string
		domains int
		wait    func(bytes int) time.Duration
	}{
		{"a small one not at all", 0, func(int) time.Duration { return 0 }},
		{"a larger one by 256 KiB a second", 1, func(bytes int) time.Duration { return time.Duration(bytes) * time.Second / (256 << 10) }},
		{"a full one by half a second", 16, func(int) time.Duration { return 500 * time.Millisecond }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, s := pacedBench()
				b.crowd(c.domains)
				for i := range 10 {
					b.throttled(fmt.Sprint("client-", i), time.Second)
					if err := b.store.Sync(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if len(s.came) != 10 || s.came[0] != 0 {
					t.Fatalf("%d writes, the first after %v; want 10, the first at once", len(s.came), s.came[0])
				}
				for i := range 9 {
					if got, want := s.came[i+1]-s.came[i], c.wait(s.bytes[i]); got != want {
						t.Errorf("%v after a write of %d bytes, want %v", got, s.bytes[i], want)
					}
				}
			})
		})
	}
}

// One tenant's own token service asks to wait for an hour with what is long, and for a second with what is short.
func TestATenantCannotHaveMuchWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{began: time.Now()}
		cache := throttle.New[string](throttle.Limits{}, clock.RealClock{})
		store := configmap.New(s, types.NamespacedName{Name: "tokenrequest-throttle"}, cache, clock.RealClock{}, func(configmap.Problem) {})
		var all sync.WaitGroup
		for i := range 76 {
			r, asked := requestOf(fmt.Sprint("client-", i)), time.Second
			if i < 16 {
				r.Scopes, asked = []string{strings.Repeat("x", (i+1)<<11)}, time.Hour
			}
			all.Go(func() {
				for time.Since(s.began) < time.Minute {
					v := cache.Remember(r, throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: asked, Remember: "why"})
					if err := store.Sync(t.Context()); err != nil {
						t.Error(err)
					}
					<-time.After(time.Until(v.Until))
				}
			})
		}
		all.Wait()
		var bytes int
		for _, n := range s.bytes {
			if n > 128<<10 {
				t.Errorf("a write of %d bytes", n)
			}
			bytes += n
		}
		if len(s.came) > 60 || bytes > 4<<20 {
			t.Errorf("%d writes of %d bytes in a minute, want at most one a second, and 4 MiB", len(s.came), bytes)
		}
	})
}

func TestAWriteTakesAlongAllThatCameWhileTheStoreRested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := pacedBench()
		b.crowd(16)
		if err := b.store.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for i := range 60 {
			all.Go(func() {
				<-time.After(time.Duration(i) * time.Millisecond)
				b.throttledIn(fmt.Sprint("ns/", i), "client", time.Minute)
				if err := b.store.Sync(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if len(s.came) != 2 || s.came[1] != 500*time.Millisecond {
			t.Errorf("writes after %v, want one of all 60 after half a second", s.came)
		}
	})
}

func TestNobodyWaitsBeyondHisDeadlineForTheRestToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := pacedBench()
		b.crowd(16)
		if err := b.store.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.throttled("client", time.Minute)
		impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := b.store.Sync(impatient); !errors.Is(err, context.DeadlineExceeded) || time.Since(s.began) != 100*time.Millisecond {
			t.Errorf("after %v: %v, want the end of the deadline", time.Since(s.began), err)
		}
		if err := b.store.Sync(t.Context()); err != nil || len(s.came) != 2 {
			t.Errorf("%d writes, %v; want the gate stored all the same", len(s.came), err)
		}
	})
}

// A store that has rested long enough while nobody wanted to write is ready at once.
func TestTheRestEndsWithoutAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := pacedBench()
		b.crowd(16)
		for i := range 2 {
			b.throttled(fmt.Sprint("client-", i), time.Minute)
			if err := b.store.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Minute)
		}
		if len(s.came) != 2 || s.came[1] != time.Minute {
			t.Errorf("writes after %v, want the second after a minute", s.came)
		}
	})
}

// What remains of the time after SIGTERM isn't for resting: neither the last write rests nor one that rests already.
func TestTheLastWriteIsNotDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := pacedBench()
		b.crowd(16)
		if err := b.store.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.throttled("worker", time.Minute)
		worker := make(chan error, 1)
		go func() { worker <- b.store.Sync(t.Context()) }()
		synctest.Wait()
		for i := range 2 {
			b.throttled(fmt.Sprint("last-", i), time.Minute)
			if err := b.store.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-worker; err != nil || time.Since(s.began) != 0 {
			t.Errorf("after %v: %v, want everything stored at once", time.Since(s.began), err)
		}
		if stored := len(s.came); stored < 2 || s.bytes[stored-1] <= s.bytes[0] {
			t.Errorf("writes of %v bytes, want the last one's gates in them", s.bytes)
		}
	})
}
