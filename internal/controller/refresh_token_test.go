// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

// spend makes a store as a crash leaves it after its token has left, and before an answer was stored.
func (t tenant) spend(ctx SpecContext, store string) {
	GinkgoHelper()
	s := secretOf(ctx, Default, t.namespace, store)
	before := s.DeepCopy()
	s.Data["spending"] = []byte("true")
	Expect(api.Patch(ctx, s, client.MergeFrom(before))).To(Succeed())
}

var _ = Describe("A refresh token", func() {
	var t tenant

	seed := func(ctx SpecContext, value string) {
		GinkgoHelper()
		s := &corev1.Secret{ObjectMeta: t.meta("seed"), Data: map[string][]byte{"refresh_token": []byte(value)}}
		err := api.Create(ctx, s)
		if apierrors.IsAlreadyExists(err) {
			err = api.Update(ctx, s)
		}
		Expect(err).NotTo(HaveOccurred())
	}
	refreshing := func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Issuer.TokenEndpoint = stsv1alpha1.HTTPSURL(sim.PlainIssuer(t.directory) + "/token")
		r.Spec.Scopes = []stsv1alpha1.Scope{"mail.send"}
		r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantRefreshToken, RefreshToken: &stsv1alpha1.RefreshTokenGrant{
			TokenRef: stsv1alpha1.SecretKeyRef{Name: "seed", Key: "refresh_token"}}}
	}
	issuer := func() *stsv1alpha1.TokenIssuer {
		return &stsv1alpha1.TokenIssuer{ObjectMeta: t.meta("contoso"), Spec: *t.request("mail", refreshing).Spec.Issuer}
	}
	kept := func(ctx SpecContext) map[string][]byte {
		GinkgoHelper()
		return secretOf(ctx, Default, t.namespace, "mail-refresh").Data
	}

	BeforeEach(func(ctx SpecContext) {
		t = newTenant(ctx)
		Expect(sim.PutClient(stssim.Client{Tenant: t.directory, ID: t.clientID, Secrets: []stssim.Secret{{Value: goodSecret}},
			RefreshRotation: stssim.RotationStrict})).To(Succeed())
		seed(ctx, sim.SeedRefreshToken(t.directory, t.clientID, "sub-of-adele"))
	})

	It("that is good for one use is replaced by the next, as often as is asked", func(ctx SpecContext) {
		now := create(ctx, t.request("mail", refreshing))
		awaitReady(now)
		seen := map[string]bool{}
		for _, round := range []string{"one", "two", "three"} {
			seen[string(kept(ctx)["refresh_token"])] = true
			askFor(ctx, t.request("mail"), round)
			Eventually(func(g Gomega) { g.Expect(now(g).Status.LastHandledRefreshAt).To(Equal(round)) }).Should(Succeed())
			awaitReady(now)
		}
		seen[string(kept(ctx)["refresh_token"])] = true
		Expect(seen).To(HaveLen(4))
		Expect(kept(ctx)).NotTo(HaveKey("spending"))
	})

	It("is replaced by another chain when another one is seeded", func(ctx SpecContext) {
		now := create(ctx, t.request("mail", refreshing))
		awaitReady(now)
		sim.RevokeRefreshTokens(t.directory, t.clientID)
		askFor(ctx, t.request("mail"), "now")
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "Issued")).To(Equal("False/InvalidGrant"))
			g.Expect(reasonOf(r, "Ready")).To(Equal("True/TokenValid"))
			g.Expect(reasonOf(r, "InteractionRequired")).To(Equal("True/InvalidGrant"))
		}).Should(Succeed())
		before := kept(ctx)["origin"]
		seed(ctx, sim.SeedRefreshToken(t.directory, t.clientID, "sub-of-adele"))
		awaitReady(now)
		Expect(kept(ctx)["origin"]).NotTo(Equal(before))
	})

	It("that was lost in a crash is tried once more, and then a person is told what to do", func(ctx SpecContext) {
		now := create(ctx, t.request("mail", refreshing))
		awaitReady(now)
		t.spend(ctx, "mail-refresh")
		sim.RevokeRefreshTokens(t.directory, t.clientID)
		calls := len(t.calls())
		askFor(ctx, t.request("mail"), "after the crash")
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "Issued")).To(Equal("False/RefreshTokenLost"))
			g.Expect(messageOf(r, "Issued")).To(And(ContainSubstring("Put a new refresh token into"), ContainSubstring("seed")))
			g.Expect(reasonOf(r, "Ready")).To(Equal("True/TokenValid"))
		}).Should(Succeed())
		Expect(t.calls()).To(HaveLen(calls + 1))
		askFor(ctx, t.request("mail"), "in vain")
		Consistently(func() int { return len(t.calls()) }, inSync).Should(Equal(calls + 1))

		seed(ctx, sim.SeedRefreshToken(t.directory, t.clientID, "sub-of-adele"))
		awaitReady(now)
	})

	It("whose call never reached the STS before a crash goes on", func(ctx SpecContext) {
		now := create(ctx, t.request("mail", refreshing))
		awaitReady(now)
		t.spend(ctx, "mail-refresh")
		askFor(ctx, t.request("mail"), "after the crash")
		Eventually(func(g Gomega) { g.Expect(now(g).Status.LastHandledRefreshAt).To(Equal("after the crash")) }).Should(Succeed())
		awaitReady(now)
		Expect(kept(ctx)).NotTo(HaveKey("spending"))
	})

	It("is kept while the STS is down, and not taken for lost", func(ctx SpecContext) {
		now := create(ctx, t.request("mail", refreshing))
		awaitReady(now)
		before := kept(ctx)["refresh_token"]
		t.rule(1, stssim.Action{Status: 503, Body: "down"})
		askFor(ctx, t.request("mail"), "meanwhile")
		Eventually(func(g Gomega) { g.Expect(reasonOf(now(g), "Issued")).To(Equal("False/ServerError")) }).Should(Succeed())
		Eventually(func() map[string][]byte { return kept(ctx) }).ShouldNot(HaveKey("spending"))
		Expect(kept(ctx)["refresh_token"]).To(Equal(before))
		awaitReady(now)
	})

	// Servers that rotate take the second use of a refresh token for theft, and end the whole chain (RFC 9700
	// section 4.14.2).
	DescribeTable("leaves once, and its successor isn't lost, though meanwhile", func(ctx SpecContext, meanwhile func(SpecContext), afterwards func(SpecContext)) {
		put(ctx, issuer())
		now := create(ctx, t.request("mail", refreshing, refersToContoso))
		awaitReady(now)
		spent := kept(ctx)["refresh_token"]
		calls := len(t.calls())
		answer := t.hold()
		askFor(ctx, t.request("mail"), "now")
		_, err := sim.WaitCalls(ctx, stssim.Filter{Kind: stssim.KindToken, ClientID: t.clientID}, calls+1)
		Expect(err).NotTo(HaveOccurred())
		meanwhile(ctx)
		Consistently(t.calls, inSync).Should(HaveLen(calls + 1))
		answer()
		Eventually(func() []byte { return kept(ctx)["refresh_token"] }).ShouldNot(Equal(spent))
		afterwards(ctx)
		Eventually(func(g Gomega) { g.Expect(now(g).Status.LastHandledRefreshAt).To(Equal("now")) }).Should(Succeed())
		awaitReady(now)
		Expect(kept(ctx)).NotTo(HaveKey("spending"))
	},
		Entry("the client's secret is touched", func(ctx SpecContext) {
			s := secretOf(ctx, Default, t.namespace, "app")
			s.Annotations = map[string]string{"touched": "yes"}
			Expect(api.Update(ctx, s)).To(Succeed())
		}, func(SpecContext) {}),
		Entry("something else is asked for", func(ctx SpecContext) {
			edit(ctx, t.request("mail"), func(r *stsv1alpha1.TokenRequest) {
				r.Spec.Parameters = map[string]stsv1alpha1.ParameterValue{"region": "north"}
			})
		}, func(SpecContext) {}),
		Entry("its issuer goes away, and comes back changed", func(ctx SpecContext) {
			Expect(api.Delete(ctx, issuer())).To(Succeed())
			now := latest(ctx, t.request("mail"))
			Eventually(func(g Gomega) { g.Expect(reasonOf(now(g), "Issued")).To(Equal("False/IssuerNotReady")) }).Should(Succeed())
		}, func(ctx SpecContext) {
			changed := issuer()
			changed.Spec.Timeout = &metav1.Duration{Duration: 30 * time.Second}
			put(ctx, changed)
		}),
	)

	It("isn't written into a Secret that is somebody else's", func(ctx SpecContext) {
		Expect(api.Create(ctx, &corev1.Secret{ObjectMeta: t.meta("mail-refresh"), Data: map[string][]byte{"mine": []byte("x")}})).To(Succeed())
		now := create(ctx, t.request("mail", refreshing))
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "Ready")).To(Equal("False/SecretConflict"))
			g.Expect(messageOf(r, "Ready")).To(ContainSubstring("Secret mail-refresh, which is to keep the refresh token"))
		}).Should(Succeed())
		Expect(t.calls()).To(BeEmpty())
		Expect(kept(ctx)).To(HaveLen(1))
		Expect(api.Delete(ctx, &corev1.Secret{ObjectMeta: t.meta("mail-refresh")})).To(Succeed())
		awaitReady(now)
	})

	It("goes with its request", func(ctx SpecContext) {
		awaitReady(create(ctx, t.request("mail", refreshing)))
		owners := secretOf(ctx, Default, t.namespace, "mail-refresh").OwnerReferences
		Expect(owners).To(HaveLen(1))
		Expect(owners[0].Name).To(Equal("mail"))
		Expect(*owners[0].Controller).To(BeTrue())
		Expect(owners[0].BlockOwnerDeletion).To(BeNil())
	})

	It("isn't shared by two requests that ask for the same with the same seed", func(ctx SpecContext) {
		Expect(sim.PutClient(stssim.Client{Tenant: t.directory, ID: t.clientID, Secrets: []stssim.Secret{{Value: goodSecret}},
			RefreshRotation: stssim.RotationLenient, Lifetime: stssim.Duration(time.Hour)})).To(Succeed())
		first, second := create(ctx, t.request("mail", refreshing)), create(ctx, t.request("post", refreshing))
		awaitReady(first)
		awaitReady(second)
		Expect(kept(ctx)["refresh_token"]).NotTo(Equal(secretOf(ctx, Default, t.namespace, "post-refresh").Data["refresh_token"]))
	})
})
