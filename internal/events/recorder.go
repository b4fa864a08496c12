// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package events writes what the operator tells people beside conditions (events.k8s.io/v1), within bounds.
//
// client-go's recorder remembers each event for six minutes, to count those that are alike, and begins a
// goroutine for each. In an outage of 10,000 requests that took 45 MiB, more than the cache of them; and
// whoever was told of two alike saw the note of the first. Here each event is an object of its own.
package events

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/reference"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
)

const (
	// queueSize is how many events wait for the API server, as in client-go. One of ours is some 1.5 KiB.
	queueSize = 1000
	// writers write at a time: enough for 80 a second where the API server takes 100 ms.
	writers = 8
	// burst and refill bound what is told of one object, as client-go's older recorder does: whoever fights with the
	// operator over a status would otherwise make an event with each round.
	burst  = 25
	refill = 5 * time.Minute
	// objects is of how many objects is known how much of that they used.
	objects = 4096
	// writeTimeout bounds one attempt, and lastWrites all that is left when the operator ends.
	writeTimeout = 10 * time.Second
	lastWrites   = 2 * time.Second
	// longestName is how much of an object's name is in that of its events: with what the API server appends it
	// stays well below 253.
	longestName = 200
)

// patience is how long an API server that is away is waited for: some 15 s.
func patience() wait.Backoff {
	return wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.25, Steps: 5}
}

// Recorder is an events.EventRecorder that never blocks. New makes it; nothing is written before Run.
type Recorder struct {
	scheme   *runtime.Scheme
	name     string
	instance string
	write    func(context.Context, *eventsv1.Event) error
	clock    clock.PassiveClock
	log      logr.Logger

	queue chan *eventsv1.Event
	lost  atomic.Int64 // that the queue had no room for, and of which nothing was said yet

	mu         sync.Mutex
	allowances *lru.Cache // by about: a flowcontrol.PassiveRateLimiter
}

var _ events.EventRecorder = (*Recorder)(nil)

// about tells whose allowance an event takes from.
type about struct {
	kind, namespace, name string
	uid                   types.UID
}

// New makes a recorder for the reporting controller of that name. The scheme has the kinds of the objects that
// events are about. write creates an event, and several goroutines may call it at a time.
func New(scheme *runtime.Scheme, name string, write func(context.Context, *eventsv1.Event) error, clk clock.PassiveClock, log logr.Logger) *Recorder {
	host, _ := os.Hostname() // as in client-go: an event that doesn't say from which replica is better than none
	return &Recorder{
		scheme: scheme, name: name, instance: name + "-" + host, write: write, clock: clk, log: log,
		queue: make(chan *eventsv1.Event, queueSize), allowances: lru.New(objects),
	}
}

// Eventf queues an event. One that there is no room for, or about an object that has used up its allowance, is
// dropped: the conditions tell the same, and stay.
func (r *Recorder) Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...any) {
	ref, err := reference.GetReference(r.scheme, regarding)
	if err != nil {
		r.log.Error(err, "An event is about nothing that can be named", "reason", reason)
		return
	}
	if !r.allow(about{ref.Kind, ref.Namespace, ref.Name, ref.UID}) {
		return
	}
	event := &eventsv1.Event{
		// An event about an object without a namespace is in default, as everybody's are.
		ObjectMeta:          metav1.ObjectMeta{GenerateName: prefix(ref.Name), Namespace: cmp.Or(ref.Namespace, metav1.NamespaceDefault)},
		EventTime:           metav1.MicroTime{Time: r.clock.Now()},
		ReportingController: r.name,
		ReportingInstance:   r.instance,
		Action:              action,
		Reason:              reason,
		Regarding:           *ref,
		Note:                fmt.Sprintf(note, args...),
		Type:                kind,
	}
	if related != nil {
		event.Related, err = reference.GetReference(r.scheme, related)
		if err != nil {
			r.log.Error(err, "An event is related to nothing that can be named", "reason", reason)
		}
	}
	select {
	case r.queue <- event:
	default:
		r.lost.Add(1)
	}
}

// allow takes one event from what an object may have.
func (r *Recorder) allow(whose about) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.allowances.Get(whose); ok {
		return known.(flowcontrol.PassiveRateLimiter).TryAccept()
	}
	fresh := flowcontrol.NewTokenBucketPassiveRateLimiterWithClock(float32(1/refill.Seconds()), burst, r.clock)
	r.allowances.Add(whose, fresh)
	return fresh.TryAccept()
}

// prefix is what the API server appends letters to. A name that is cut could end as none may.
func prefix(name string) string {
	return strings.TrimRight(name[:min(len(name), longestName)], "-.") + "-"
}

// Run writes events until the context ends, and returns when those that wait then are written, or after 2 s.
func (r *Recorder) Run(ctx context.Context) {
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var all sync.WaitGroup
	for range writers {
		all.Go(func() { r.writeAll(writing, ctx.Done()) })
	}
	<-ctx.Done()
	defer time.AfterFunc(lastWrites, stop).Stop()
	all.Wait()
}

// writeAll writes what comes, and after the end what is there.
func (r *Recorder) writeAll(ctx context.Context, end <-chan struct{}) {
	for {
		select {
		case event := <-r.queue:
			r.deliver(ctx, event)
		case <-end:
			for {
				select {
				case event := <-r.queue:
					r.deliver(ctx, event)
				default:
					return
				}
			}
		}
	}
}

// deliver writes one event, unless the API server refuses it, or is away for longer than is waited.
func (r *Recorder) deliver(ctx context.Context, event *eventsv1.Event) {
	if lost := r.lost.Swap(0); lost > 0 {
		r.log.Info("Events were dropped, since the API server took fewer than came. Conditions tell the same", "events", lost)
	}
	var err error
	waited := wait.ExponentialBackoffWithContext(ctx, patience(), func(ctx context.Context) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		err = r.write(ctx, event)
		return err == nil || refused(err), nil
	})
	if err == nil {
		err = waited
	}
	// A namespace that ends takes no new objects.
	if err != nil && !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		r.log.Info("An event wasn't written", "namespace", event.Namespace, "name", event.Regarding.Name, "reason", event.Reason, "error", err.Error())
	}
}

// refused says that the same write would be refused again.
func refused(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) ||
		apierrors.IsRequestEntityTooLargeError(err)
}
