// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package manager is the composition root: it makes every part of the operator and connects them.
package manager

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	crmanager "sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/events"
)

// Main runs the operator in the cluster that --kubeconfig, KUBECONFIG or the pod that it runs in
// leads to, until SIGTERM or an interrupt. A second signal ends the process at once.
func Main(c Config) error {
	if os.Getenv("GOGC") == "" {
		keepRoom()
	}
	cluster, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster (--kubeconfig, KUBECONFIG, or a pod's own): %w", err)
	}
	return Run(ctrl.SetupSignalHandler(), cluster, c)
}

// Run runs the operator until the context ends, and returns once everything has stopped and the
// gates are stored.
func Run(ctx context.Context, cluster *rest.Config, c Config) error {
	return RunAt(ctx, cluster, c, clock.RealClock{})
}

// RunAt is Run by a clock that may be another than the machine's. Queues and timers are the machine's all
// the same: to them the time that such a clock skips is time in which they stood still.
func RunAt(ctx context.Context, cluster *rest.Config, c Config, clk clock.PassiveClock) error {
	if err := c.validate(); err != nil {
		return err
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&c.logging)))
	cluster = rest.CopyConfig(cluster)
	// The API server's priority and fairness knows better than a limit here what it can take; a
	// client-side limit made waits of 5 s the normal case elsewhere (vault-secrets-operator#1000).
	cluster.QPS = -1
	requests := &cachedRequests{}
	mgr, err := newManager(cluster, c, requests)
	if err != nil {
		return err
	}
	// It sees what another leader wrote a moment ago, and creates what no cache can hold: events, reviews and
	// token requests of service accounts.
	uncached, err := client.New(mgr.GetConfig(), client.Options{Scheme: mgr.GetScheme(), HTTPClient: mgr.GetHTTPClient(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return fmt.Errorf("making a client without a cache: %w", err)
	}
	recorder := events.New(mgr.GetScheme(), stsv1alpha1.FieldManager, func(ctx context.Context, e *eventsv1.Event) error {
		return uncached.Create(ctx, e)
	}, clk, mgr.GetLogger())
	if err := errors.Join(assemble(ctx, mgr, uncached, recorder, requests, c, clk), fillCaches(ctx, mgr.GetCache(), c), addProbes(mgr)); err != nil {
		return err
	}
	defer record(ctx, recorder)()
	return mgr.Start(ctx)
}

// record writes events, and until it is told to end: the parts tell of what they do as long as they run, and
// the manager ends its own runnables before the controllers.
func record(ctx context.Context, recorder *events.Recorder) (end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var recording sync.WaitGroup
	recording.Go(func() { recorder.Run(ctx) })
	return func() {
		cancel()
		recording.Wait()
	}
}

func newManager(cluster *rest.Config, c Config, requests *cachedRequests) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), eventsv1.AddToScheme(scheme), authenticationv1.AddToScheme(scheme), stsv1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("filling the scheme: %w", err)
	}
	lock, err := leaderLock(cluster, c)
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(cluster, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         cacheOptions(c, requests),
		Client:                        client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: new(true)}},
		LeaderElection:                c.LeaderElect,
		LeaderElectionReleaseOnCancel: true,

		LeaderElectionResourceLockInterface: lock,
		LeaseDuration:                       &c.Lease.Duration,
		RenewDeadline:                       &c.Lease.RenewDeadline,
		RetryPeriod:                         &c.Lease.RetryPeriod,

		HealthProbeBindAddress:  c.HealthProbeBindAddress,
		PprofBindAddress:        c.PprofBindAddress,
		Metrics:                 metricsOptions(c),
		GracefulShutdownTimeout: new(shutdownTimeout),
	})
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	return mgr, nil
}

// shutdownTimeout is how long the parts have to stop; it lies within a pod's default grace of 30 s.
const shutdownTimeout = 20 * time.Second

// cacheOptions keep other people's Secrets out of memory, and the tokens in our own.
func cacheOptions(c Config, requests *cachedRequests) cache.Options {
	ours := labels.SelectorFromSet(labels.Set{stsv1alpha1.LabelManaged: stsv1alpha1.LabelManagedValue})
	options := cache.Options{
		ByObject:         map[client.Object]cache.ByObject{&corev1.Secret{}: {Label: ours}},
		DefaultTransform: newCompactor().Transform,
		NewInformer:      requests.newInformer,
	}
	if len(c.WatchNamespaces) > 0 {
		options.DefaultNamespaces = map[string]cache.Config{}
		for _, namespace := range c.WatchNamespaces {
			options.DefaultNamespaces[namespace] = cache.Config{}
		}
	}
	return options
}

// fillCaches has a replica fill, before it leads, the caches that the controllers' watches would make once
// it does; those of what is indexed are made already. So a new leader has nothing to list first, and one that
// may not read what it needs never becomes ready, nor leads.
func fillCaches(ctx context.Context, informers cache.Informers, c Config) error {
	objects := []client.Object{&corev1.Secret{}}
	if c.issuerNamespace() != "" { // else no Namespace is read
		namespaces := &metav1.PartialObjectMetadata{}
		namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
		objects = append(objects, namespaces)
	}
	for _, object := range objects {
		if _, err := informers.GetInformer(ctx, object, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("making the cache of %T: %w", object, err)
		}
	}
	return nil
}

func metricsOptions(c Config) metricsserver.Options {
	return metricsserver.Options{
		BindAddress:    c.MetricsBindAddress,
		SecureServing:  true,
		FilterProvider: metricsReaders,
		// HTTP/2 stays off here as in the kubebuilder scaffold: CVE-2023-44487, CVE-2023-39325.
		TLSOpts: []func(*tls.Config){func(t *tls.Config) { t.NextProtos = []string{"http/1.1"} }},
	}
}

// addProbes serves liveness, and readiness once the caches have synced. A replica that waits for the
// lease is ready: it could lead at once.
func addProbes(mgr ctrl.Manager) error {
	var synced atomic.Bool
	ready := func(*http.Request) error {
		if !synced.Load() {
			return errors.New("the caches have not synced yet")
		}
		return nil
	}
	// A runnable that needs no lease is started after the caches have synced.
	err := errors.Join(
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("caches", ready),
		mgr.Add(leaseless{func(ctx context.Context) error {
			synced.Store(mgr.GetCache().WaitForCacheSync(ctx))
			return nil
		}}),
	)
	if err != nil {
		return fmt.Errorf("adding the probes: %w", err)
	}
	return nil
}

// leaseless is a runnable that every replica runs, whether it leads or not.
type leaseless struct {
	crmanager.RunnableFunc
}

// NeedLeaderElection is false: see leaseless.
func (leaseless) NeedLeaderElection() bool { return false }
