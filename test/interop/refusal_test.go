// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/interop/authserver"
)

var _ = Describe("A refusal of the server", func() {
	DescribeTable("names the Secret and key that hold a wrong secret, and ends at once when they hold the right one",
		func(ctx SpecContext, registered authserver.AuthMethod) {
			w := newWorld(ctx, authserver.Options{}, authserver.Client{AuthMethod: registered})
			w.putSecret(ctx, badSecret)
			now := create(ctx, w.request("graph", by(stsv1alpha1.ClientSecretMethod(registered))))

			refused := awaitRefusal(now, stsv1alpha1.ReasonInvalidClient)
			e := refused.Status.LastError
			Expect(e.Remedy).To(ContainSubstring("Secret %s/app key client_secret", w.namespace))
			Expect(messageOf(refused, "Ready")).To(And(
				HavePrefix("%s refused client graph: invalid_client", w.host()), HaveSuffix(e.Remedy)))
			Expect(e.Error).To(Equal("invalid_client"))
			Expect(e.HTTPStatus).To(Equal(int32(401)))
			Expect(e.Class).To(Equal(stsv1alpha1.ErrorClass("Credential")))
			Expect(e.Description).To(And(HavePrefix("Client authentication failed"), Not(ContainSubstring(badSecret))))
			Expect(refused.Status.Token).To(BeNil())
			Expect(w.Calls()).To(Equal(authserver.Calls{Token: 1, Discovery: 1}))

			w.putSecret(ctx, goodSecret)
			w.expectHealed(awaitReady(now), refused)
		},
		Entry("in the header", authserver.ClientSecretBasic),
		Entry("in the form", authserver.ClientSecretPost),
	)

	It("hints at the method of a client that isn't registered with the one that metadata offers first, and ends when the spec says which", func(ctx SpecContext) {
		w := newWorld(ctx, authserver.Options{}, authserver.Client{AuthMethod: authserver.ClientSecretPost})
		now := create(ctx, w.request("graph"))
		refused := awaitRefusal(now, stsv1alpha1.ReasonInvalidClient)
		Expect(refused.Status.LastError.Remedy).To(ContainSubstring("method"))
		edit(ctx, refused, by(stsv1alpha1.ClientSecretPost))
		w.expectHealed(awaitReady(now), refused)
	})

	It("names the scopes of which one is unknown, and ends at once when the spec does without", func(ctx SpecContext) {
		w := newWorld(ctx, authserver.Options{}, authserver.Client{})
		now := create(ctx, w.request("graph", scopes("read", "admin")))

		refused := awaitRefusal(now, stsv1alpha1.ReasonInvalidScope)
		e := refused.Status.LastError
		Expect(e.Remedy).To(And(
			ContainSubstring("spec.scopes of TokenRequest %s/graph", w.namespace), ContainSubstring(`"read admin"`)))
		Expect(messageOf(refused, "Ready")).To(And(
			HavePrefix("%s refused client graph: invalid_scope", w.host()), HaveSuffix(e.Remedy)))
		Expect(e.Error).To(Equal("invalid_scope"))
		Expect(e.HTTPStatus).To(Equal(int32(400)))
		Expect(e.Class).To(Equal(stsv1alpha1.ErrorClass("Configuration")))

		edit(ctx, refused, scopes("read"))
		healed := awaitReady(now)
		w.expectHealed(healed, refused)
		Expect(healed.Status.Token.Scopes).To(Equal([]string{"read"}))
	})
})

// expectHealed says that the second token call brought the token, well before the operator would have
// tried again by itself.
func (w world) expectHealed(healed, refused *stsv1alpha1.TokenRequest) {
	GinkgoHelper()
	Expect(w.Calls()).To(Equal(authserver.Calls{Token: 2, Discovery: 1}))
	Expect(w.IssuedTokens()).To(HaveLen(1))
	Expect(healed.Status.LastError).To(BeNil())
	Expect(healed.Status.Token.IssuedAt.Time).To(BeTemporally("<", refused.Status.NextAttemptAt.Time))
}
