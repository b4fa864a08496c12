// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"time"

	"github.com/golang-jwt/jwt/v5"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

const (
	accessTokenType = "urn:ietf:params:oauth:token-type:access_token"
	partnerIssuer   = "https://partner.example"
)

// onBehalfOf has a request trade a person's token with Entra.
func onBehalfOf(source stsv1alpha1.TokenSource) func(*stsv1alpha1.TokenRequest) {
	return func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantOnBehalfOf, OnBehalfOf: &stsv1alpha1.AssertionGrant{Assertion: source}}
		r.Spec.Scopes = []stsv1alpha1.Scope{"https://graph.example/Mail.Read"}
	}
}

// bearing has a request trade a JWT of another issuer.
func bearing(source stsv1alpha1.TokenSource) func(*stsv1alpha1.TokenRequest) {
	return func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantJWTBearer, JWTBearer: &stsv1alpha1.AssertionGrant{Assertion: source}}
	}
}

// exchanging has a request exchange a token.
func exchanging(subject stsv1alpha1.TokenSource, change ...func(*stsv1alpha1.TokenExchangeGrant)) func(*stsv1alpha1.TokenRequest) {
	return func(r *stsv1alpha1.TokenRequest) {
		g := &stsv1alpha1.TokenExchangeGrant{SubjectToken: subject, SubjectTokenType: jwtType}
		for _, c := range change {
			c(g)
		}
		r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantTokenExchange, TokenExchange: g}
	}
}

// actedBy adds an actor.
func actedBy(actor stsv1alpha1.TokenSource) func(*stsv1alpha1.TokenExchangeGrant) {
	return func(g *stsv1alpha1.TokenExchangeGrant) { g.ActorToken, g.ActorTokenType = &actor, jwtType }
}

// ofServiceAccount is the token of a service account for the tenant's realm.
func (t tenant) ofServiceAccount(name stsv1alpha1.ObjectName) stsv1alpha1.TokenSource {
	return stsv1alpha1.TokenSource{ServiceAccount: &stsv1alpha1.ServiceAccountToken{Name: name, Audience: sim.PlainIssuer(t.directory)}}
}

// claimsOf are those of a request's token.
func claimsOf(ctx SpecContext, r *stsv1alpha1.TokenRequest) jwt.MapClaims {
	GinkgoHelper()
	claims := jwt.MapClaims{}
	_, _, err := jwt.NewParser().ParseUnverified(tokenOf(ctx, r), claims)
	Expect(err).NotTo(HaveOccurred())
	return claims
}

// putAssertion stores a token that is to be traded.
func (t tenant) putAssertion(ctx SpecContext, name, value string, change ...func(*corev1.Secret)) {
	GinkgoHelper()
	s := &corev1.Secret{ObjectMeta: t.meta(name), Data: map[string][]byte{"assertion": []byte(value)}}
	for _, c := range change {
		c(s)
	}
	put(ctx, s)
}

var _ = Describe("A token on behalf of a person", func() {
	adele := stssim.Person{Subject: "sub-of-adele", ObjectID: "oid-of-adele"}

	It("is one of that person's", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.putAssertion(ctx, "adele", sim.SeedUserToken(t.directory, t.clientID, adele))
		r := t.request("graph", onBehalfOf(fromSecret("adele")))
		awaitReady(create(ctx, r))
		Expect(claimsOf(ctx, r)).To(And(HaveKeyWithValue("sub", adele.Subject), HaveKeyWithValue("aud", "https://graph.example")))
		calls := t.calls()
		Expect(calls).To(HaveLen(1))
		Expect(calls[0].GrantType).To(Equal("urn:ietf:params:oauth:grant-type:jwt-bearer"))
		Expect(calls[0].Parameters).To(ContainElements("assertion", "requested_token_use"))
	})

	DescribeTable("for which the person has to do more says so, with what that is, and goes on with another assertion", func(ctx SpecContext, where func(*corev1.Secret)) {
		const challenge = `{"access_token":{"acrs":{"essential":true,"value":"c1"}}}`
		t := newTenant(ctx)
		t.putAssertion(ctx, "adele", sim.SeedUserToken(t.directory, t.clientID, adele), where)
		t.rule(1, stssim.Action{Error: &stssim.ErrorBody{Error: "interaction_required", Codes: []int{50076}, Claims: challenge}})
		now := create(ctx, t.request("graph", onBehalfOf(fromSecret("adele"))))
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(conditionsOf(r)).To(Equal(map[string]string{"Ready": "False/InteractionRequired", "Issued": "False/InteractionRequired",
				"InteractionRequired": "True/InteractionRequired", "Stalled": "True/InteractionRequired"}))
			g.Expect(r.Status.LastError.Claims).To(Equal(challenge))
		}).Should(Succeed())
		Consistently(t.calls, inSync).Should(HaveLen(1))
		t.putAssertion(ctx, "adele", sim.SeedUserToken(t.directory, t.clientID, adele), where)
		awaitReady(now)
	},
		Entry("in a Secret", func(*corev1.Secret) {}),
		// It is in the cache, so that the watch of credentials leaves it out.
		Entry("in a Secret that looks like the operator's own", func(s *corev1.Secret) {
			metav1.SetMetaDataLabel(&s.ObjectMeta, stsv1alpha1.LabelManaged, stsv1alpha1.LabelManagedValue)
		}),
	)
})

var _ = Describe("What is traded for a token", func() {
	var t tenant

	// minted is a JWT of a partner whom the client's STS trusts.
	minted := func(subject string, expires time.Time) string {
		return must(jwt.NewWithClaims(jwt.SigningMethodES256, jwt.RegisteredClaims{Issuer: partnerIssuer, Subject: subject, ID: subject,
			Audience: jwt.ClaimStrings{sim.PlainIssuer(t.directory)}, ExpiresAt: jwt.NewNumericDate(expires)}).SignedString(ecKey()))
	}
	subjectOf := func(account string) string { return "system:serviceaccount:" + t.namespace + ":" + account }

	BeforeEach(func(ctx SpecContext) {
		t = newTenant(ctx)
		t.register(func(c *stssim.Client) {
			c.Secrets = []stssim.Secret{{Value: goodSecret}}
			c.TrustedIssuers = []stssim.TrustedIssuer{operator.TokenIssuerOf(ctx, cluster), {Issuer: partnerIssuer, Keys: []string{publicPEM(ecKey().Public())}}}
		})
		for _, name := range []string{"workload", "agent"} {
			put(ctx, &corev1.ServiceAccount{ObjectMeta: withAudiences(t.meta(name), sim.PlainIssuer(t.directory))})
		}
		t.putAssertion(ctx, "partner", minted("shop", time.Now().Add(time.Hour)))
	})

	type source func() stsv1alpha1.TokenSource
	partner := func() stsv1alpha1.TokenSource { return fromSecret("partner") }
	workload := func() stsv1alpha1.TokenSource { return t.ofServiceAccount("workload") }
	agent := func() stsv1alpha1.TokenSource { return t.ofServiceAccount("agent") }

	DescribeTable("by a JWT bearer grant is", func(ctx SpecContext, from source, subject func() string) {
		r := t.request("api", t.viaPlain, bearing(from()))
		now := awaitReady(create(ctx, r))
		Expect(claimsOf(ctx, r)).To(HaveKeyWithValue("sub", subject()))
		Expect(now.Status.Token.IssuedTokenType).To(BeEmpty())
		Expect(t.calls()).To(HaveLen(1))
	},
		Entry("a JWT in a Secret", source(partner), func() string { return "shop" }),
		Entry("a service account's token", source(workload), func() string { return subjectOf("workload") }),
	)

	DescribeTable("by a token exchange is", func(ctx SpecContext, from, by source, subject, actor func() string) {
		actors := []func(*stsv1alpha1.TokenExchangeGrant){func(g *stsv1alpha1.TokenExchangeGrant) { g.Audiences = []string{"orders", "bills"} }}
		if by != nil {
			actors = append(actors, actedBy(by()))
		}
		r := t.request("api", t.viaPlain, exchanging(from(), actors...))
		now := awaitReady(create(ctx, r))
		claims := claimsOf(ctx, r)
		Expect(claims).To(HaveKeyWithValue("sub", subject()))
		Expect(claims.GetAudience()).To(ConsistOf("orders", "bills"))
		if by != nil {
			Expect(claims).To(HaveKeyWithValue("act", HaveKeyWithValue("sub", actor())))
		} else {
			Expect(claims).NotTo(HaveKey("act"))
		}
		Expect(now.Status.Token.IssuedTokenType).To(Equal(accessTokenType))
		Expect(t.calls()).To(HaveLen(1))
	},
		Entry("a JWT in a Secret", source(partner), nil, func() string { return "shop" }, nil),
		Entry("a service account's token", source(workload), nil, func() string { return subjectOf("workload") }, nil),
		Entry("a JWT in a Secret, with a service account that acts", source(partner), source(agent), func() string { return "shop" }, func() string { return subjectOf("agent") }),
		Entry("a service account's token, with another that acts", source(workload), source(agent), func() string { return subjectOf("workload") }, func() string { return subjectOf("agent") }),
		Entry("a service account's token, with a JWT in a Secret that acts", source(workload), source(partner), func() string { return subjectOf("workload") }, func() string { return "shop" }),
	)

	It("is what a lost status is made from again, the issued type included", func(ctx SpecContext) {
		r := t.request("api", t.viaPlain, exchanging(partner(), func(g *stsv1alpha1.TokenExchangeGrant) { g.RequestedTokenType = jwtType }))
		now := create(ctx, r)
		before := awaitReady(now)
		Expect(before.Status.Token.IssuedTokenType).To(Equal(jwtType))
		Expect(secretOf(ctx, Default, t.namespace, "api").Annotations).To(HaveKeyWithValue(stsv1alpha1.AnnotationIssuedTokenType, jwtType))

		lost := before.DeepCopy()
		lost.Status = stsv1alpha1.TokenRequestStatus{ObservedGeneration: -1}
		Expect(api.Status().Patch(ctx, lost, client.MergeFrom(before))).To(Succeed())
		Expect(awaitReady(now).Status.Token).To(Equal(before.Status.Token))
		Expect(t.calls()).To(HaveLen(1))
	})

	DescribeTable("and has expired is not sent, and the next is at once", func(ctx SpecContext, grant func(stsv1alpha1.TokenSource) func(*stsv1alpha1.TokenRequest)) {
		t.putAssertion(ctx, "partner", minted("shop", time.Now().Add(-time.Second)))
		now := create(ctx, t.request("api", t.viaPlain, grant(partner())))
		r := denied(now, refusedWith("AssertionExpired"))
		Expect(messageOf(r, "Ready")).To(ContainSubstring("Secret " + t.namespace + "/partner key assertion"))
		Consistently(t.calls, inSync).Should(BeEmpty())
		t.putAssertion(ctx, "partner", minted("shop", time.Now().Add(time.Hour)))
		awaitReady(now)
		Expect(t.calls()).To(HaveLen(1))
	},
		Entry("by a JWT bearer grant", bearing),
		Entry("by a token exchange", func(s stsv1alpha1.TokenSource) func(*stsv1alpha1.TokenRequest) { return exchanging(s) }),
		Entry("by a token exchange, as actor", func(s stsv1alpha1.TokenSource) func(*stsv1alpha1.TokenRequest) {
			return exchanging(workload(), actedBy(s))
		}),
	)
})
