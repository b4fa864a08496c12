// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"crypto"
	"net/url"

	"github.com/go-jose/go-jose/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/interop/authserver"
)

// signs has the client of a request sign its assertions with a key pair in a Secret.
func signs(secret, keyID string, algorithm stsv1alpha1.SigningAlgorithm) change {
	return func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Issuer.Credential = &stsv1alpha1.Credential{PrivateKeyJWT: &stsv1alpha1.PrivateKeyJWTCredential{
			SecretRef: stsv1alpha1.SecretRef{Name: stsv1alpha1.ObjectName(secret)}, KeyID: keyID, Algorithm: algorithm}}
	}
}

// signing is a world whose client signs with this key.
func signing(ctx SpecContext, key crypto.Signer, keyID string, algorithm jose.SignatureAlgorithm) world {
	GinkgoHelper()
	w := newWorld(ctx, authserver.Options{}, authserver.Client{
		AuthMethod: authserver.PrivateKeyJWT, JWKS: authserver.KeySet(keyID, key.Public()), SigningAlgorithm: string(algorithm)})
	w.putKeyPair(ctx, "pair", key)
	return w
}

// signingOracle asks as a client that signs does, with neither the operator's signer nor its client.
func (w world) signingOracle(ctx context.Context, key crypto.Signer, keyID string, algorithm jose.SignatureAlgorithm) (*oauth2.Token, error) {
	GinkgoHelper()
	config := clientcredentials.Config{
		ClientID: w.client.ID, TokenURL: w.URL() + tokenPath, Scopes: []string{"read", "write"}, AuthStyle: oauth2.AuthStyleInParams,
		EndpointParams: url.Values{
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			"client_assertion":      {w.assertion(key, algorithm, keyID, w.client.ID, w.client.ID)},
		},
	}
	return config.Token(context.WithValue(ctx, oauth2.HTTPClient, w.trusting()))
}

var _ = Describe("A client that signs", func() {
	DescribeTable("is issued tokens, each for an assertion that the server hasn't seen before, as golang.org/x/oauth2 is",
		func(ctx SpecContext, newKey func() crypto.Signer, keyID string, registered jose.SignatureAlgorithm, algorithm stsv1alpha1.SigningAlgorithm) {
			key := newKey()
			w := signing(ctx, key, keyID, registered)
			theirs, err := w.signingOracle(ctx, key, keyID, registered)
			Expect(err).NotTo(HaveOccurred())

			now := create(ctx, w.request("graph", signs("pair", keyID, algorithm)))
			since := readySince(awaitReady(now))
			tokens := []string{theirs.AccessToken, string(w.tokenSecret(ctx, Default, "graph").Data["access_token"])}
			for range 2 {
				ask(ctx, now)
				Expect(readySince(awaitReady(now))).To(Equal(since))
				tokens = append(tokens, string(w.tokenSecret(ctx, Default, "graph").Data["access_token"]))
			}
			Expect(w.Calls()).To(Equal(authserver.Calls{Token: len(tokens), Discovery: 1}))
			Expect(w.IssuedTokens()).To(HaveLen(len(tokens)))
			for i, issued := range w.IssuedTokens() {
				Expect(issued.AccessToken).To(Equal(tokens[i]))
				Expect(w.verify(ctx, tokens[i]).identity()).To(Equal(w.verify(ctx, theirs.AccessToken).identity()))
			}
			Expect(eventsOf(ctx, Default, now(Default))).NotTo(ContainElement(HavePrefix("Warning/")))
		},
		Entry("by RS256", newRSA, "k1", jose.RS256, stsv1alpha1.SigningAlgorithm("RS256")),
		Entry("by PS256, which is what an RSA key signs by when nobody says how", newRSA, "k1", jose.PS256, stsv1alpha1.SigningAlgorithm("")),
		Entry("by ES256, which is what a P-256 key signs by when nobody says how", newECDSA, "k1", jose.ES256, stsv1alpha1.SigningAlgorithm("")),
		Entry("without a key ID", newECDSA, "", jose.ES256, stsv1alpha1.SigningAlgorithm("ES256")),
	)

	It("goes over to a new key pair in its Secret with the next token, and nothing fails", func(ctx SpecContext) {
		w := signing(ctx, newECDSA(), "k1", jose.ES256)
		now := create(ctx, w.request("graph", signs("pair", "k1", "")))
		since := readySince(awaitReady(now))

		next := newECDSA()
		Expect(w.SetKeys(w.client.ID, authserver.KeySet("k1", next.Public()))).To(Succeed())
		w.putKeyPair(ctx, "pair", next)
		Consistently(w.Calls, inSync).Should(Equal(authserver.Calls{Token: 1, Discovery: 1}), "the token is as good as before")
		ask(ctx, now)
		Expect(readySince(awaitReady(now))).To(Equal(since))
		Expect(w.Calls()).To(Equal(authserver.Calls{Token: 2, Discovery: 1}))
		Expect(w.IssuedTokens()).To(HaveLen(2), "the former key is refused")
		Expect(eventsOf(ctx, Default, now(Default))).NotTo(ContainElement(HavePrefix("Warning/")))
	})

	It("goes over to another key ID and its Secret in one edit, while the server knows both keys", func(ctx SpecContext) {
		first, next := newRSA(), newRSA()
		w := signing(ctx, first, "k1", jose.PS256)
		now := create(ctx, w.request("graph", signs("pair", "k1", "")))
		since := readySince(awaitReady(now))

		both := authserver.KeySet("k1", first.Public())
		both.Keys = append(both.Keys, authserver.KeySet("k2", next.Public()).Keys...)
		Expect(w.SetKeys(w.client.ID, both)).To(Succeed())
		w.putKeyPair(ctx, "pair-2", next)
		edit(ctx, now(Default), signs("pair-2", "k2", ""))
		awaitReady(now)
		Expect(w.SetKeys(w.client.ID, authserver.KeySet("k2", next.Public()))).To(Succeed())
		ask(ctx, now)
		Expect(readySince(awaitReady(now))).To(Equal(since))
		Expect(w.IssuedTokens()).To(HaveLen(w.Calls().Token), "nothing was refused")
		Expect(eventsOf(ctx, Default, now(Default))).NotTo(ContainElement(HavePrefix("Warning/")))
	})

	It("with a key that isn't registered is told which Secret holds it, and goes on when the right one is there", func(ctx SpecContext) {
		key := newECDSA()
		w := signing(ctx, key, "k1", jose.ES256)
		w.putKeyPair(ctx, "pair", newECDSA())
		now := create(ctx, w.request("graph", signs("pair", "k1", "")))

		refused := awaitRefusal(now, stsv1alpha1.ReasonInvalidClient)
		Expect(refused.Status.LastError.Remedy).To(ContainSubstring("Secret %s/pair", w.namespace))
		Expect(refused.Status.LastError.Class).To(Equal(stsv1alpha1.ErrorClass("Credential")))
		Expect(messageOf(refused, "Ready")).To(And(
			HavePrefix("%s refused client graph: invalid_client", w.host()), HaveSuffix(refused.Status.LastError.Remedy)))
		w.putKeyPair(ctx, "pair", key)
		w.expectHealed(awaitReady(now), refused)
	})

	It("by another algorithm than is registered reads both names, and goes on when the spec says the right one", func(ctx SpecContext) {
		w := signing(ctx, newRSA(), "", jose.RS256)
		now := create(ctx, w.request("graph", signs("pair", "", "")))

		refused := awaitRefusal(now, stsv1alpha1.ReasonInvalidClient)
		Expect(refused.Status.LastError.Description).To(And(ContainSubstring("'PS256'"), ContainSubstring("'RS256'")))
		edit(ctx, refused, signs("pair", "", "RS256"))
		w.expectHealed(awaitReady(now), refused)
	})

	It("with a key ID that isn't registered reads it, and goes on when the spec has the right one", func(ctx SpecContext) {
		w := signing(ctx, newECDSA(), "k1", jose.ES256)
		now := create(ctx, w.request("graph", signs("pair", "k9", "")))

		refused := awaitRefusal(now, stsv1alpha1.ReasonInvalidRequest) // fosite's word for it
		Expect(refused.Status.LastError.Description).To(ContainSubstring("kid 'k9'"))
		edit(ctx, refused, signs("pair", "k1", ""))
		w.expectHealed(awaitReady(now), refused)
	})
})
