// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/metadata"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	crmanager "sigs.k8s.io/controller-runtime/pkg/manager"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"tokenrequest.dev/operator/internal/controller"
	"tokenrequest.dev/operator/internal/credential"
	"tokenrequest.dev/operator/internal/events"
	"tokenrequest.dev/operator/internal/flight"
	"tokenrequest.dev/operator/internal/metrics"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
	"tokenrequest.dev/operator/internal/throttle"
	"tokenrequest.dev/operator/internal/throttle/configmap"
)

// ThrottleConfigMap is the name of the ConfigMap, in the operator's namespace, that keeps the gates.
const ThrottleConfigMap = "tokenrequest-throttle"

// flightLimits bound the calls to STSs. A dead one can take a quarter of its tenants' places, and a tenant
// a quarter of all. One that is well answers 16 calls at a time some hundred times a second, which may be more than
// the API server takes: answers to twice as many calls as there are workers by default may wait for one. A token
// that can't be written yet is looked at after 1000 s at the latest, the queue's longest pause, and kept for longer.
func flightLimits() flight.Limits {
	return flight.Limits{Total: 256, PerDomain: 64, PerService: 16, Keep: 20 * time.Minute, Unread: 128, Results: 4096}
}

// shelfSize is how many tokens are kept for others who ask for the same. Those that are larger than
// the controller's limit aren't, so that this is 32 MiB at most.
const shelfSize = 2048

// discoveryLimits bound the searches for metadata on behalf of issuers themselves, which nobody waits
// for.
func discoveryLimits() flight.Limits {
	return flight.Limits{Total: 32, PerDomain: 8, PerService: 2, Keep: 5 * time.Minute, Unread: 128, Results: 4096}
}

// wakeBuffer is how many woken requests may wait for the queue to take them in.
const wakeBuffer = 1024

// flushTimeout bounds the last write of the gates.
const flushTimeout = 5 * time.Second

// assemble makes the parts of the operator and hands them to the manager.
func assemble(
	ctx context.Context, mgr ctrl.Manager, uncached client.Client, recorder *events.Recorder, requests *cachedRequests, c Config, clk clock.PassiveClock,
) error {
	gates := throttle.New[*oautherr.Error](throttle.Limits{}, clk)
	metadataClient, err := metadata.NewForConfig(mgr.GetConfig())
	if err != nil {
		return fmt.Errorf("making the metadata client: %w", err)
	}
	store := newStore(uncached, gates, recorder, c, clk)
	woken := make(chan event.TypedGenericEvent[controller.Waking], wakeBuffer)
	flights := flight.New[string, types.NamespacedName, controller.Answer](flightLimits(), clk, func(name types.NamespacedName, needed time.Time) {
		select {
		case woken <- event.TypedGenericEvent[controller.Waking]{Object: controller.Waking{Request: name, Needed: needed}}:
		case <-ctx.Done():
		}
	})
	observed := prometheus.NewRegistry()
	queues := controller.NewIssuerQueues()
	reconciler := &controller.Reconciler{
		Client:            mgr.GetClient(),
		Live:              mgr.GetAPIReader(),
		Requests:          requests.all,
		Credentials:       credential.Resolver{Reader: credential.JoinReads(mgr.GetAPIReader()), Now: clk.Now, Bundles: &credential.Bundles{}, RequireAllowedHosts: c.RequireAllowedHosts},
		STS:               metrics.Instrument(newSTS(c, clk), observed, clk),
		Flights:           flights,
		Shelf:             flight.NewShelf[string, *sts.Token](shelfSize),
		Minter:            credential.NewMinter(uncached, clk.Now),
		Gates:             gates,
		Store:             store,
		Looks:             &controller.Looks{},
		Results:           &controller.Results{},
		Repairs:           controller.NewRepairs(),
		Events:            recorder,
		Clock:             clk,
		OperatorNamespace: c.issuerNamespace(),
	}
	observed.MustRegister(metrics.Gates(gates.List), metrics.Flights(flights.Stats))
	observed.MustRegister(observers(ctx, reconciler, c.MetricsPerObject)...)
	return errors.Join(
		watchForStalls(mgr, reconciler, woken),
		mgr.Add(crmanager.RunnableFunc(flights.Run)),
		mgr.Add(crmanager.RunnableFunc(func(ctx context.Context) error { return keepStored(ctx, store) })),
		mgr.Add(crmanager.RunnableFunc(func(ctx context.Context) error { return expose(ctx, observed, crmetrics.Registry) })),
		reconciler.SetupWithManager(ctx, mgr, controller.Watching{
			Woken: woken, Metadata: metadataClient, Namespaces: c.WatchNamespaces, Issuers: queues, Workers: c.MaxConcurrentReconciles,
		}),
		assembleIssuers(mgr, reconciler, queues),
	)
}

// observers are the metrics of what the requests' controller counts, and finds in the cache.
func observers(ctx context.Context, r *controller.Reconciler, perObject int) []prometheus.Collector {
	return []prometheus.Collector{
		metrics.Reuses(r.Shelf.Hits),
		metrics.Results(r.Results.Counts),
		metrics.Failing(r.Failing),
		metrics.Issuers(func() metrics.IssuerUse { return metrics.IssuerUse(r.IssuerUse(ctx)) }),
		metrics.Tokens(func(most int) (map[string]metrics.TokenStates, metrics.TokenStates) {
			counts, others := r.TokenStates(most)
			named := make(map[string]metrics.TokenStates, len(counts))
			for namespace, states := range counts {
				named[namespace] = metrics.TokenStates(states)
			}
			return named, metrics.TokenStates(others)
		}),
		metrics.Overdue(func() metrics.OverdueRequests { return metrics.OverdueRequests(r.Overdue()) }),
		metrics.PerRequest(func() ([]metrics.Instants, int) {
			shown, omitted := r.Instants(perObject)
			instants := make([]metrics.Instants, len(shown))
			for i := range shown {
				instants[i] = metrics.Instants(shown[i])
			}
			return instants, omitted
		}),
	}
}

// watchForStalls has a leader that neglects requests tell so, and be unready.
func watchForStalls(mgr ctrl.Manager, r *controller.Reconciler, woken chan<- event.TypedGenericEvent[controller.Waking]) error {
	wake := func(name types.NamespacedName) {
		select {
		case woken <- event.TypedGenericEvent[controller.Waking]{Object: controller.Waking{Request: name}}:
		default: // it is told again at the next look
		}
	}
	return errors.Join(
		mgr.Add(crmanager.RunnableFunc(func(ctx context.Context) error { return r.WatchForStalls(ctx, wake) })),
		mgr.AddReadyzCheck("overdue", func(*http.Request) error {
			if overdue := r.Overdue(); overdue.Requests > 0 {
				return fmt.Errorf("%d TokenRequests are overdue, the worst by %s", overdue.Requests, overdue.Worst)
			}
			return nil
		}),
	)
}

// assembleIssuers makes the controllers of issuers out of what the requests' has.
func assembleIssuers(mgr ctrl.Manager, requests *controller.Reconciler, queues *controller.IssuerQueues) error {
	discoveries := flight.New[string, controller.IssuerKey, controller.Discovery](discoveryLimits(), requests.Clock, func(issuer controller.IssuerKey, _ time.Time) { queues.Wake(issuer) })
	reconciler := &controller.IssuerReconciler{
		Client:            requests.Client,
		Credentials:       requests.Credentials,
		STS:               requests.STS,
		Discoveries:       discoveries,
		Queues:            queues,
		Events:            requests.Events,
		Clock:             requests.Clock,
		OperatorNamespace: requests.OperatorNamespace,
	}
	return errors.Join(mgr.Add(crmanager.RunnableFunc(discoveries.Run)), reconciler.SetupWithManager(mgr))
}

// newStore keeps the gates in their ConfigMap.
func newStore(uncached client.Client, gates *controller.Gates, recorder *events.Recorder, c Config, clk clock.PassiveClock) *configmap.Store[*oautherr.Error] {
	key := types.NamespacedName{Namespace: c.OperatorNamespace, Name: ThrottleConfigMap}
	about := &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
	}
	return configmap.New(uncached, key, gates, clk, func(p configmap.Problem) {
		recorder.Eventf(about, nil, corev1.EventTypeWarning, "Gate"+string(p.Reason), "LoadGates",
			"The data key %s isn't a gate as the operator writes it, and is ignored: that client may be called once too early. Leave this ConfigMap to the operator.", p.Key)
	})
}

// tidyInterval is how long the ConfigMap may show a gate that has opened. One that a token opened before
// its time would have the successor of a killed leader wait for nothing.
const tidyInterval = 10 * time.Second

// keepStored has the ConfigMap show no gate that has opened, and stores the gates once more when the
// operator stops.
func keepStored(ctx context.Context, store *configmap.Store[*oautherr.Error]) error {
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		if err := store.Tidy(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "Tidying the throttle gates")
		}
	}, tidyInterval)
	// A context of its own: the other is what has just ended.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	if err := store.Flush(last); err != nil {
		return fmt.Errorf("storing the throttle gates: %w", err)
	}
	return nil
}

func newSTS(c Config, clk clock.PassiveClock) *sts.Client {
	return sts.New(sts.Options{
		Now:              clk.Now,
		NewCorrelationID: func() string { return string(uuid.NewUUID()) },
		AllowLoopback:    c.AllowLoopbackAuthorities,
		DeniedCIDRs:      c.DeniedCIDRs,
		AllowedHosts:     c.AllowedHosts,
		UserAgent:        userAgent(),
	})
}
