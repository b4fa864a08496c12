// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package events_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"

	"tokenrequest.dev/operator/internal/events"
)

// server is an API server that takes events, or doesn't.
type server struct {
	mu     sync.Mutex
	taken  []*eventsv1.Event
	tries  int
	refuse func(try int) error // nil: it takes all
}

func (s *server) write(_ context.Context, e *eventsv1.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	if s.refuse != nil {
		if err := s.refuse(s.tries); err != nil {
			return err
		}
	}
	s.taken = append(s.taken, e)
	return nil
}

// notes are what the events say that it took.
func (s *server) notes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var notes []string
	for _, e := range s.taken {
		notes = append(notes, e.Note)
	}
	return notes
}

func subject(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: name, UID: types.UID("uid of " + name)}}
}

// recording gives a recorder that writes to a server, until the function is called.
func recording(t *testing.T, s *server, log logr.Logger) (*events.Recorder, func()) {
	t.Helper()
	r := events.New(scheme.Scheme, "tokenrequest-operator", s.write, clock.RealClock{}, log)
	ctx, end := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	return r, func() {
		end()
		running.Wait()
	}
}

func TestAnEventSaysWhatAndAboutWhat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		r, end := recording(t, s, logr.Discard())
		r.Eventf(subject("graph"), subject("other"), corev1.EventTypeWarning, "InvalidClient", "AcquireToken", "it is %d%% wrong", 100)
		synctest.Wait()
		end()
		if len(s.taken) != 1 {
			t.Fatalf("%d events were written", len(s.taken))
		}
		e := s.taken[0]
		if e.Namespace != "payments" || e.GenerateName != "graph-" || e.Type != "Warning" || e.Reason != "InvalidClient" || e.Action != "AcquireToken" ||
			e.Note != "it is 100% wrong" || e.ReportingController != "tokenrequest-operator" || !strings.HasPrefix(e.ReportingInstance, "tokenrequest-operator-") ||
			!e.EventTime.Time.Equal(time.Now()) {
			t.Errorf("written was %+v", e)
		}
		if e.Regarding.Kind != "ConfigMap" || e.Regarding.Name != "graph" || e.Regarding.UID != "uid of graph" || e.Related.Name != "other" {
			t.Errorf("it is about %+v, related to %+v", e.Regarding, e.Related)
		}
	})
}

func TestNamesOfEventsAreValid(t *testing.T) {
	s := &server{}
	r, end := recording(t, s, logr.Discard())
	r.Eventf(subject(strings.Repeat("a", 199)+"."+strings.Repeat("b", 53)), nil, corev1.EventTypeNormal, "TokenIssued", "AcquireToken", "cut at its dot")
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "clusterwide"}}
	r.Eventf(node, nil, corev1.EventTypeNormal, "TokenIssued", "AcquireToken", "of an object without a namespace")
	end()
	for _, e := range s.taken {
		if len(e.GenerateName) > 201 || strings.HasSuffix(e.GenerateName, ".-") || e.Namespace == "" {
			t.Errorf("an event is to be named %q in %q", e.GenerateName, e.Namespace)
		}
	}
	if len(s.taken) != 2 {
		t.Errorf("%d events were written", len(s.taken))
	}
}

func TestAnAPIServerThatIsAwayIsAskedAgain(t *testing.T) {
	for name, away := range map[string]error{
		"no connection": errors.New("connection refused"),
		"busy":          apierrors.NewTooManyRequestsError("later"),
		"broken":        apierrors.NewInternalError(errors.New("etcd")),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{refuse: func(try int) error {
					if try < 4 {
						return away
					}
					return nil
				}}
				r, end := recording(t, s, logr.Discard())
				r.Eventf(subject("graph"), nil, corev1.EventTypeNormal, "TokenIssued", "AcquireToken", "late")
				<-time.After(20 * time.Second)
				end()
				if s.tries != 4 || len(s.taken) != 1 {
					t.Errorf("after %d tries %q is written", s.tries, s.notes())
				}
			})
		})
	}
}

func TestARefusalIsFinal(t *testing.T) {
	secrets := schema.GroupResource{Group: "events.k8s.io", Resource: "events"}
	ending := apierrors.NewForbidden(secrets, "", errors.New("the namespace ends"))
	ending.ErrStatus.Details.Causes = append(ending.ErrStatus.Details.Causes, metav1.StatusCause{Type: corev1.NamespaceTerminatingCause})
	for name, test := range map[string]struct {
		err    error
		logged bool
	}{
		"forbidden":           {apierrors.NewForbidden(secrets, "", errors.New("no role")), true},
		"invalid":             {apierrors.NewInvalid(schema.GroupKind{Kind: "Event"}, "", nil), true},
		"a namespace is gone": {apierrors.NewNotFound(secrets, ""), true},
		"a namespace ends":    {ending, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var said strings.Builder
				s := &server{refuse: func(int) error { return test.err }}
				r, end := recording(t, s, funcr.New(func(_, line string) { said.WriteString(line) }, funcr.Options{}))
				r.Eventf(subject("graph"), nil, corev1.EventTypeNormal, "TokenIssued", "AcquireToken", "never")
				<-time.After(time.Minute)
				end()
				if s.tries != 1 {
					t.Errorf("it was tried %d times", s.tries)
				}
				if logged := strings.Contains(said.String(), "wasn't written"); logged != test.logged {
					t.Errorf("the log says %q", said.String())
				}
			})
		})
	}
}

func TestOneObjectCannotFloodTheAPIServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		r, end := recording(t, s, logr.Discard())
		tell := func(times int) {
			for i := range times {
				r.Eventf(subject("loop"), nil, corev1.EventTypeWarning, "InvalidClient", "AcquireToken", "%d", i)
			}
			synctest.Wait()
		}
		tell(100)
		if got := len(s.notes()); got != 25 {
			t.Errorf("of 100 events %d were written", got)
		}
		r.Eventf(subject("quiet"), nil, corev1.EventTypeWarning, "InvalidClient", "AcquireToken", "another has its own allowance")
		<-time.After(5*time.Minute + time.Second)
		tell(100)
		end()
		if got := len(s.notes()); got != 27 {
			t.Errorf("5 minutes later %d are written", got)
		}
	})
}

func TestWhatFindsNoRoomIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said strings.Builder
		s := &server{}
		r := events.New(scheme.Scheme, "tokenrequest-operator", s.write, clock.RealClock{}, funcr.New(func(_, line string) { said.WriteString(line) }, funcr.Options{}))
		for i := range 1010 {
			r.Eventf(subject(fmt.Sprint(i)), nil, corev1.EventTypeWarning, "InvalidClient", "AcquireToken", "nobody writes yet")
		}
		ctx, end := context.WithCancel(t.Context())
		end()
		r.Run(ctx) // what is queued is written even so
		if len(s.taken) != 1000 || !strings.Contains(said.String(), `"events"=10`) {
			t.Errorf("%d were written, and the log says %q", len(s.taken), said.String())
		}
	})
}

func TestTheEndWaitsForNobodyForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{refuse: func(int) error { return errors.New("connection refused") }}
		r, end := recording(t, s, logr.Discard())
		r.Eventf(subject("graph"), nil, corev1.EventTypeNormal, "TokenIssued", "AcquireToken", "never")
		synctest.Wait()
		start := time.Now()
		end()
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
