// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package storm_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

const crowd = 1000

// gather makes the crowd in a tenant's namespace: requests of one client, one scope and one token
// endpoint that needs no discovery, each of them changed.
func gather(ctx SpecContext, t operator.Tenant, change func(i int, r *stsv1alpha1.TokenRequest)) {
	GinkgoHelper()
	for i := range crowd {
		r := t.Request(fmt.Sprintf("r%04d", i))
		r.Spec.Issuer.Authority = ""
		r.Spec.Issuer.TokenEndpoint = stsv1alpha1.HTTPSURL(sim.EntraAuthority(t.Namespace) + "/oauth2/v2.0/token")
		r.Spec.Issuer.Credential.ClientSecret.Method = stsv1alpha1.ClientSecretPost
		r.Spec.Scopes = []stsv1alpha1.Scope{"https://orders.example/.default"}
		change(i, r)
		Expect(cluster.API.Create(ctx, r)).To(Succeed())
	}
}

// awaitAll waits until a condition of the whole crowd has the reason, and returns the crowd.
func awaitAll(ctx SpecContext, t operator.Tenant, condition, reason string) []stsv1alpha1.TokenRequest {
	GinkgoHelper()
	list := &stsv1alpha1.TokenRequestList{}
	Eventually(func(g Gomega) {
		g.Expect(cluster.API.List(ctx, list, client.InNamespace(t.Namespace))).To(Succeed())
		there := 0
		for i := range list.Items {
			if c := meta.FindStatusCondition(list.Items[i].Status.Conditions, condition); c != nil && c.Reason == reason {
				there++
			}
		}
		g.Expect(there).To(Equal(crowd), "requests whose %s has the reason %s", condition, reason)
	}).WithContext(ctx).Should(Succeed())
	return list.Items
}

func callsOf(t operator.Tenant) []stssim.Call {
	return sim.Calls(stssim.Filter{Kind: stssim.KindToken, ClientID: t.Namespace})
}

// bySecond counts calls by the second since a start in which they arrived.
func bySecond(calls []stssim.Call, start time.Time) map[int]int {
	counts := map[int]int{}
	for _, call := range calls {
		counts[int(call.At.Sub(start)/time.Second)]++
	}
	return counts
}
