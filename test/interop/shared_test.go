// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/interop/authserver"
)

// referring has a request use the TokenIssuer shared of its namespace.
func referring(r *stsv1alpha1.TokenRequest) {
	r.Spec.Issuer = nil
	r.Spec.IssuerRef = &stsv1alpha1.IssuerRef{Kind: stsv1alpha1.IssuerKindTokenIssuer, Name: "shared"}
}

var _ = Describe("A TokenIssuer", func() {
	It("has requests that ask for the same share one token, and gives another to who asks for something else", func(ctx SpecContext) {
		w := newWorld(ctx, authserver.Options{}, authserver.Client{})
		issuer := &stsv1alpha1.TokenIssuer{ObjectMeta: w.meta("shared"), Spec: *w.request("").Spec.Issuer}
		Expect(api.Create(ctx, issuer)).To(Succeed())
		first, second := create(ctx, w.request("first", referring)), create(ctx, w.request("second", referring))
		awaitReady(first)
		awaitReady(second)
		Consistently(w.Calls, inSync).Should(Equal(authserver.Calls{Token: 1, Discovery: 1}))
		ours := w.tokenSecret(ctx, Default, "first").Data
		Expect(ours["access_token"]).To(BeEquivalentTo(w.IssuedTokens()[0].AccessToken))
		Expect(w.tokenSecret(ctx, Default, "second").Data).To(Equal(ours))

		awaitReady(create(ctx, w.request("third", referring, scopes("read"))))
		Expect(w.tokenSecret(ctx, Default, "third").Data["access_token"]).NotTo(Equal(ours["access_token"]))
		Expect(w.Calls()).To(Equal(authserver.Calls{Token: 2, Discovery: 1}))
	})
})
