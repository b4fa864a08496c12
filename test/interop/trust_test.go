// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/interop/authserver"
)

var _ = Describe("A server whose certificate isn't trusted", func() {
	untrusted := func(ctx SpecContext, w world, wanted *stsv1alpha1.TokenRequest) *stsv1alpha1.TokenRequest {
		r := awaitRefusal(create(ctx, wanted), stsv1alpha1.ReasonConnectionFailed)
		e := r.Status.LastError
		Expect(e.Remedy).To(And(
			ContainSubstring("spec.issuer, in tls.caBundle or tls.caBundleRef"), ContainSubstring(w.host())))
		Expect(messageOf(r, "Ready")).To(And(
			ContainSubstring("its certificate is signed by an unknown authority"), HaveSuffix(e.Remedy)))
		Expect(e.Class).To(Equal(stsv1alpha1.ErrorClass("Configuration")))
		Expect(e.HTTPStatus).To(BeZero(), "there was no answer")
		Expect(w.Calls()).To(Equal(authserver.Calls{}))
		return r
	}

	DescribeTable("is sent nothing before the CA that the spec refers to is corrected",
		func(ctx SpecContext, discovery int, spec ...change) {
			w := newWorld(ctx, authserver.Options{}, authserver.Client{})
			ca := &corev1.ConfigMap{ObjectMeta: w.meta("sts-ca"), Data: map[string]string{"ca.crt": anotherCA()}}
			Expect(api.Update(ctx, ca)).To(Succeed())
			r := untrusted(ctx, w, w.request("graph", spec...))
			ca.Data["ca.crt"] = string(w.CAPEM())
			Expect(api.Update(ctx, ca)).To(Succeed())
			awaitReady(latest(ctx, r))
			Expect(w.Calls()).To(Equal(authserver.Calls{Token: 1, Discovery: discovery}))
		},
		Entry("found by its authority", 1),
		Entry("found by its token endpoint", 0, byTokenEndpoint),
	)

	It("is sent nothing before the spec has a CA, for the system's don't sign for it", func(ctx SpecContext) {
		w := newWorld(ctx, authserver.Options{}, authserver.Client{})
		r := untrusted(ctx, w, w.request("graph", func(r *stsv1alpha1.TokenRequest) { r.Spec.Issuer.TLS = nil }))
		edit(ctx, r, func(r *stsv1alpha1.TokenRequest) { r.Spec.Issuer.TLS = &stsv1alpha1.IssuerTLS{CABundle: w.CAPEM()} })
		awaitReady(latest(ctx, r))
		Expect(w.Calls()).To(Equal(authserver.Calls{Token: 1, Discovery: 1}))
	})
})

// anotherCA is a certificate authority of the right kind, for another server.
func anotherCA() string {
	GinkgoHelper()
	return string(startServer(authserver.Options{}).CAPEM())
}
