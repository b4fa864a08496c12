// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Restarts of a watch that couldn't be established are spaced by this.
const (
	restartDelay  = time.Second
	restartFactor = 2.0
	restartJitter = 0.2
	restartCap    = time.Minute
)

// Watch is a source of reconcile requests: it sees every change of a Secret or ConfigMap, as
// metadata, and keeps nothing of it. An informer would hold the metadata of every Secret in the
// cluster (cert-manager#4722, vault-secrets-operator#969), though only the event matters: whoever
// needs the content reads it when a token is due.
type Watch struct {
	// Client lists and watches metadata.
	Client metadata.Interface
	// Namespaces to watch; empty means all.
	Namespaces []string
	// Affected names the requests that refer to an object; it is asked for every event and reads
	// from memory only.
	Affected func(ctx context.Context, ref Reference, namespace string) []types.NamespacedName
	// Unsettled names the requests to look at when events may have been missed.
	Unsettled func(ctx context.Context) []types.NamespacedName
}

// queue is what a controller hands to its sources.
type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

var watched = map[string]schema.GroupVersionResource{
	"Secret":    corev1.SchemeGroupVersion.WithResource("secrets"),
	"ConfigMap": corev1.SchemeGroupVersion.WithResource("configmaps"),
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
	logger := log.FromContext(ctx).WithValues("kind", kind)
	backoff := wait.Backoff{Duration: restartDelay, Factor: restartFactor, Jitter: restartJitter, Cap: restartCap, Steps: 1 << 30}
	for ctx.Err() == nil {
		began, err := w.follow(ctx, kind, namespace, q)
		if ctx.Err() != nil {
			return
		}
		if began {
			backoff.Duration = restartDelay
		}
		logger.V(1).Info("Restarting watch of credentials", "reason", reason(err))
		select {
		case <-ctx.Done():
		case <-time.After(backoff.Step()):
		}
	}
}

func reason(err error) string {
	if err == nil {
		return "the API server ended it"
	}
	return err.Error()
}

// follow is one round: it returns when the API server has forgotten the version that the watch
// would go on from, or can't be reached to begin with.
func (w *Watch) follow(ctx context.Context, kind, namespace string, q queue) (began bool, err error) {
	objects := w.Client.Resource(watched[kind]).Namespace(namespace)
	// One object is enough to learn the present version; the list itself isn't wanted.
	list, err := objects.List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return false, fmt.Errorf("listing: %w", err)
	}
	watcher, err := watchtools.NewRetryWatcherWithContext(ctx, list.ResourceVersion, watchFunc(objects.Watch))
	if err != nil {
		return false, fmt.Errorf("watching: %w", err)
	}
	defer watcher.Stop()
	enqueue(q, w.Unsettled(ctx))
	for event := range watcher.ResultChan() {
		switch event.Type {
		case watch.Added, watch.Modified, watch.Deleted:
			w.deliver(ctx, kind, event, q)
		case watch.Error:
			return true, fmt.Errorf("watching: %v", event.Object)
		case watch.Bookmark:
		}
	}
	return true, nil
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

func (f watchFunc) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	return f(ctx, options)
}
