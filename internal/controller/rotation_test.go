// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

// witness sees every version of the requests of one namespace, so that no moment goes unnoticed which
// a look now and then would miss.
type witness struct {
	mu       sync.Mutex
	troubles []string
	handled  map[string]string // of each request, the last refresh that it acknowledged
}

// watchOver sees what happens to the tenant's requests from now on.
func (t tenant) watchOver(ctx SpecContext) *witness {
	GinkgoHelper()
	watcher, err := client.NewWithWatch(cluster, client.Options{Scheme: api.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	list := &stsv1alpha1.TokenRequestList{}
	Expect(api.List(ctx, list, client.InNamespace(t.namespace))).To(Succeed())
	events, err := watcher.Watch(context.WithoutCancel(ctx), &stsv1alpha1.TokenRequestList{}, client.InNamespace(t.namespace),
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(events.Stop)
	w := &witness{handled: map[string]string{}}
	go func() {
		for event := range events.ResultChan() {
			w.see(event)
		}
	}()
	return w
}

func (w *witness) see(event watch.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := event.Object.(*stsv1alpha1.TokenRequest)
	if !ok {
		w.troubles = append(w.troubles, fmt.Sprintf("%s: %v", event.Type, event.Object))
		return
	}
	w.handled[r.Name] = r.Status.LastHandledRefreshAt
	for kind, state := range conditionsOf(r) {
		if ready[kind] != state {
			w.troubles = append(w.troubles, fmt.Sprintf("%s: %s %s: %s", r.Name, kind, state, messageOf(r, kind)))
		}
	}
}

// sawNoTrouble waits until it has seen every request acknowledge the refresh, and holds that each was
// well in all of its versions.
func (w *witness) sawNoTrouble(requests []*stsv1alpha1.TokenRequest, word string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, r := range requests {
			g.Expect(w.handled).To(HaveKeyWithValue(r.Name, word))
		}
	}).Should(Succeed())
	w.mu.Lock()
	defer w.mu.Unlock()
	Expect(w.troubles).To(BeEmpty())
}

// crowd is so many requests, each for another scope, so that none lives off another's token.
const crowd = 20

// healthy are a crowd of requests that are well.
func (t tenant) healthy(ctx SpecContext, change ...func(*stsv1alpha1.TokenRequest)) []*stsv1alpha1.TokenRequest {
	GinkgoHelper()
	var requests []*stsv1alpha1.TokenRequest
	for n := range crowd {
		scoped := func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Scopes = []stsv1alpha1.Scope{stsv1alpha1.Scope(fmt.Sprintf("https://api-%d.example/.default", n))}
		}
		requests = append(requests, t.request(fmt.Sprintf("api-%d", n), append([]func(*stsv1alpha1.TokenRequest){scoped}, change...)...))
		create(ctx, requests[n])
	}
	for _, r := range requests {
		awaitReady(latest(ctx, r))
	}
	return requests
}

// refreshAll has every request of a crowd ask at once, and waits until each has a token.
func refreshAll(ctx SpecContext, requests []*stsv1alpha1.TokenRequest, word string) {
	GinkgoHelper()
	for _, r := range requests {
		askFor(ctx, r, word)
	}
	for _, r := range requests {
		now := latest(ctx, r)
		Eventually(func(g Gomega) { g.Expect(now(g).Status.LastHandledRefreshAt).To(Equal(word)) }).Should(Succeed())
		awaitReady(now)
	}
}

var _ = Describe("A rotation", func() {
	const nextSecret = "stssim-spec-secret-of-next-month"

	// credential is one way to prove who a client is, with an old and a new value.
	type credential struct {
		use func(*stsv1alpha1.TokenRequest)
		// put stores the old value, or the new one.
		put func(ctx SpecContext, t tenant, next bool)
		// known has the STS know them.
		known func(c *stssim.Client, old, next bool)
	}
	choose := func(old, next bool, values ...string) []string {
		return slices.Concat(values[:btoi(old)], values[1:1+btoi(next)])
	}
	clientSecret := func() credential {
		return credential{
			use: func(*stsv1alpha1.TokenRequest) {},
			put: func(ctx SpecContext, t tenant, next bool) {
				if t.putSecret(ctx, goodSecret); next {
					t.putSecret(ctx, nextSecret)
				}
			},
			known: func(c *stssim.Client, old, next bool) {
				for _, value := range choose(old, next, goodSecret, nextSecret) {
					c.Secrets = append(c.Secrets, stssim.Secret{Value: value})
				}
			},
		}
	}
	pairs := func(use func(*stsv1alpha1.TokenRequest)) func() credential {
		return func() credential {
			pairs := []keyPair{newKeyPair(newECKey()), newKeyPair(newECKey())}
			return credential{
				use: use,
				put: func(ctx SpecContext, t tenant, next bool) { t.putKeyPair(ctx, pairs[btoi(next)]) },
				known: func(c *stssim.Client, old, next bool) {
					c.Certificates = choose(old, next, pairs[0].certificate, pairs[1].certificate)
				},
			}
		}
	}
	viaCertificate := func(r *stsv1alpha1.TokenRequest) {
		presentingCertificate(r)
		directory := "tenant-" + r.Namespace[len("spec-"):] + ".example"
		r.Spec.Issuer.TokenEndpoint = stsv1alpha1.HTTPSURL(sim.PlainIssuer(directory) + "/mtls/token")
	}

	DescribeTable("is the next token's affair, and nobody's trouble", func(ctx SpecContext, of func() credential, shared bool) {
		t, rotated := newTenant(ctx), of()
		t.register(func(c *stssim.Client) { rotated.known(c, true, false) })
		rotated.put(ctx, t, false)
		use := rotated.use
		if shared {
			issuer := t.request("", rotated.use).Spec.Issuer
			Expect(api.Create(ctx, &stsv1alpha1.TokenIssuer{ObjectMeta: t.meta("contoso"), Spec: *issuer})).To(Succeed())
			use = refersToContoso
		}
		requests := t.healthy(ctx, use)
		w := t.watchOver(ctx)
		Expect(t.calls()).To(HaveLen(crowd))

		t.register(func(c *stssim.Client) { rotated.known(c, true, true) })
		rotated.put(ctx, t, true)
		Consistently(t.calls, inSync).Should(HaveLen(crowd))

		// From now on only the new one opens the door.
		t.register(func(c *stssim.Client) { rotated.known(c, false, true) })
		refreshAll(ctx, requests, "with the new one")
		w.sawNoTrouble(requests, "with the new one")
		Expect(t.calls()).To(HaveLen(2 * crowd))
		for _, call := range t.calls() {
			Expect(call.Error).To(BeEmpty())
		}
	},
		Entry("of a client secret that requests share", clientSecret, false),
		Entry("of a client secret of a TokenIssuer", clientSecret, true),
		Entry("of a key that signs, which requests share", pairs(signing()), false),
		Entry("of a key that signs, of a TokenIssuer", pairs(signing()), true),
		Entry("of a certificate that is presented, which requests share", pairs(viaCertificate), false),
		Entry("of a certificate that is presented, of a TokenIssuer", pairs(viaCertificate), true),
	)

	// The STS moves to another CA as it does in life: its certificate changes at the same address.
	It("of a CA bundle is the next token's affair, and nobody's trouble", func(ctx SpecContext) {
		t := newTenant(ctx)
		known := []stssim.Client{{Tenant: t.directory, ID: t.clientID, Secrets: []stssim.Secret{{Value: goodSecret}}}}
		before := must(stssim.Start(stssim.Options{Clients: known}))
		DeferCleanup(before.Close)
		calls := func(s *stssim.Server) []stssim.Call { return s.Calls(stssim.Filter{Kind: stssim.KindToken}) }
		bundle := func(certificates ...[]byte) {
			put(ctx, &corev1.ConfigMap{ObjectMeta: t.meta("sts-ca"), Data: map[string]string{"ca.crt": string(slices.Concat(certificates...))}})
		}
		bundle(before.CAPEM())
		requests := t.healthy(ctx, func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.TokenEndpoint = stsv1alpha1.HTTPSURL(before.EntraAuthority(t.directory) + "/oauth2/v2.0/token")
		})
		w := t.watchOver(ctx)

		address := must(url.Parse(before.URL())).Host
		before.Close()
		after := must(stssim.Start(stssim.Options{Listen: address, Clients: known}))
		DeferCleanup(after.Close)
		bundle(before.CAPEM(), after.CAPEM())
		refreshAll(ctx, requests, "with both")
		bundle(after.CAPEM())
		Consistently(func() []stssim.Call { return calls(after) }, inSync).Should(HaveLen(crowd))
		refreshAll(ctx, requests, "with the new one")
		w.sawNoTrouble(requests, "with the new one")
		Expect(calls(before)).To(HaveLen(crowd))
		Expect(calls(after)).To(HaveLen(2 * crowd))
	})

	It("of a CA bundle counts at the next call, whichever connection is open", func(ctx SpecContext) {
		t := newTenant(ctx)
		r := t.request("graph")
		now := create(ctx, r)
		awaitReady(now)
		other := must(stssim.Start(stssim.Options{}))
		other.Close()
		put(ctx, &corev1.ConfigMap{ObjectMeta: t.meta("sts-ca"), Data: map[string]string{"ca.crt": string(other.CAPEM())}})
		askFor(ctx, r, "with a CA that is somebody else's")
		Eventually(func(g Gomega) { g.Expect(conditionsOf(now(g))).To(Equal(keptThough("ConnectionFailed"))) }).Should(Succeed())
		Expect(t.calls()).To(HaveLen(1))
		put(ctx, &corev1.ConfigMap{ObjectMeta: t.meta("sts-ca"), Data: map[string]string{"ca.crt": string(sim.CAPEM())}})
		awaitReady(now)
	})
})

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
