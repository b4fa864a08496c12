// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/interop/authserver"
)

var _ = Describe("Refreshing a token", func() {
	// issuedBy is the server's own record of a token.
	issuedBy := func(w world, token string) authserver.IssuedToken {
		for _, issued := range w.IssuedTokens() {
			if issued.AccessToken == token {
				return issued
			}
		}
		StopTrying("the Secret holds a token that the server never issued").Now()
		return authserver.IssuedToken{}
	}

	for _, format := range []authserver.TokenFormat{authserver.JWT, authserver.Opaque} {
		It("replaces a "+string(format)+" token before it expires, again and again, when it is due and not sooner", func(ctx SpecContext) {
			const refreshes = 3
			w := newWorld(ctx, authserver.Options{TokenFormat: format, Lifespan: 16 * time.Second}, authserver.Client{})
			now := create(ctx, w.request("graph"))
			since := readySince(awaitReady(now))

			due := map[string]time.Time{} // of each token, by the Secret's own record
			look := func(g Gomega) authserver.IssuedToken {
				s := w.tokenSecret(ctx, g, "graph")
				issued := issuedBy(w, string(s.Data["access_token"]))
				if !time.Now().Before(issued.ExpiresAt) {
					StopTrying(fmt.Sprintf("after %d tokens the Secret holds a dead one", len(due))).Now()
				}
				at, err := time.Parse(time.RFC3339, s.Annotations[stsv1alpha1.AnnotationRefreshAt])
				g.Expect(err).NotTo(HaveOccurred())
				due[issued.AccessToken] = at
				return issued
			}
			Eventually(func(g Gomega) {
				look(g)
				g.Expect(due).To(HaveLen(refreshes))
			}).Should(Succeed())

			By("giving it a token of an hour, so that what follows can be counted")
			Expect(w.SetLifespan(time.Hour)).To(Succeed())
			Eventually(func(g Gomega) {
				g.Expect(time.Until(look(g).ExpiresAt)).To(BeNumerically(">", time.Minute))
			}).Should(Succeed())

			issued := w.IssuedTokens()
			Expect(issued).To(HaveLen(len(due)), "every token has been in the Secret")
			Expect(len(issued)).To(BeNumerically(">", refreshes))
			for i, next := range issued[1:] {
				Expect(next.RequestedAt).To(BeTemporally("<", issued[i].ExpiresAt))
				Expect(next.RequestedAt).To(BeTemporally(">=", due[issued[i].AccessToken]))
			}
			r := awaitReady(now)
			Expect(readySince(r)).To(Equal(since))
			Expect(eventsOf(ctx, Default, r)).To(BeEmpty())
			Expect(w.Calls()).To(Equal(authserver.Calls{Token: len(issued), Discovery: 1}))
		}, SpecTimeout(2*time.Minute))
	}

	It("keeps the token and Ready when the server's secret changes, says so at the refresh, and goes on when the Kubernetes Secret follows", func(ctx SpecContext) {
		w := newWorld(ctx, authserver.Options{Lifespan: 30 * time.Second}, authserver.Client{})
		now := create(ctx, w.request("graph"))
		first := awaitReady(now)
		before := w.tokenSecret(ctx, Default, "graph")
		Expect(w.SetSecret(w.client.ID, "interop-next-secret")).To(Succeed())

		refused := await(now, map[string]string{"Ready": "True/TokenValid", "Issued": "False/InvalidClient"})
		Expect(time.Now()).To(BeTemporally(">=", first.Status.Token.RefreshAt.Time))
		Expect(messageOf(refused, "Issued")).To(And(
			ContainSubstring("%s refused client %s: invalid_client", w.host(), w.client.ID),
			ContainSubstring("Secret %s/app key client_secret", w.namespace)))
		Expect(refused.Status.Token).To(Equal(first.Status.Token))
		Expect(w.tokenSecret(ctx, Default, "graph").ResourceVersion).To(Equal(before.ResourceVersion))
		Expect(refused.Status.NextAttemptAt.Time).To(BeTemporally(">", first.Status.Token.ExpiresAt.Time), "without help the token would die")

		Expect(w.SetLifespan(time.Hour)).To(Succeed())
		w.putSecret(ctx, "interop-next-secret")
		healed := awaitReady(now)
		Expect(healed.Status.Token.IssuedAt.Time).To(BeTemporally("<", refused.Status.NextAttemptAt.Time))
		Expect(healed.Status.LastError).To(BeNil())
		Expect(readySince(healed)).To(Equal(readySince(first)))
		Expect(w.tokenSecret(ctx, Default, "graph").Data["access_token"]).To(BeEquivalentTo(w.IssuedTokens()[1].AccessToken))
		Expect(w.Calls()).To(Equal(authserver.Calls{Token: 3, Discovery: 1}))
		Eventually(func(g Gomega) {
			g.Expect(eventsOf(ctx, g, healed)).To(ConsistOf("Warning/InvalidClient", "Normal/TokenIssued"))
		}).Should(Succeed())
	}, SpecTimeout(2*time.Minute))
})
