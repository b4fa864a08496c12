// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Rounds of a watch are spaced by restartDelay, twice as much after each, up to restartCap; every
// restartReset it begins anew. A round can fail at once and for long, when a right is missing for one,
// and each asks for every request that isn't settled to be looked at.
const (
	restartDelay  = time.Second
	restartFactor = 2.0
	restartJitter = 0.2
	restartCap    = time.Minute
	restartReset  = 10 * time.Minute
)

// Watch is a source of reconcile requests: it sees every change of a Secret, ConfigMap or
// ServiceAccount, whose consent is an annotation, as metadata, and keeps nothing of it. An informer would hold the metadata of every Secret in the
// cluster (cert-manager#4722, vault-secrets-operator#969), though only the event matters: whoever
// needs the content reads it when a token is due.
type Watch struct {
	// Client lists and watches metadata.
	Client metadata.Interface
	// Namespaces to watch; empty means all.
	Namespaces []string
	// Secrets selects those that are seen, by their labels; empty means all. Who has an informer of some
	// hears of them by that, and each change of one would be sent twice.
	Secrets string
	// Affected names the requests that refer to an object; it is asked for every event and reads
	// from memory only.
	Affected func(ctx context.Context, ref Reference, namespace string) []types.NamespacedName
	// Unsettled names the requests to look at when events may have been missed.
	Unsettled func(ctx context.Context) []types.NamespacedName
}

// queue is what a controller hands to its sources.
type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

var watched = map[string]schema.GroupVersionResource{
	"Secret":         corev1.SchemeGroupVersion.WithResource("secrets"),
	"ConfigMap":      corev1.SchemeGroupVersion.WithResource("configmaps"),
	"ServiceAccount": corev1.SchemeGroupVersion.WithResource("serviceaccounts"),
}

// Start begins to watch and returns at once, as a controller asks of its sources.
func (w *Watch) Start(ctx context.Context, q queue) error {
	namespaces := w.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	for kind := range watched {
		for _, namespace := range namespaces {
			go w.run(ctx, kind, namespace, q)
		}
	}
	return nil
}

// run watches one kind in one namespace until the context ends. Each round begins at the present:
// what happened before it is made up for by looking at every request that isn't settled.
func (w *Watch) run(ctx context.Context, kind, namespace string, q queue) {
	logger := log.FromContext(ctx).WithValues("kind", kind, "namespace", namespace)
	delay := wait.Backoff{
		Duration: restartDelay, Factor: restartFactor, Jitter: restartJitter, Cap: restartCap, Steps: math.MaxInt32,
	}.DelayWithReset(clock.RealClock{}, restartReset)
	for {
		err := w.follow(ctx, kind, namespace, q)
		switch {
		case ctx.Err() != nil:
			return
		case isForgotten(err):
			logger.V(1).Info("Watching credentials from the present on", "cause", err.Error())
		default:
			logger.Error(err, "Watching credentials; until that succeeds, who waits for one goes on late")
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(delay()):
		}
	}
}

// errEnded is the end of a round without a word from the API server.
var errEnded = errors.New("the watch ended")

// follow is one round: it returns when the API server has forgotten the version that the watch
// would go on from, or can't be asked to begin with.
func (w *Watch) follow(ctx context.Context, kind, namespace string, q queue) error {
	objects := w.Client.Resource(watched[kind]).Namespace(namespace)
	selector := ""
	if kind == "Secret" {
		selector = w.Secrets
	}
	// One object is enough to learn the present version; the list itself isn't wanted.
	list, err := objects.List(ctx, metav1.ListOptions{Limit: 1, LabelSelector: selector})
	if err != nil {
		return fmt.Errorf("listing: %w", err)
	}
	watcher, err := watchtools.NewRetryWatcherWithContext(ctx, list.ResourceVersion, watchFunc(
		func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.LabelSelector = selector
			return objects.Watch(ctx, options)
		}))
	if err != nil {
		return fmt.Errorf("watching: %w", err)
	}
	defer watcher.Stop()
	enqueue(q, w.Unsettled(ctx))
	for event := range watcher.ResultChan() {
		switch event.Type {
		case watch.Added, watch.Modified, watch.Deleted:
			w.deliver(ctx, kind, event, q)
		case watch.Error:
			return fmt.Errorf("watching: %w", apierrors.FromObject(event.Object))
		case watch.Bookmark:
		}
	}
	return errEnded
}

func (w *Watch) deliver(ctx context.Context, kind string, event watch.Event, q queue) {
	object, ok := event.Object.(metav1.Object)
	if !ok {
		logr.FromContextOrDiscard(ctx).V(1).Info("Ignoring event without metadata", "kind", kind)
		return
	}
	enqueue(q, w.Affected(ctx, Reference{Kind: kind, Name: object.GetName()}, object.GetNamespace()))
}

func enqueue(q queue, names []types.NamespacedName) {
	for _, name := range names {
		q.Add(reconcile.Request{NamespacedName: name})
	}
}

// watchFunc is a watch of the metadata client as the retrying watcher wants it.
type watchFunc func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error)

// WatchWithContext begins to watch. The retrying watcher gives up on a version that is told to be
// forgotten in an event, and asks for it for ever when the same is told by a status code.
func (f watchFunc) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	watcher, err := f(ctx, options)
	var told apierrors.APIStatus
	if !isForgotten(err) || !errors.As(err, &told) {
		return watcher, err
	}
	status := told.Status()
	events := make(chan watch.Event, 1)
	events <- watch.Event{Type: watch.Error, Object: &status}
	return watch.NewProxyWatcher(events), nil
}

func isForgotten(err error) bool { return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) }
