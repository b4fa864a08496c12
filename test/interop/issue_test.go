// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/interop/authserver"
)

// way is one of the ways from an authorization server to a Secret.
type way struct {
	// server says what the server does, registered how it lets the client authenticate.
	server     authserver.Options
	registered authserver.AuthMethod
	// spec is what the request says.
	spec []change
	// discovery is how often the operator has to ask for metadata.
	discovery int
}

var _ = Describe("Issuing a token", func() {
	DescribeTable("fills the Secret with what the server issued, for one call",
		func(ctx SpecContext, way way) {
			w := newWorld(ctx, way.server, authserver.Client{AuthMethod: way.registered})
			began := time.Now()
			r := awaitReady(create(ctx, w.request("graph", way.spec...)))
			took := time.Since(began)

			Expect(w.Calls()).To(Equal(authserver.Calls{Token: 1, Discovery: way.discovery}))
			issued := w.IssuedTokens()[0]
			Expect(issued.ClientID).To(Equal("graph"))
			Expect(issued.Scopes).To(Equal([]string{"read", "write"}))
			Expect(w.tokenSecret(ctx, Default, "graph").Data).To(Equal(map[string][]byte{
				"access_token": []byte(issued.AccessToken),
				"token_type":   []byte("bearer"),
				"scope":        []byte("read write"),
				"expires_at":   []byte(r.Status.Token.ExpiresAt.UTC().Format(time.RFC3339)),
			}))
			Expect(r.Status.Token.TokenType).To(Equal("bearer"))
			Expect(r.Status.Token.Scopes).To(Equal([]string{"read", "write"}))
			// A whole second each is lost to expires_in and to the operator's stamp, never won.
			Expect(r.Status.Token.ExpiresAt.Time).To(And(
				BeTemporally("<=", issued.ExpiresAt), BeTemporally(">", issued.ExpiresAt.Add(-2*time.Second-took))))
			if way.server.TokenFormat == authserver.Opaque {
				Expect(strings.Count(issued.AccessToken, ".")).To(Equal(1), "an opaque token that looks like a JWT")
				return
			}
			claims := w.verify(ctx, issued.AccessToken)
			Expect(claims.identity()).To(Equal(identity{Issuer: w.URL(), Subject: "graph", ClientID: "graph", Scope: "read write"}))
			Expect(r.Status.Token.ExpiresAt.Time).To(BeTemporally("<=", claims.Expiry.Time()))
		},
		Entry("by OpenID Connect's metadata, which offers basic first", way{discovery: 1}),
		Entry("by RFC 8414's metadata, where there is no OpenID", way{
			server: authserver.Options{WithoutOpenID: true}, discovery: 2,
		}),
		Entry("by an authority with a slash at the end", way{
			spec:      []change{func(r *stsv1alpha1.TokenRequest) { r.Spec.Issuer.Authority += "/" }},
			discovery: 1,
		}),
		Entry("by metadata that offers post alone", way{
			server:     authserver.Options{AuthMethods: []authserver.AuthMethod{authserver.ClientSecretPost}},
			registered: authserver.ClientSecretPost,
			discovery:  1,
		}),
		Entry("by metadata that offers post first, to a client of basic", way{
			server:    authserver.Options{AuthMethods: []authserver.AuthMethod{authserver.ClientSecretPost, authserver.ClientSecretBasic}},
			discovery: 1,
		}),
		Entry("by metadata that offers basic first, to a client whose spec says post", way{
			registered: authserver.ClientSecretPost,
			spec:       []change{by(stsv1alpha1.ClientSecretPost)},
			discovery:  1,
		}),
		Entry("by the token endpoint, to a client whose spec says basic", way{
			spec: []change{byTokenEndpoint, by(stsv1alpha1.ClientSecretBasic)},
		}),
		Entry("by the token endpoint, to a client whose spec says post", way{
			registered: authserver.ClientSecretPost,
			spec:       []change{byTokenEndpoint, by(stsv1alpha1.ClientSecretPost)},
		}),
		Entry("by the token endpoint, to a client of basic whose spec says nothing", way{
			spec: []change{byTokenEndpoint},
		}),
		Entry("by the token endpoint beside an authority, without discovery", way{
			spec: []change{func(r *stsv1alpha1.TokenRequest) { r.Spec.Issuer.TokenEndpoint = r.Spec.Issuer.Authority + tokenPath }},
		}),
		Entry("which is opaque, by metadata and basic", way{
			server: authserver.Options{TokenFormat: authserver.Opaque}, discovery: 1,
		}),
		Entry("which is opaque, by the token endpoint and post", way{
			server:     authserver.Options{TokenFormat: authserver.Opaque},
			registered: authserver.ClientSecretPost,
			spec:       []change{byTokenEndpoint, by(stsv1alpha1.ClientSecretPost)},
		}),
	)

	It("asks for exactly the scopes of the spec, and for none when it names none", func(ctx SpecContext) {
		w := newWorld(ctx, authserver.Options{}, authserver.Client{})
		awaitReady(create(ctx, w.request("one", scopes("write"))))
		Expect(w.tokenSecret(ctx, Default, "one").Data).To(HaveKeyWithValue("scope", []byte("write")))

		r := awaitReady(create(ctx, w.request("none", scopes())))
		Expect(r.Status.Token.Scopes).To(BeEmpty())
		Expect(w.tokenSecret(ctx, Default, "none").Data).NotTo(HaveKey("scope"))

		issued := w.IssuedTokens()
		Expect(issued).To(HaveLen(2))
		Expect(issued[0].Scopes).To(Equal([]string{"write"}))
		Expect(issued[1].Scopes).To(BeEmpty())
	})

	It("costs one discovery for all requests and one token call for each, and no more after that", func(ctx SpecContext) {
		w := newWorld(ctx, authserver.Options{}, authserver.Client{})
		first := create(ctx, w.request("first"))
		awaitReady(first)
		second := create(ctx, w.request("second", scopes("read")))
		awaitReady(second)
		Consistently(w.Calls, inSync).Should(Equal(authserver.Calls{Token: 2, Discovery: 1}))
		Expect(eventsOf(ctx, Default, first(Default))).To(BeEmpty())
		Expect(eventsOf(ctx, Default, second(Default))).To(BeEmpty())
	})
})
