// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package ha_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

// replicas are the leader and one that waits for its lease, and what they have to look after.
type replicas struct {
	leader, standby *operator.Run
	tenant          operator.Tenant
	requests        []*stsv1alpha1.TokenRequest
	throttled       *stsv1alpha1.TokenRequest
	until           time.Time // when throttled may be asked for again
}

const (
	crowd = 40
	// throttle outlasts a lease, so that the successor finds it shut.
	throttle = 40 * time.Second
)

// start has a leader, behind the wire if there is one, serve a crowd, and then one request more that is
// told to wait. The tokens live for the given time.
func start(ctx SpecContext, namespace string, lifetime time.Duration, wire *operator.Wire) *replicas {
	GinkgoHelper()
	r := &replicas{tenant: operator.Tenant{Namespace: namespace, STS: sim}}
	cluster.Admit(ctx, r.tenant)
	register(namespace, namespace, string(r.tenant.Credential().Data[operator.CredentialKey]), lifetime)
	if wire == nil {
		r.leader = cluster.Run()
	} else {
		r.leader = cluster.RunBehind(wire)
	}
	r.awaitLead(ctx, r.leader)
	r.standby = cluster.Run()
	Eventually(func() error { return r.standby.Probe(ctx, "/readyz") }).Should(Succeed())

	for i := range crowd {
		request := r.tenant.Request(fmt.Sprintf("r%02d", i))
		request.Spec.RefreshBefore = &metav1.Duration{Duration: lifetime / 2}
		Expect(cluster.API.Create(ctx, request)).To(Succeed())
		r.requests = append(r.requests, request)
	}
	for _, request := range r.requests {
		cluster.Await(ctx, request, "Ready", "TokenValid")
	}
	r.throttle(ctx)
	return r
}

// throttle has a client of its own be told to wait.
func (r *replicas) throttle(ctx SpecContext) {
	GinkgoHelper()
	id := r.tenant.Namespace + "-throttled"
	register(r.tenant.Namespace, id, string(r.tenant.Credential().Data[operator.CredentialKey]), time.Hour)
	Expect(sim.SetThrottle(stssim.Throttle{ClientID: id, For: stssim.Duration(throttle)})).To(Succeed())
	r.throttled = r.tenant.Request("throttled")
	r.throttled.Spec.Issuer.ClientID = id
	Expect(cluster.API.Create(ctx, r.throttled)).To(Succeed())
	r.until = cluster.Await(ctx, r.throttled, "Throttled", "Throttled").Status.NextAttemptAt.Time
}

func register(tenant, client, secret string, lifetime time.Duration) {
	GinkgoHelper()
	Expect(sim.PutClient(stssim.Client{
		Tenant: tenant, ID: client, Secrets: []stssim.Secret{{Value: secret}}, Lifetime: stssim.Duration(lifetime),
	})).To(Succeed())
}

func (r *replicas) awaitLead(ctx SpecContext, run *operator.Run) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		leads, err := run.Sample(ctx, "leader_election_master_status", nil)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(leads).To(Equal(1.0))
	}).Should(Succeed())
}

func lease(ctx SpecContext) *coordinationv1.Lease {
	GinkgoHelper()
	lease := &coordinationv1.Lease{}
	Expect(cluster.API.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: "tokenrequest-operator"}, lease)).To(Succeed())
	return lease
}

// holder is who has the lease; empty when it was let go.
func holder(ctx SpecContext) string {
	GinkgoHelper()
	return ptr.Deref(lease(ctx).Spec.HolderIdentity, "")
}

// calls are those for the tokens of the crowd, by scope, within a time.
func (r *replicas) calls(from, to time.Time) map[string]int {
	calls := map[string]int{}
	for _, call := range sim.Calls(stssim.Filter{ClientID: r.tenant.Namespace, Kind: stssim.KindToken}) {
		if call.At.After(from) && call.At.Before(to) {
			calls[call.Scope]++
		}
	}
	return calls
}

// expectPatience is that nobody asked for the throttled client before its time, and that it has a token now.
func (r *replicas) expectPatience(ctx SpecContext) {
	GinkgoHelper()
	cluster.Await(ctx, r.throttled, "Ready", "TokenValid")
	Expect(time.Now()).To(BeTemporally(">=", r.until))
	Expect(sim.ThrottleViolations()).To(BeEmpty())
}
