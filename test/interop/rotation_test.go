// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/oauth2"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/interop/authserver"
)

// refreshing has a request live off the refresh token that seed stores.
func refreshing(r *stsv1alpha1.TokenRequest) {
	r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantRefreshToken, RefreshToken: &stsv1alpha1.RefreshTokenGrant{
		TokenRef: stsv1alpha1.SecretKeyRef{Name: "seed", Key: "refresh_token"}}}
}

// seed stores a first refresh token of alice, new or changed.
func (w world) seed(ctx SpecContext) {
	GinkgoHelper()
	w.putValue(ctx, "seed", "refresh_token", w.newRefreshToken())
}

func (w world) newRefreshToken() string {
	GinkgoHelper()
	token, err := w.SeedRefreshToken(w.client.ID, "alice", "read", "write")
	Expect(err).NotTo(HaveOccurred())
	return token
}

// spend trades a refresh token outside of the operator.
func (w world) spend(ctx context.Context, refreshToken string) (*oauth2.Token, error) {
	config := oauth2.Config{ClientID: w.client.ID, ClientSecret: w.client.Secret,
		Endpoint: oauth2.Endpoint{TokenURL: w.URL() + tokenPath, AuthStyle: oauth2.AuthStyleInHeader}}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, w.trusting())
	return config.TokenSource(ctx, &oauth2.Token{RefreshToken: refreshToken}).Token()
}

var _ = Describe("A refresh token that is good for one use", func() {
	person := func(ctx SpecContext) world {
		GinkgoHelper()
		return newWorld(ctx, authserver.Options{}, authserver.Client{Scopes: []string{"read", "write", "offline_access"}})
	}
	// kept is the refresh token that the operator goes on with.
	kept := func(ctx SpecContext, w world) string {
		GinkgoHelper()
		return string(w.tokenSecret(ctx, Default, "mail-refresh").Data["refresh_token"])
	}

	It("is replaced with each token, and the newest is kept", func(ctx SpecContext) {
		w := person(ctx)
		w.seed(ctx)
		now := create(ctx, w.request("mail", refreshing))
		since := readySince(awaitReady(now))
		for round := 1; ; round++ {
			issued := w.IssuedTokens()
			Expect(issued).To(HaveLen(round))
			Expect(kept(ctx, w)).To(Equal(issued[round-1].RefreshToken))
			data := w.tokenSecret(ctx, Default, "mail").Data
			Expect(data["access_token"]).To(BeEquivalentTo(issued[round-1].AccessToken))
			Expect(data).NotTo(HaveKey("refresh_token"))
			if round == 4 {
				break
			}
			ask(ctx, now)
			Expect(readySince(awaitReady(now))).To(Equal(since))
		}
		Expect(w.tokenSecret(ctx, Default, "mail-refresh").Data).NotTo(HaveKey("spending"))
		Expect(w.Calls()).To(Equal(authserver.Calls{Token: 4, Discovery: 1}))
		Expect(w.verify(ctx, w.IssuedTokens()[3].AccessToken).Subject).To(Equal("alice"))
		Expect(eventsOf(ctx, Default, now(Default))).NotTo(ContainElement(HavePrefix("Warning/")))
	})

	It("and was used by somebody else ends its successors; the token stays, and a new seed begins anew", func(ctx SpecContext) {
		w := person(ctx)
		w.seed(ctx)
		stolen := string(w.tokenSecret(ctx, Default, "seed").Data["refresh_token"])
		now := create(ctx, w.request("mail", refreshing))
		first := awaitReady(now)
		_, err := w.spend(ctx, stolen)
		Expect(err).To(MatchError(ContainSubstring("invalid_grant")))

		ask(ctx, now)
		refused := await(now, map[string]string{"Ready": "True/TokenValid", "Issued": "False/InvalidGrant", "InteractionRequired": "True/InvalidGrant"})
		Expect(refused.Status.Token).To(Equal(first.Status.Token))
		Expect(refused.Status.LastError.Remedy).To(And(ContainSubstring("sign in again"), ContainSubstring("Secret %s/seed key refresh_token", w.namespace)))
		Expect(messageOf(refused, "Issued")).To(HaveSuffix(refused.Status.LastError.Remedy))
		Consistently(w.Calls, inSync).Should(Equal(authserver.Calls{Token: 3, Discovery: 1}))

		w.seed(ctx)
		healed := awaitReady(now)
		Expect(readySince(healed)).To(Equal(readySince(first)))
		Expect(w.Calls()).To(Equal(authserver.Calls{Token: 4, Discovery: 1}))
		Expect(kept(ctx, w)).To(Equal(w.IssuedTokens()[1].RefreshToken))
	})

	It("brings the same token as golang.org/x/oauth2", func(ctx SpecContext) {
		w := person(ctx)
		theirs, err := w.spend(ctx, w.newRefreshToken())
		Expect(err).NotTo(HaveOccurred())
		w.seed(ctx)
		awaitReady(create(ctx, w.request("mail", refreshing)))
		ours := w.tokenSecret(ctx, Default, "mail").Data
		Expect(w.verify(ctx, string(ours["access_token"])).identity()).To(Equal(w.verify(ctx, theirs.AccessToken).identity()))
		Expect(string(ours["scope"])).To(Equal(theirs.Extra("scope")))
	})
})
