// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/oauth2"
	oauth2jwt "golang.org/x/oauth2/jwt"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/discovery"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/interop/authserver"
)

// assertionIssuer signs assertions about people.
const assertionIssuer = "https://people.example"

// bearing has a request trade an assertion.
func bearing(source stsv1alpha1.TokenSource) change {
	return func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantJWTBearer, JWTBearer: &stsv1alpha1.AssertionGrant{Assertion: source}}
	}
}

// fromSecret is the assertion that putAssertion stores.
var fromSecret = stsv1alpha1.TokenSource{SecretRef: &stsv1alpha1.SecretKeyRef{Name: "alice", Key: "assertion"}}

// putAssertion stores an assertion about alice that the server hasn't seen before.
func (w world) putAssertion(ctx SpecContext, key crypto.Signer) {
	GinkgoHelper()
	w.putValue(ctx, "alice", "assertion", w.assertion(key, jose.RS256, "k1", assertionIssuer, "alice"))
}

// basic adds a client's authentication, which golang.org/x/oauth2/jwt has no place for.
type basic struct {
	client authserver.Client
	next   http.RoundTripper
}

func (b basic) RoundTrip(request *http.Request) (*http.Response, error) {
	authenticated := request.Clone(request.Context())
	authenticated.SetBasicAuth(b.client.ID, b.client.Secret)
	return b.next.RoundTrip(authenticated)
}

// bearerOracle trades an assertion about alice by another client library, which signs it as well.
func (w world) bearerOracle(ctx context.Context, key crypto.Signer) (*oauth2.Token, error) {
	GinkgoHelper()
	config := oauth2jwt.Config{
		Email: assertionIssuer, Subject: "alice", PrivateKey: privatePEM(key), PrivateKeyID: "k1",
		TokenURL: w.URL() + tokenPath, PrivateClaims: map[string]any{"jti": rand.Text()},
	}
	authenticating := &http.Client{Transport: basic{client: w.client, next: w.trusting().Transport}}
	return config.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, authenticating)).Token()
}

var _ = Describe("An assertion", func() {
	It("from a Secret is traded once; when it is refused the token stays, and a new assertion brings the next at once", func(ctx SpecContext) {
		key := newRSA()
		w := newWorld(ctx, authserver.Options{}, authserver.Client{})
		Expect(w.TrustKey(authserver.TrustedKey{Issuer: assertionIssuer, Subject: "alice", KeyID: "k1", Key: key.Public(), Scopes: []string{"read"}})).To(Succeed())
		w.putAssertion(ctx, key)
		now := create(ctx, w.request("graph", bearing(fromSecret), scopes("read")))
		first := awaitReady(now)

		By("asking again, with an assertion that the server has seen")
		before := w.tokenSecret(ctx, Default, "graph")
		ask(ctx, now)
		refused := await(now, map[string]string{"Ready": "True/TokenValid", "Issued": "False/InvalidGrant"})
		Expect(refused.Status.LastError.Class).To(Equal(stsv1alpha1.ErrorClass("Credential")))
		Expect(refused.Status.LastError.Error).To(Equal("jti_known"))
		Expect(refused.Status.LastError.Remedy).To(ContainSubstring("Secret %s/alice key assertion", w.namespace))
		Expect(messageOf(refused, "Issued")).To(HaveSuffix(refused.Status.LastError.Remedy))
		Expect(refused.Status.Token).To(Equal(first.Status.Token))
		Expect(w.tokenSecret(ctx, Default, "graph").ResourceVersion).To(Equal(before.ResourceVersion))
		Consistently(w.Calls, inSync).Should(Equal(authserver.Calls{Token: 2, Discovery: 1}), "the same answer isn't asked for again")

		By("putting a new one there")
		w.putAssertion(ctx, key)
		healed := awaitReady(now)
		Expect(readySince(healed)).To(Equal(readySince(first)))
		Expect(healed.Status.LastError).To(BeNil())
		Expect(healed.Status.Token.IssuedAt.Time).To(BeTemporally("<", refused.Status.NextAttemptAt.Time))
		Expect(w.Calls()).To(Equal(authserver.Calls{Token: 3, Discovery: 1}))
		Expect(w.IssuedTokens()).To(HaveLen(2))
		Expect(w.verify(ctx, string(w.tokenSecret(ctx, Default, "graph").Data["access_token"])).identity()).To(Equal(
			identity{Issuer: w.URL(), Subject: "alice", ClientID: "graph", Scope: "read"}))
		Eventually(func(g Gomega) {
			g.Expect(eventsOf(ctx, g, healed)).To(ConsistOf("Warning/InvalidGrant", "Normal/TokenIssued"))
		}).Should(Succeed())
	})

	It("brings the same token as golang.org/x/oauth2/jwt", func(ctx SpecContext) {
		key := newRSA()
		w := newWorld(ctx, authserver.Options{}, authserver.Client{})
		Expect(w.TrustKey(authserver.TrustedKey{Issuer: assertionIssuer, Subject: "alice", KeyID: "k1", Key: key.Public()})).To(Succeed())
		began := time.Now()
		theirs, err := w.bearerOracle(ctx, key)
		Expect(err).NotTo(HaveOccurred())
		w.putAssertion(ctx, key)
		r := awaitReady(create(ctx, w.request("graph", bearing(fromSecret), scopes())))
		ours := w.tokenSecret(ctx, Default, "graph").Data
		Expect(w.verify(ctx, string(ours["access_token"])).identity()).To(Equal(w.verify(ctx, theirs.AccessToken).identity()))
		Expect(string(ours["token_type"])).To(Equal(theirs.TokenType))
		Expect(r.Status.Token.ExpiresAt.Time).To(BeTemporally("~", theirs.Expiry, time.Second+time.Since(began)))
	})

	It("that nobody trusts is refused, with the Secret's name", func(ctx SpecContext) {
		w := newWorld(ctx, authserver.Options{}, authserver.Client{})
		w.putAssertion(ctx, newRSA())
		refused := awaitRefusal(create(ctx, w.request("graph", bearing(fromSecret))), stsv1alpha1.ReasonInvalidGrant)
		Expect(refused.Status.LastError.Error).To(Equal("invalid_grant"))
		Expect(refused.Status.LastError.Remedy).To(ContainSubstring("Secret %s/alice key assertion", w.namespace))
	})

	It("of a ServiceAccount is minted anew for each token", func(ctx SpecContext) {
		w := newWorld(ctx, authserver.Options{}, authserver.Client{})
		account := &corev1.ServiceAccount{ObjectMeta: w.meta("robot")}
		account.Annotations = map[string]string{stsv1alpha1.AnnotationAllowedAudiences: w.URL() + tokenPath}
		Expect(api.Create(ctx, account)).To(Succeed())
		subject := "system:serviceaccount:" + w.namespace + ":robot"
		w.trustCluster(ctx, subject)

		now := create(ctx, w.request("graph", scopes("read"), bearing(stsv1alpha1.TokenSource{
			ServiceAccount: &stsv1alpha1.ServiceAccountToken{Name: "robot", Audience: w.URL() + tokenPath}})))
		since := readySince(awaitReady(now))
		for range 2 {
			ask(ctx, now)
			Expect(readySince(awaitReady(now))).To(Equal(since))
		}
		issued := w.IssuedTokens()
		Expect(issued).To(HaveLen(3))
		Expect(issued[2].Subject).To(Equal(subject))
		Expect(w.tokenSecret(ctx, Default, "graph").Data["access_token"]).To(BeEquivalentTo(issued[2].AccessToken))
		Expect(w.Calls()).To(Equal(authserver.Calls{Token: 3, Discovery: 1}))
		Expect(eventsOf(ctx, Default, now(Default))).NotTo(ContainElement(HavePrefix("Warning/")))
	})
})

// trustCluster has the server trust the API server's tokens about a subject, by what that shows of
// itself.
func (w world) trustCluster(ctx SpecContext, subject string) {
	GinkgoHelper()
	var about struct{ Issuer string }
	askCluster(ctx, "/.well-known/openid-configuration", &about)
	var keys jose.JSONWebKeySet
	askCluster(ctx, "/openid/v1/jwks", &keys)
	Expect(keys.Keys).NotTo(BeEmpty())
	for _, key := range keys.Keys {
		Expect(w.TrustKey(authserver.TrustedKey{Issuer: about.Issuer, Subject: subject, KeyID: key.KeyID, Key: key.Key, Scopes: []string{"read"}})).To(Succeed())
	}
}

// askCluster decodes the JSON at a path of the API server.
func askCluster(ctx SpecContext, path string, into any) {
	GinkgoHelper()
	reader, err := discovery.NewDiscoveryClientForConfig(cluster)
	Expect(err).NotTo(HaveOccurred())
	raw, err := reader.RESTClient().Get().AbsPath(path).DoRaw(ctx)
	Expect(err).NotTo(HaveOccurred())
	Expect(json.Unmarshal(raw, into)).To(Succeed())
}
