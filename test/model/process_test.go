// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"tokenrequest.dev/operator/internal/controller"
	"tokenrequest.dev/operator/internal/credential"
	"tokenrequest.dev/operator/internal/flight"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
	"tokenrequest.dev/operator/internal/throttle"
	"tokenrequest.dev/operator/internal/throttle/configmap"
)

// process is one life of the operator: all that it has in memory goes with it.
type process struct {
	world      *world
	reconciler *controller.Reconciler
	store      *configmap.Store[*oautherr.Error]
	known      map[string]sts.Metadata
	stop       context.CancelFunc
	ended      chan struct{}

	// dead: no request reaches the API server any more. Guarded by the world's lock.
	dead bool
}

// flightLimits are so wide that no call is queued: what the operator asks, it asks now.
func flightLimits() flight.Limits {
	return flight.Limits{Total: 64, PerDomain: 64, PerService: 64, Keep: 5 * time.Minute, Unread: 4096, Results: 4096}
}

// start makes a process as internal/manager does, and has it load the gates.
func (w *world) start() {
	p := &process{world: w, known: map[string]sts.Metadata{}, ended: make(chan struct{})}
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.WithoutCancel(w.t.Context()))
	gates := throttle.New[*oautherr.Error](throttle.Limits{}, w.time.wall)
	through := p.client()
	p.store = configmap.New(through, w.configMap, gates, w.time.wall, func(configmap.Problem) {})
	p.reconciler = &controller.Reconciler{
		Client:      p.cached(through),
		Live:        through,
		Credentials: credential.Resolver{Reader: through, Now: w.time.wall.Now},
		STS:         p,
		Flights: flight.New[string, types.NamespacedName, controller.Answer](flightLimits(), w.time.wall, func(name types.NamespacedName, _ time.Time) {
			w.woken <- name
		}),
		Shelf:   flight.NewShelf[string, *sts.Token](1024),
		Minter:  credential.NewMinter(through, w.time.wall.Now),
		Gates:   gates,
		Store:   p.store,
		Looks:   &controller.Looks{},
		Results: &controller.Results{},
		Repairs: controller.NewRepairs(),
		Events:  recorder{w},
		Clock:   w.time.wall,
	}
	go func() {
		defer close(p.ended)
		_ = p.reconciler.Flights.Run(ctx)
	}()
	w.process = p
	if err := p.store.Load(ctx); err != nil {
		w.t.Fatalf("loading the gates: %v", err)
	}
}

// kill ends the process between two instructions: whatever is under way is lost.
func (p *process) kill() {
	p.world.mu.Lock()
	p.dead = true
	p.world.mu.Unlock()
	p.stop()
	<-p.ended
}

// end stops the process as a SIGTERM does.
func (p *process) end() error {
	err := p.store.Sync(context.WithoutCancel(p.world.t.Context()))
	p.kill()
	return err
}

// recorder counts events, by request and reason.
type recorder struct{ world *world }

var _ events.EventRecorder = recorder{}

// Eventf counts.
func (r recorder) Eventf(regarding, _ runtime.Object, kind, reason, _, _ string, _ ...any) {
	o, ok := regarding.(interface{ GetName() string })
	if !ok {
		return
	}
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	r.world.events[o.GetName()+" "+kind+"/"+reason]++
}
