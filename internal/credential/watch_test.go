// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"tokenrequest.dev/operator/internal/credential"
)

// calls are what an API server was asked, each as "secrets" or "secrets in payments"; watches say
// from which version.
type calls struct {
	lists, watches []string
	listedAt       []time.Time
	selected       []string // those with a label selector
}

// apiServer is what the Watch of a test talks to. It answers every list with its version.
type apiServer struct {
	mu                sync.Mutex
	version           string
	listErr, watchErr error
	open              map[string]*watch.FakeWatcher
	asked             calls
}

func (s *apiServer) client() *fake.FakeMetadataClient {
	client := fake.NewSimpleMetadataClient(fake.NewTestScheme())
	client.PrependReactor("list", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked.lists = append(s.asked.lists, place(action))
		s.asked.listedAt = append(s.asked.listedAt, time.Now())
		s.note(action, action.(clienttesting.ListActionImpl).ListOptions)
		if s.listErr != nil {
			return true, nil, s.listErr
		}
		return true, &metav1.List{ListMeta: metav1.ListMeta{ResourceVersion: s.version}}, nil
	})
	client.PrependWatchReactor("*", func(action clienttesting.Action) (bool, watch.Interface, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		options := action.(clienttesting.WatchActionImpl).ListOptions
		s.asked.watches = append(s.asked.watches, place(action)+" from "+options.ResourceVersion)
		s.note(action, options)
		if s.watchErr != nil {
			return true, nil, s.watchErr
		}
		opened := watch.NewFake()
		s.open[place(action)] = opened
		return true, opened, nil
	})
	return client
}

// note notes a selector. The lock is held.
func (s *apiServer) note(action clienttesting.Action, options metav1.ListOptions) {
	if options.LabelSelector != "" {
		s.asked.selected = append(s.asked.selected, action.GetVerb()+" "+place(action)+" with "+options.LabelSelector)
	}
}

func place(action clienttesting.Action) string {
	if action.GetNamespace() == "" {
		return action.GetResource().Resource
	}
	return action.GetResource().Resource + " in " + action.GetNamespace()
}

// answer changes what the API server answers.
func (s *apiServer) answer(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// calls are those since the last time.
func (s *apiServer) calls() calls {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = calls{}
	slices.Sort(asked.watches)
	return asked
}

// watching is what a watch talks over.
func (s *apiServer) watching(at string) *watch.FakeWatcher {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[at]
}

// tell sends an event about the object "app" in the namespace payments.
func (s *apiServer) tell(at string, kind watch.EventType, version string) {
	s.watching(at).Action(kind, &metav1.PartialObjectMetadata{
		ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "app", ResourceVersion: version},
	})
	synctest.Wait()
}

// hangUp ends the watch of Secrets, as an API server does every half hour or so.
func (s *apiServer) hangUp() {
	s.watching("secrets").Stop()
	synctest.Wait()
}

// forget ends a watch because its version is too old.
func (s *apiServer) forget(at string) {
	status := apierrors.NewResourceExpired("the version is too old").Status()
	s.watching(at).Action(watch.Error, &status)
	synctest.Wait()
}

// controller is what a Watch enqueues into. It lives in a bubble of testing/synctest, whose clock
// stands still but for pass.
type controller struct {
	queue workqueue.TypedRateLimitingInterface[reconcile.Request]
	stop  context.CancelFunc

	mu     sync.Mutex
	logged []string
}

// begin starts a Watch. Every object affects two requests, and one is unsettled.
func begin(t *testing.T, namespaces ...string) (*apiServer, *controller) {
	t.Helper()
	server := &apiServer{version: "100", open: map[string]*watch.FakeWatcher{}}
	c := &controller{
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]()),
	}
	source := &credential.Watch{
		Client:     server.client(),
		Namespaces: namespaces,
		Secrets:    "managed!=true",
		Affected: func(_ context.Context, ref credential.Reference, namespace string) []types.NamespacedName {
			return []types.NamespacedName{{Namespace: namespace, Name: "one of " + ref.String()}, {Namespace: namespace, Name: "other of " + ref.String()}}
		},
		Unsettled: func(context.Context) []types.NamespacedName {
			return []types.NamespacedName{{Namespace: "orders", Name: "unsettled"}}
		},
	}
	logger := funcr.New(func(_, line string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.logged = append(c.logged, line)
	}, funcr.Options{})
	ctx, stop := context.WithCancel(log.IntoContext(t.Context(), logger))
	c.stop = stop
	t.Cleanup(func() {
		stop()
		c.queue.ShutDown()
	})
	if err := source.Start(ctx, c.queue); err != nil {
		t.Fatalf("Start: %v", err)
	}
	synctest.Wait()
	return server, c
}

// queued empties the queue.
func (c *controller) queued() []string {
	var names []string
	for c.queue.Len() > 0 {
		item, _ := c.queue.Get()
		c.queue.Done(item)
		names = append(names, item.String())
	}
	slices.Sort(names)
	return names
}

// lines are those that were logged since the last time.
func (c *controller) lines() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	logged := c.logged
	c.logged = nil
	return logged
}

// pass has the clock of the bubble go on, and everything happen that is due.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func want(t *testing.T, what string, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

var (
	unsettled          = []string{"orders/unsettled"}
	affectedBySecret   = []string{"payments/one of Secret/app", "payments/other of Secret/app"}
	affectedByCABundle = []string{"payments/one of ConfigMap/app", "payments/other of ConfigMap/app"}
	affectedByConsent  = []string{"payments/one of ServiceAccount/app", "payments/other of ServiceAccount/app"}
)

func TestAWatchBeginsAtThePresentWithWhatIsUnsettled(t *testing.T) {
	tests := map[string]struct{ namespaces, want []string }{
		"everywhere": {nil, []string{"configmaps from 100", "secrets from 100", "serviceaccounts from 100"}},
		"in the namespaces that are served": {[]string{"orders", "payments"}, []string{
			"configmaps in orders from 100", "configmaps in payments from 100", "secrets in orders from 100", "secrets in payments from 100",
			"serviceaccounts in orders from 100", "serviceaccounts in payments from 100",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, controller := begin(t, test.namespaces...)
				want(t, "watches", test.want, server.calls().watches)
				want(t, "queue", unsettled, controller.queued())
			})
		})
	}
}

func TestOnlySecretsAreSelectedAndInEveryRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, _ := begin(t)
		want(t, "selected", []string{"list secrets with managed!=true", "watch secrets with managed!=true"}, server.calls().selected)
		server.hangUp()
		pass(2 * time.Second)
		want(t, "selected when the watch goes on", []string{"watch secrets with managed!=true"}, server.calls().selected)
	})
}

func TestAnEventEnqueuesWhomItAffects(t *testing.T) {
	tests := map[string]struct {
		place string
		kind  watch.EventType
		want  []string
	}{
		"a Secret that comes":            {"secrets", watch.Added, affectedBySecret},
		"a Secret that changes":          {"secrets", watch.Modified, affectedBySecret},
		"a Secret that goes":             {"secrets", watch.Deleted, affectedBySecret},
		"a ConfigMap that comes":         {"configmaps", watch.Added, affectedByCABundle},
		"a ConfigMap that changes":       {"configmaps", watch.Modified, affectedByCABundle},
		"a ConfigMap that goes":          {"configmaps", watch.Deleted, affectedByCABundle},
		"a ServiceAccount that consents": {"serviceaccounts", watch.Modified, affectedByConsent},
		"a bookmark affects nothing":     {"secrets", watch.Bookmark, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, controller := begin(t)
				controller.queued()
				server.tell(test.place, test.kind, "101")
				want(t, "queue", test.want, controller.queued())
			})
		})
	}
}

func TestAWatchThatIsHungUpGoesOnWhereItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, controller := begin(t)
		server.tell("secrets", watch.Modified, "107")
		controller.queued()
		server.calls()
		server.hangUp()
		pass(time.Minute)
		asked := server.calls()
		want(t, "watches", []string{"secrets from 107"}, asked.watches)
		want(t, "lists", nil, asked.lists)
		want(t, "queue, as nothing was missed", nil, controller.queued())
		server.tell("secrets", watch.Added, "108")
		want(t, "queue", affectedBySecret, controller.queued())
	})
}

func TestAWatchWhoseVersionIsForgottenBeginsAnew(t *testing.T) {
	byStatusCode := func(err error) func(*apiServer) {
		return func(s *apiServer) {
			s.answer(func() { s.watchErr = err })
			s.hangUp()
			pass(time.Second)
			s.answer(func() { s.watchErr = nil })
		}
	}
	tests := map[string]func(*apiServer){
		"told by an event":             func(s *apiServer) { s.forget("secrets") },
		"told by a status code":        byStatusCode(apierrors.NewResourceExpired("the version is too old")),
		"told by a status code of old": byStatusCode(&apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusGone, Reason: metav1.StatusReasonGone}}),
	}
	for name, forget := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, controller := begin(t)
				controller.queued()
				server.calls()
				server.answer(func() { server.version = "200" })
				forget(server)
				pass(time.Minute)
				asked := server.calls()
				want(t, "lists", []string{"secrets"}, asked.lists)
				if !slices.Contains(asked.watches, "secrets from 200") {
					t.Errorf("watches are %q, want one from the present on", asked.watches)
				}
				want(t, "queue, as events may have been missed", unsettled, controller.queued())
				server.tell("secrets", watch.Added, "201")
				want(t, "queue", affectedBySecret, controller.queued())
				want(t, "log, as that is the course of things", nil, controller.lines())
			})
		})
	}
}

// An API server that is down, or a right that is missing, is asked ever less often, and a person is
// told. The second time is no worse than the first.
func TestAWatchThatFailsIsSpaced(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "", errors.New("no right"))
	tests := map[string]func(*apiServer, error){
		"to list":  func(s *apiServer, err error) { s.listErr = err },
		"to watch": func(s *apiServer, err error) { s.watchErr = err },
	}
	for name, fail := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, controller := begin(t)
				for range 2 {
					controller.lines()
					server.calls()
					server.answer(func() { fail(server, forbidden) })
					server.forget("secrets")
					pass(time.Hour)
					asked := server.calls().listedAt
					wantSpaced(t, asked)
					if told := controller.lines(); len(told) < len(asked) {
						t.Errorf("%d lines were logged, want one at least for each of %d failures", len(told), len(asked))
					}
					controller.queued()
					server.answer(func() { fail(server, nil) })
					pass(2 * time.Minute)
					want(t, "queue, as events were missed", unsettled, controller.queued())
					server.tell("secrets", watch.Added, "101")
					want(t, "queue", affectedBySecret, controller.queued())
					pass(24 * time.Hour)
				}
			})
		})
	}
}

// wantSpaced wants an hour's calls to lie from a second to a minute apart, with a fifth of jitter: in
// each of six times ten minutes 1, 2, 4, ... 32 s, and a minute from then on.
func wantSpaced(t *testing.T, at []time.Time) {
	t.Helper()
	if len(at) < 60 || len(at) > 6*16 {
		t.Fatalf("the API server was asked %d times in an hour, want 60 to 96", len(at))
	}
	longest := time.Duration(0)
	for i, next := range at[1:] {
		gap := next.Sub(at[i])
		longest = max(longest, gap)
		if gap < time.Second || gap > 72*time.Second {
			t.Errorf("the API server was asked again after %v, want 1s to 72s", gap)
		}
	}
	if longest < time.Minute {
		t.Errorf("the API server was asked again after %v at the latest, want it left alone for a minute", longest)
	}
}

// A goroutine that is left over fails the bubble.
func TestAWatchEndsWithItsController(t *testing.T) {
	down := errors.New("down")
	tests := map[string]func(*apiServer){
		"while it watches":        func(*apiServer) {},
		"while it waits to list":  func(s *apiServer) { s.answer(func() { s.listErr = down }); s.forget("secrets") },
		"while it waits to watch": func(s *apiServer) { s.answer(func() { s.watchErr = down }); s.hangUp() },
	}
	for name, before := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, controller := begin(t)
				before(server)
				controller.stop()
				synctest.Wait()
				server.calls()
				pass(time.Hour)
				asked := server.calls()
				want(t, "calls after the end", nil, slices.Concat(asked.lists, asked.watches))
			})
		})
	}
}
