// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package configmap_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"tokenrequest.dev/operator/internal/throttle"
	"tokenrequest.dev/operator/internal/throttle/configmap"
)

var _ = Describe("What is stored", func() {
	It("shuts the gate again after a restart", func(ctx SpecContext) {
		b := newBench(ctx)
		Expect(b.store.Load(ctx)).To(Succeed())
		b.throttled("graph", time.Minute)
		Expect(b.store.Sync(ctx)).To(Succeed())

		after := b.restarted(ctx)
		Expect(after.opensAfter("graph")).To(Equal(time.Minute))
		Expect(after.opensAfter("other")).To(BeZero())
		Expect(after.reads.Load()).To(BeEquivalentTo(1))

		By("writing nothing for what it has just read")
		Expect(after.store.Sync(ctx)).To(Succeed())
		Expect(after.writes.Load()).To(BeZero())
	})

	It("is JSON that kubectl shows as a block, says what it is, and tells no secret", func(ctx SpecContext) {
		b := newBench(ctx)
		b.throttled("graph", time.Minute)
		b.cache.Remember(requestOf("graph"), throttle.Failure[string]{Kind: throttle.Unavailable, Remember: "ServerError"})
		Expect(b.store.Sync(ctx)).To(Succeed())

		object := b.stored(ctx)
		Expect(object.Labels).To(Equal(map[string]string{
			"app.kubernetes.io/managed-by": "tokenrequest-operator", "app.kubernetes.io/part-of": "tokenrequest-operator",
		}))
		Expect(object.Annotations).To(HaveKeyWithValue("kubernetes.io/description", ContainSubstring("token services")))
		Expect(object.Data).To(HaveLen(2))
		for key, value := range object.Data {
			Expect(key).To(MatchRegexp(`^(rate|unavailable)-[0-9a-f]{32}$`))
			Expect(value).NotTo(Or(ContainSubstring(" \n"), ContainSubstring("\t"), ContainSubstring("SECRET")), "what would have kubectl quote it")
			Expect(value).To(HavePrefix("{\n  \"kind\": \""))
			Expect(value).To(ContainSubstring(`
  "domain": "ns/payments",
  "endpoint": "https://login.example/token?a=1&b=2",
  "client": "graph",
  "scopes": [
    "read"
  ],`))
		}
		Expect(object.Data).To(ContainElement(HaveSuffix(`
  "since": "2026-03-01T12:00:00Z",
  "until": "2026-03-01T12:01:00Z",
  "attempts": 1,
  "remembered": "why"
}
`)))
	})

	It("loses what has expired, and what isn't ours, at the next write", func(ctx SpecContext) {
		b := newBench(ctx)
		b.throttled("short", time.Minute)
		Expect(b.store.Sync(ctx)).To(Succeed())
		object := b.stored(ctx)
		object.Data["note"] = "written by hand"
		object.BinaryData = map[string][]byte{"picture": {0xff}}
		object.Labels["team"], object.Annotations["note"] = "identity", "metadata of others stays"
		Expect(apiServer.Update(ctx, object)).To(Succeed())

		b.clock.SetTime(now().Add(time.Minute))
		b.throttled("long", time.Hour)
		Expect(b.store.Sync(ctx)).To(Succeed())

		object = b.stored(ctx)
		Expect(object.Data).To(HaveLen(1))
		Expect(object.Data).To(ContainElement(ContainSubstring(`"client": "long"`)))
		Expect(object.BinaryData).To(BeEmpty())
		Expect(object.Labels).To(HaveKeyWithValue("team", "identity"))
		Expect(object.Annotations).To(HaveKeyWithValue("note", "metadata of others stays"))
		Expect(object.ManagedFields).To(ContainElement(HaveField("Manager", "tokenrequest-operator")))
	})

	It("stops showing a gate soon after it has opened, with one write and no more", func(ctx SpecContext) {
		b := newBench(ctx)
		Expect(b.store.Tidy(ctx)).To(Succeed())
		Expect(b.writes.Load()).To(BeZero(), "nothing is shown yet")
		b.throttled("short", time.Minute)
		b.throttled("long", time.Hour)
		Expect(b.store.Sync(ctx)).To(Succeed())
		written := b.writes.Load()
		b.clock.SetTime(now().Add(59 * time.Second))
		Expect(b.store.Tidy(ctx)).To(Succeed())
		Expect(b.writes.Load()).To(Equal(written), "both are still shut")

		b.clock.SetTime(now().Add(time.Minute))
		Expect(b.store.Tidy(ctx)).To(Succeed())
		Expect(b.stored(ctx).Data).To(And(HaveLen(1), ContainElement(ContainSubstring(`"client": "long"`))))
		Expect(b.store.Tidy(ctx)).To(Succeed())
		Expect(b.writes.Load()).To(Equal(written + 1))

		By("doing so after a restart, for what another leader stored")
		after := b.restarted(ctx)
		after.clock.SetTime(now().Add(time.Hour))
		Expect(after.store.Tidy(ctx)).To(Succeed())
		Expect(after.stored(ctx).Data).To(BeEmpty())
	})

	It("stays within its bytes, each tenant within its own, and none pushes out another's gate", func(ctx SpecContext) {
		b := newBench(ctx)
		quiet := requestOf("quiet")
		b.cache.Remember(quiet, throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: time.Second})
		for i := range 300 {
			loud := requestOf(fmt.Sprint("loud-", i))
			loud.Domain = fmt.Sprint("ns/loud-", i%20)
			failure := throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: time.Duration(i+10) * time.Second, Remember: strings.Repeat("x", 4096)}
			b.cache.Remember(loud, failure)
		}
		Expect(b.store.Sync(ctx)).To(Succeed())

		data := b.stored(ctx).Data
		Expect(bytesOf(data)).To(And(BeNumerically("<=", 512<<10), BeNumerically(">", 500<<10)))
		Expect(data).To(ContainElement(ContainSubstring(`"client": "quiet"`)))
		Expect(data).To(ContainElement(ContainSubstring(`"client": "loud-299"`)), "the last to open stays")
		Expect(data).NotTo(ContainElement(ContainSubstring(`"client": "loud-0"`)), "the first to open goes")
	})

	It("has 128 KiB of one tenant at most, whose other gates are shut all the same", func(ctx SpecContext) {
		b := newBench(ctx)
		scopes := make([]string, 64)
		for i := range scopes {
			scopes[i] = fmt.Sprintf("%03d-%s", i, strings.Repeat("x", 508))
		}
		long := func(i int) throttle.Request {
			r := requestOf(fmt.Sprint("long-", i))
			r.Scopes = scopes[i:]
			return r
		}
		for i := range 16 {
			b.cache.Remember(long(i), throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: time.Hour, Remember: "why"})
		}
		for i := range 60 {
			b.throttled(fmt.Sprint("short-", i), time.Second)
		}
		Expect(b.store.Sync(ctx)).To(Succeed())
		Expect(bytesOf(b.stored(ctx).Data)).To(And(BeNumerically("<=", 128<<10), BeNumerically(">", 0)))
		Expect(b.cache.Admit(long(0), false).Open).To(BeFalse())
		Expect(b.opensAfter("short-0")).To(Equal(time.Second))
	})
})

// bytesOf counts as the API server does.
func bytesOf(data map[string]string) (n int) {
	for key, value := range data {
		n += len(key) + len(value)
	}
	return n
}

var _ = Describe("Load", func() {
	It("takes a ConfigMap that isn't there for one without gates", func(ctx SpecContext) {
		b := newBench(ctx)
		Expect(b.store.Load(ctx)).To(Succeed())
		Expect(b.problems).To(BeEmpty())
		Expect(b.writes.Load()).To(BeZero())
	})

	It("uses what is good and reports the rest by its key alone", func(ctx SpecContext) {
		b := newBench(ctx)
		b.throttled("graph", time.Minute)
		b.throttled("mail", 2*time.Minute)
		Expect(b.store.Sync(ctx)).To(Succeed())
		object := b.stored(ctx)
		for key, value := range object.Data {
			if strings.Contains(value, "mail") {
				object.Data[key] = strings.Replace(value, "mail", "male", 1)
			}
		}
		object.Data["a-not-json"] = `{"kind":"Rate","client":"SECRET`
		object.Data["b-wrong-type"] = `{"kind":["SECRET"]}`
		object.Data["c-wrong-time"] = `{"kind":"Rate","until":"SECRET"}`
		object.Data["d-null"] = `null`
		object.Data["e-empty"] = ``
		object.Data["f-deep"] = strings.Repeat("[", 20_000)
		object.BinaryData = map[string][]byte{"g-binary": {0xff, 0xfe}}
		Expect(apiServer.Update(ctx, object)).To(Succeed())

		after := b.restarted(ctx)
		Expect(after.opensAfter("graph")).To(Equal(time.Minute))
		Expect(after.opensAfter("mail")).To(BeZero())
		Expect(after.opensAfter("male")).To(BeZero())
		Expect(after.problems).To(ConsistOf(
			HaveField("Key", HavePrefix("rate-")),
			configmap.Problem{Key: "a-not-json", Reason: configmap.Unreadable},
			configmap.Problem{Key: "b-wrong-type", Reason: configmap.Unreadable},
			configmap.Problem{Key: "c-wrong-time", Reason: configmap.Unreadable},
			configmap.Problem{Key: "d-null", Reason: configmap.Unreadable},
			configmap.Problem{Key: "e-empty", Reason: configmap.Unreadable},
			configmap.Problem{Key: "f-deep", Reason: configmap.Unreadable},
			configmap.Problem{Key: "g-binary", Reason: configmap.Unreadable},
		))
	})

	It("cuts a gate that was edited to the end of time to one hour, for good", func(ctx SpecContext) {
		b := newBench(ctx)
		b.throttled("graph", time.Minute)
		Expect(b.store.Sync(ctx)).To(Succeed())
		object := b.stored(ctx)
		for key, value := range object.Data {
			object.Data[key] = strings.Replace(value, `"until": "2026`, `"until": "9999`, 1)
		}
		Expect(apiServer.Update(ctx, object)).To(Succeed())

		after := b.restarted(ctx)
		Expect(after.opensAfter("graph")).To(Equal(time.Hour))
		Expect(after.store.Sync(ctx)).To(Succeed())
		Expect(b.stored(ctx).Data).To(ContainElement(ContainSubstring(`"until": "2026-03-01T13:00:00Z"`)))
	})

	It("says that it couldn't read, and restores nothing", func(ctx SpecContext) {
		b := newBench(ctx)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		Expect(b.store.Load(ended)).To(MatchError(ContainSubstring("reading ConfigMap " + b.key.String())))
	})
})

var _ = Describe("Sync", func() {
	It("needs no request when there is nothing to store", func(ctx SpecContext) {
		b := newBench(ctx)
		Expect(b.store.Sync(ctx)).To(Succeed())
		b.throttled("graph", time.Minute)
		Expect(b.store.Sync(ctx)).To(Succeed())
		Expect(b.store.Sync(ctx)).To(Succeed())
		Expect(b.writes.Load()).To(BeEquivalentTo(1))
		Expect(b.reads.Load()).To(BeZero())
	})

	It("stores a thousand gates of a thousand callers with two writes", func(ctx SpecContext) {
		b := newBench(ctx)
		var shut, synced sync.WaitGroup
		shut.Add(1000)
		b.beforeWrite = func(_ context.Context, n int32) error {
			if n == 1 {
				shut.Wait() // whatever was not in the first snapshot is there before the second
			}
			return nil
		}
		for i := range 1000 {
			synced.Go(func() {
				defer GinkgoRecover()
				b.throttledIn(fmt.Sprint("ns/", i%50), fmt.Sprint("client-", i), time.Minute)
				shut.Done()
				Expect(b.store.Sync(ctx)).To(Succeed())
			})
		}
		synced.Wait()
		Expect(b.writes.Load()).To(BeNumerically("<=", 2))
		Expect(b.stored(ctx).Data).To(HaveLen(1000))
	})

	It("returns only when the caller's own gate is stored", func(ctx SpecContext) {
		b := newBench(ctx)
		for round := range 20 {
			var callers sync.WaitGroup
			for i := range 10 {
				callers.Go(func() {
					defer GinkgoRecover()
					name := fmt.Sprintf("client-%d-%d", round, i)
					b.throttledIn(fmt.Sprint("ns/", round), name, time.Minute)
					Expect(b.store.Sync(ctx)).To(Succeed())
					var object corev1.ConfigMap
					Expect(apiServer.Get(ctx, b.key, &object)).To(Succeed())
					Expect(object.Data).To(ContainElement(ContainSubstring(`"client": "` + name + `"`)))
				})
			}
			callers.Wait()
		}
		Expect(b.overlap.Load()).To(BeFalse(), "two writes at once")
	})

	It("ends the wait with its caller's context, and goes on writing for the others", func(ctx SpecContext) {
		b := newBench(ctx)
		writing, release := make(chan struct{}), make(chan struct{})
		b.beforeWrite = func(ctx context.Context, _ int32) error {
			close(writing)
			<-release
			return ctx.Err()
		}
		b.throttled("graph", time.Minute)
		impatient, cancel := context.WithCancel(ctx)
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- b.store.Sync(impatient) }()
		Eventually(ctx, writing).Should(BeClosed())
		go func() { second <- b.store.Sync(ctx) }()
		cancel()
		Eventually(ctx, first).Should(Receive(MatchError(context.Canceled)))
		Consistently(second, "50ms").ShouldNot(Receive())
		close(release)
		Eventually(ctx, second).Should(Receive(BeNil()))
		Expect(b.stored(ctx).Data).To(HaveLen(1))
		Expect(b.writes.Load()).To(BeEquivalentTo(1))
	})

	It("creates the ConfigMap again, whole, when somebody deleted it", func(ctx SpecContext) {
		b := newBench(ctx)
		b.throttled("graph", time.Minute)
		Expect(b.store.Sync(ctx)).To(Succeed())
		Expect(apiServer.Delete(ctx, b.stored(ctx))).To(Succeed())
		b.throttled("mail", time.Minute)
		Expect(b.store.Sync(ctx)).To(Succeed())
		Expect(b.stored(ctx).Data).To(HaveLen(2))
	})

	It("merges what another replica stored, the later instant wins", func(ctx SpecContext) {
		old := newBench(ctx)
		old.throttled("common", time.Minute)
		Expect(old.store.Sync(ctx)).To(Succeed())
		leader := old.restarted(ctx)

		By("a last write of the former leader")
		old.throttled("common", 10*time.Minute)
		old.throttled("old", time.Minute)
		Expect(old.store.Sync(ctx)).To(Succeed())

		leader.throttled("common", 5*time.Minute)
		leader.throttled("new", time.Minute)
		Expect(leader.store.Sync(ctx)).To(Succeed())
		Expect(leader.writes.Load()).To(BeEquivalentTo(2), "one conflict, one write")
		Expect(leader.opensAfter("common")).To(Equal(10 * time.Minute))

		after := leader.restarted(ctx)
		Expect(after.opensAfter("common")).To(Equal(10 * time.Minute))
		Expect(after.opensAfter("old")).To(Equal(time.Minute))
		Expect(after.opensAfter("new")).To(Equal(time.Minute))
	})

	It("merges into a ConfigMap that it has never loaded", func(ctx SpecContext) {
		b := newBench(ctx)
		b.throttled("graph", time.Minute)
		Expect(b.store.Sync(ctx)).To(Succeed())
		other := benchFor(b.key)
		other.throttled("mail", time.Minute)
		Expect(other.store.Sync(ctx)).To(Succeed())
		Expect(b.stored(ctx).Data).To(HaveLen(2))
	})

	It("gives up after five conflicts", func(ctx SpecContext) {
		b := newBench(ctx)
		conflict := apierrors.NewConflict(schema.GroupResource{Resource: "configmaps"}, b.key.Name, errors.New("again"))
		b.beforeWrite = func(context.Context, int32) error { return conflict }
		b.throttled("graph", time.Minute)
		Expect(b.store.Sync(ctx)).To(MatchError(ContainSubstring("writing ConfigMap " + b.key.String())))
		Expect(b.writes.Load()).To(BeEquivalentTo(5))
	})

	It("says so when it can't read what it conflicts with", func(ctx SpecContext) {
		b := newBench(ctx)
		b.throttled("graph", time.Minute)
		Expect(b.store.Sync(ctx)).To(Succeed())
		other := benchFor(b.key)
		other.readError = errors.New("no quorum")
		other.throttled("mail", time.Minute)
		Expect(other.store.Sync(ctx)).To(MatchError("reading ConfigMap " + b.key.String() + ": no quorum"))
		other.readError = nil
		Expect(other.store.Sync(ctx)).To(Succeed())
		Expect(b.stored(ctx).Data).To(HaveLen(2))
	})

	It("tells its caller of a failed write, and the next call tries again", func(ctx SpecContext) {
		b := newBench(ctx)
		b.beforeWrite = func(_ context.Context, n int32) error {
			if n == 1 {
				return errors.New("no quorum")
			}
			return nil
		}
		b.throttled("graph", time.Minute)
		Expect(b.store.Sync(ctx)).To(MatchError("writing ConfigMap " + b.key.String() + ": no quorum"))
		Expect(b.store.Sync(ctx)).To(Succeed())
		Expect(b.stored(ctx).Data).To(HaveLen(1))
	})

	It("tells its caller of a gate that JSON can't hold", func(ctx SpecContext) {
		clock := clocktesting.NewFakePassiveClock(now())
		cache := throttle.New[float64](throttle.Limits{}, clock)
		store := configmap.New(apiServer, newBench(ctx).key, cache, clock, func(configmap.Problem) {})
		cache.Remember(requestOf("graph"), throttle.Failure[float64]{Kind: throttle.Rate, Remember: math.NaN()})
		Expect(store.Sync(ctx)).To(MatchError(ContainSubstring("encoding gate rate-")))
	})

	It("doesn't lose a gate for a namespace that comes late", func(ctx SpecContext) {
		late := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("late-", namespaces.Add(1))}}
		b := benchFor(types.NamespacedName{Namespace: late.Name, Name: "tokenrequest-throttle"})
		b.throttled("graph", time.Minute)
		Expect(b.store.Sync(ctx)).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
		Expect(b.writes.Load()).To(BeEquivalentTo(1), "no repetition helps")
		Expect(apiServer.Create(ctx, late)).To(Succeed())
		Expect(b.store.Sync(ctx)).To(Succeed())
		Expect(b.stored(ctx).Data).To(HaveLen(1))
	})

	It("bounds a write to ten seconds, even for a caller without a deadline", func(ctx SpecContext) {
		b := newBench(ctx)
		var deadline time.Time
		b.beforeWrite = func(ctx context.Context, _ int32) error {
			deadline, _ = ctx.Deadline()
			return context.DeadlineExceeded
		}
		b.throttled("graph", time.Minute)
		Expect(b.store.Sync(ctx)).To(MatchError(context.DeadlineExceeded))
		Expect(deadline).To(And(BeTemporally(">", time.Time{}), BeTemporally("<=", time.Now().Add(10*time.Second))))
	})

	It("shuts the gates of callers while it is under way", func(ctx SpecContext) {
		b := newBench(ctx)
		writing, release := make(chan struct{}), make(chan struct{})
		b.beforeWrite = func(_ context.Context, n int32) error {
			if n == 1 {
				close(writing)
				<-release
			}
			return nil
		}
		b.throttled("graph", time.Minute)
		done := make(chan error, 1)
		go func() { done <- b.store.Sync(ctx) }()
		Eventually(ctx, writing).Should(BeClosed())
		b.throttled("mail", time.Minute)
		Expect(b.opensAfter("mail")).To(Equal(time.Minute))
		close(release)
		Eventually(ctx, done).Should(Receive(BeNil()))
		Expect(b.store.Sync(ctx)).To(Succeed())
		Expect(b.stored(ctx).Data).To(HaveLen(2))
	})
})
