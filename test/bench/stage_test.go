// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/bench/report"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

const (
	// latency is what the STS takes for each answer.
	latency = 50 * time.Millisecond
	// writers is how many objects the bench writes at a time, and how many workers the floor has.
	writers = 32
	// perNamespace is how many requests are in a namespace. A namespace has a client of its own at the STS.
	perNamespace = 1000
)

// stage is where a scenario plays.
type stage struct {
	scenario string
	cluster  *operator.Cluster
	sim      *stssim.Server
	floors   int
	series   []report.Series
}

func newStage(ctx SpecContext, of scenario) *stage {
	GinkgoHelper()
	s := &stage{scenario: of.name}
	s.cluster = operator.StartCluster(ctx, append(of.options, operator.Binary(binary), quickly)...)
	var err error
	s.sim, err = stssim.Start(stssim.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(s.sim.Close)
	s.answer(stssim.Action{})
	return s
}

// answer has the STS answer in this way from now on, always after its latency.
func (s *stage) answer(way stssim.Action) {
	GinkgoHelper()
	way.Latency = stssim.Duration(latency)
	s.sim.ClearRules()
	Expect(s.sim.AddRules(stssim.Rule{Name: "every call", Action: way})).To(Succeed())
}

// quickly has the API server delete what a floor leaves behind in seconds.
func quickly(_ *operator.Cluster, environment *envtest.Environment) {
	environment.ControlPlane.GetAPIServer().Configure().Set("delete-collection-workers", fmt.Sprint(writers))
}

// start launches the operator, and returns when it leads.
func (s *stage) start(ctx SpecContext) *process {
	GinkgoHelper()
	p := s.launch(ctx)
	// Until then nothing is queued, and so nothing left to do.
	Eventually(func() (float64, error) { return p.Sample(ctx, "leader_election_master_status", nil) }).WithContext(ctx).Should(BeEquivalentTo(1))
	return p
}

// launch runs the operator with its default flags, and returns when its caches have synced.
func (s *stage) launch(ctx SpecContext) *process {
	GinkgoHelper()
	flags := []string{"--zap-log-level", "info"} // the default; other suites ask for more
	p := &process{}
	if profiled() {
		p.pprof = operator.FreePort()
		flags = append(flags, "--pprof-bind-address", p.pprof)
	}
	p.started = time.Now()
	p.Run = s.cluster.RunSilently(flags...)
	Eventually(func() error { return p.Probe(ctx, "/readyz") }).WithPolling(20 * time.Millisecond).Should(Succeed())
	p.synced = time.Now()
	return p
}

// register gives the clients of requests another secret beside their own, and tokens of another lifetime; zero is the
// simulator's own.
func (s *stage) register(list []*stsv1alpha1.TokenRequest, lifetime time.Duration, more ...stssim.Secret) {
	GinkgoHelper()
	for namespace := range namespaces(list) {
		Expect(s.sim.PutClient(stssim.Client{
			Tenant: namespace, ID: namespace, Lifetime: stssim.Duration(lifetime),
			Secrets: append([]stssim.Secret{{Value: string(operator.Tenant{Namespace: namespace}.Credential().Data[operator.CredentialKey])}}, more...),
		})).To(Succeed())
	}
}

// namespaces are those of the requests.
func namespaces(list []*stsv1alpha1.TokenRequest) map[string]bool {
	set := map[string]bool{}
	for _, r := range list {
		set[r.Namespace] = true
	}
	return set
}

// peak is the most calls that arrived within a second.
func peak(calls []stssim.Call) (most int) {
	first := 0
	for i, call := range calls {
		for calls[first].At.Before(call.At.Add(-time.Second)) {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// requests makes the namespaces for n TokenRequests, and returns them, not yet created. Each asks for a
// token of its own.
func (s *stage) requests(ctx SpecContext, prefix string, n int) []*stsv1alpha1.TokenRequest {
	GinkgoHelper()
	var list []*stsv1alpha1.TokenRequest
	for len(list) < n {
		tenant := operator.Tenant{Namespace: fmt.Sprintf("%s-%d", prefix, len(list)/perNamespace), STS: s.sim}
		s.cluster.Admit(ctx, tenant)
		for range min(perNamespace, n-len(list)) {
			list = append(list, tenant.Request(fmt.Sprintf("r%05d", len(list))))
		}
	}
	return list
}

// calls is how often tokens were asked for since the call of that number.
func (s *stage) calls(after int) []stssim.Call {
	return s.sim.Calls(stssim.Filter{Kind: stssim.KindToken, After: after})
}

// lastCall is the number of the last call to the simulator.
func (s *stage) lastCall() int {
	calls := s.sim.Calls(stssim.Filter{})
	if len(calls) == 0 {
		return 0
	}
	return calls[len(calls)-1].Number
}

// parallel does something for each of a list, by as many workers as there are writers.
func parallel[T any](list []T, do func(T) error) {
	GinkgoHelper()
	queue := make(chan T)
	failures := make(chan error, writers)
	var workers sync.WaitGroup
	for range writers {
		workers.Go(func() {
			for item := range queue {
				if err := do(item); err != nil {
					select {
					case failures <- err:
					default:
					}
				}
			}
		})
	}
	for _, item := range list {
		queue <- item
	}
	close(queue)
	workers.Wait()
	close(failures)
	Expect(<-failures).NotTo(HaveOccurred())
}

// create creates requests as fast as the API server takes them, and returns how long that took.
func (s *stage) create(ctx SpecContext, w *watcher, list []*stsv1alpha1.TokenRequest) time.Duration {
	GinkgoHelper()
	start := time.Now()
	parallel(list, func(r *stsv1alpha1.TokenRequest) error {
		w.expect(r)
		return s.cluster.API.Create(ctx, r)
	})
	return time.Since(start)
}

// populate creates requests, and returns when the operator has made all of them ready.
func (s *stage) populate(ctx SpecContext, list []*stsv1alpha1.TokenRequest) *watcher {
	GinkgoHelper()
	w := s.watch(ctx)
	start := time.Now()
	s.create(ctx, w, list)
	w.awaitReady(ctx)
	tell("  %d are ready after %.1f s", len(list), time.Since(start).Seconds())
	return w
}

// settled populates, and waits until nothing is left to do.
func (s *stage) settled(ctx SpecContext, p *process, list []*stsv1alpha1.TokenRequest) {
	GinkgoHelper()
	s.populate(ctx, list)
	s.settle(ctx, p)
}

// settle returns when the operator has nothing left to do, and what it did has been written.
func (s *stage) settle(ctx SpecContext, p *process) {
	GinkgoHelper()
	p.SettledAfter(ctx, 0)
	pause(ctx, 2*time.Second) // events are sent by the way
}

// pause lets time pass in which the operator is looked at.
func pause(ctx context.Context, length time.Duration) {
	select {
	case <-time.After(length):
	case <-ctx.Done():
	}
}
