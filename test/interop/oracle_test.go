// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/interop/authserver"
)

// What reads differently under an encoding that is left out, done twice, or that of another place;
// the secret has every sign of ASCII, and begins and ends with a space.
const (
	oddClientID = `app: 100% a+b&c="d"/e?f#g`
	oddSecret   = ` a%2Bb%20c+d e&f=g:h;i,j/k?l#m"n'o\<>{}|^~!@$()*[]_-.%zz` + "` "
)

// oracle asks for the same token as the operator, by another client library.
func (w world) oracle(ctx context.Context, secret string, scopes ...string) (*oauth2.Token, error) {
	style := oauth2.AuthStyleInHeader
	if w.client.AuthMethod == authserver.ClientSecretPost {
		style = oauth2.AuthStyleInParams
	}
	config := clientcredentials.Config{
		ClientID: w.client.ID, ClientSecret: secret, TokenURL: w.URL() + tokenPath, Scopes: scopes, AuthStyle: style,
	}
	return config.Token(context.WithValue(ctx, oauth2.HTTPClient, w.trusting()))
}

var _ = Describe("Beside golang.org/x/oauth2", func() {
	for _, method := range []authserver.AuthMethod{authserver.ClientSecretBasic, authserver.ClientSecretPost} {
		for _, format := range []authserver.TokenFormat{authserver.JWT, authserver.Opaque} {
			It("the operator gets the same "+string(format)+" token by "+string(method)+", with id and secret of odd signs", func(ctx SpecContext) {
				w := newWorld(ctx, authserver.Options{TokenFormat: format},
					authserver.Client{ID: oddClientID, Secret: oddSecret, AuthMethod: method})
				began := time.Now()
				theirs, err := w.oracle(ctx, oddSecret, "read", "write")
				Expect(err).NotTo(HaveOccurred())
				r := awaitReady(create(ctx, w.request("graph", by(stsv1alpha1.ClientSecretMethod(method)))))
				ours := w.tokenSecret(ctx, Default, "graph").Data

				Expect(w.Calls()).To(Equal(authserver.Calls{Token: 2, Discovery: 1}))
				Expect(string(ours["token_type"])).To(Equal(theirs.TokenType))
				Expect(string(ours["scope"])).To(Equal(theirs.Extra("scope")))
				lifetime := r.Status.Token.ExpiresAt.Sub(r.Status.Token.IssuedAt.Time)
				Expect(lifetime.Seconds()).To(BeNumerically("~", theirs.Extra("expires_in"), 1))
				// Another clock reading, and another token: theirs came first, and counts from its answer.
				Expect(r.Status.Token.ExpiresAt.Time).To(BeTemporally("~", theirs.Expiry, time.Second+time.Since(began)))
				if format == authserver.JWT {
					identity := w.verify(ctx, string(ours["access_token"])).identity()
					Expect(identity).To(Equal(w.verify(ctx, theirs.AccessToken).identity()))
					Expect(identity.ClientID).To(Equal(oddClientID))
				}
			})
		}
	}

	It("the operator reads the same refusals", func(ctx SpecContext) {
		w := newWorld(ctx, authserver.Options{}, authserver.Client{})
		refused := func(secret string, scopes ...string) *oauth2.RetrieveError {
			_, err := w.oracle(ctx, secret, scopes...)
			refusal, ok := errors.AsType[*oauth2.RetrieveError](err)
			Expect(ok).To(BeTrue(), "%v", err)
			return refusal
		}
		same := func(r *stsv1alpha1.TokenRequest, theirs *oauth2.RetrieveError) {
			ours := r.Status.LastError
			Expect(ours.Error).To(Equal(theirs.ErrorCode))
			Expect(ours.Description).To(Equal(theirs.ErrorDescription))
			Expect(ours.HTTPStatus).To(BeEquivalentTo(theirs.Response.StatusCode))
		}
		scope := create(ctx, w.request("scope", scopes("admin")))
		same(awaitRefusal(scope, stsv1alpha1.ReasonInvalidScope), refused(goodSecret, "admin"))

		w.putSecret(ctx, badSecret)
		secret := create(ctx, w.request("secret"))
		same(awaitRefusal(secret, stsv1alpha1.ReasonInvalidClient), refused(badSecret, "read", "write"))
	})
})
