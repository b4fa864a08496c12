// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"encoding/base64"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

var _ = Describe("A claims challenge", func() {
	// What the base64 of a challenge holds differs between its two alphabets only where it has a ? or >.
	const challenge = `{"access_token":{"acrs":{"essential":true,"value":"c1?>?>"}}}`

	It("stands in the status, calls for a person, and is met by copying it into the spec in any of its forms", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.rule(1, stssim.Action{Error: &stssim.ErrorBody{Error: "interaction_required", Codes: []int{50076}, Claims: challenge}})
		now := create(ctx, t.request("graph"))
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(conditionsOf(r)).To(Equal(map[string]string{"Ready": "False/InteractionRequired", "Issued": "False/InteractionRequired",
				"InteractionRequired": "True/InteractionRequired", "Stalled": "True/InteractionRequired"}))
			g.Expect(r.Status.LastError.Claims).To(Equal(challenge))
			g.Expect(messageOf(r, "InteractionRequired")).To(ContainSubstring("to spec.claims of TokenRequest"))
		}).Should(Succeed())

		bytes := []byte(now(Default).Status.LastError.Claims)
		for _, form := range []string{
			string(bytes), base64.StdEncoding.EncodeToString(bytes), base64.RawStdEncoding.EncodeToString(bytes),
			base64.URLEncoding.EncodeToString(bytes), base64.RawURLEncoding.EncodeToString(bytes),
		} {
			before := len(t.calls())
			edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) { r.Spec.Claims = stsv1alpha1.Claims(form) })
			Eventually(func(g Gomega) { g.Expect(t.calls()).To(HaveLen(before+1), form) }).Should(Succeed())
			Expect(t.calls()[before].Claims).To(Equal(challenge))
			awaitReady(now)
		}
	})

	It("of a gateway, which answers with a WWW-Authenticate field alone, is read like one of the STS", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.rule(0, stssim.Action{Status: 401, Headers: map[string]string{"WWW-Authenticate": `Bearer realm="", error="insufficient_claims", claims="` +
			base64.StdEncoding.EncodeToString([]byte(challenge)) + `"`}})
		now := create(ctx, t.request("graph"))
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "InteractionRequired")).To(Equal("True/InteractionRequired"))
			g.Expect(r.Status.LastError.Error).To(Equal("insufficient_claims"))
			g.Expect(r.Status.LastError.Claims).To(Equal(challenge))
		}).Should(Succeed())
	})

	It("isn't needed for Conditional Access to call for a person, as whichever error it comes", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.rule(0, stssim.Action{Error: &stssim.ErrorBody{Error: "invalid_grant", Codes: []int{53003}}})
		now := create(ctx, t.request("graph"))
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "InteractionRequired")).To(Equal("True/InvalidGrant"))
			g.Expect(messageOf(r, "InteractionRequired")).To(ContainSubstring("Conditional Access"))
			g.Expect(r.Status.LastError.Class).To(Equal(stsv1alpha1.ErrorClass("Credential")))
		}).Should(Succeed())
	})
})
