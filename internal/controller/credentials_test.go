// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

const entraAudience = "api://AzureADTokenExchange"

// Keys are slow to make, and none is changed.
var (
	rsaKey = sync.OnceValue(func() crypto.Signer { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey  = sync.OnceValue(newECKey)
)

func newECKey() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// keyPair is a key with its certificate and that of the CA that signed it, in PEM.
type keyPair struct{ certificate, ca, key string }

func newKeyPair(key crypto.Signer) keyPair {
	caKey := newECKey()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "spec CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(counter.Add(1)), Subject: pkix.Name{CommonName: "spec client"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter}
	asPEM := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return keyPair{
		certificate: asPEM("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey))),
		ca:          asPEM("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey))),
		key:         asPEM("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))),
	}
}

// putKeyPair stores a key pair as cert-manager does.
func (t tenant) putKeyPair(ctx SpecContext, p keyPair) {
	GinkgoHelper()
	put(ctx, &corev1.Secret{ObjectMeta: t.meta("pair"), Type: corev1.SecretTypeTLS, Data: map[string][]byte{
		corev1.TLSCertKey: []byte(p.certificate + p.ca), corev1.TLSPrivateKeyKey: []byte(p.key)}})
}

// signing has a request's client sign its assertions with the key pair.
func signing(change ...func(*stsv1alpha1.PrivateKeyJWTCredential)) func(*stsv1alpha1.TokenRequest) {
	return func(r *stsv1alpha1.TokenRequest) {
		c := &stsv1alpha1.PrivateKeyJWTCredential{SecretRef: stsv1alpha1.SecretRef{Name: "pair"}}
		for _, f := range change {
			f(c)
		}
		r.Spec.Issuer.Credential = &stsv1alpha1.Credential{PrivateKeyJWT: c}
	}
}

// presentingCertificate has a request's client present the certificate of the key pair.
func presentingCertificate(r *stsv1alpha1.TokenRequest) {
	r.Spec.Issuer.Credential = &stsv1alpha1.Credential{TLSClientAuth: &stsv1alpha1.TLSClientAuthCredential{SecretRef: stsv1alpha1.SecretRef{Name: "pair"}}}
}

// assertions are the JWTs of a subject that came to the simulator, in no order. Those that it issued
// itself aren't among them.
func assertions(subject string) []*jwt.Token {
	var found []*jwt.Token
	for _, text := range sim.Canaries() {
		token, _, err := jwt.NewParser().ParseUnverified(text, jwt.MapClaims{})
		if err != nil || token.Method == jwt.SigningMethodHS256 {
			continue
		}
		if of, err := token.Claims.GetSubject(); err == nil && of == subject {
			found = append(found, token)
		}
	}
	return found
}

func publicPEM(key crypto.PublicKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(key))}))
}

var _ = Describe("A client that signs its assertions", func() {
	type header map[string]any
	plainHeader := func(algorithm string) header { return header{"alg": algorithm} }

	DescribeTable("is let in, each time with another one",
		func(ctx SpecContext, key func() crypto.Signer, want header, audience func(tenant) string, change func(tenant, *stsv1alpha1.TokenRequest)) {
			t := newTenant(ctx)
			pair := newKeyPair(key())
			t.putKeyPair(ctx, pair)
			t.register(func(c *stssim.Client) { c.Certificates = []string{pair.certificate} })
			r := t.request("graph", func(r *stsv1alpha1.TokenRequest) { change(t, r) })
			awaitReady(create(ctx, r))
			// The simulator refuses one that came before.
			refresh(ctx, r, "once more")
			Expect(t.calls()).To(HaveLen(2))
			for _, call := range t.calls() {
				Expect(call.AuthMethod).To(Equal("private_key_jwt"))
				Expect(call.Error).To(BeEmpty())
			}

			sent := assertions(t.clientID)
			Expect(sent).To(HaveLen(2))
			Expect(sent[0].Claims.(jwt.MapClaims)["jti"]).NotTo(Equal(sent[1].Claims.(jwt.MapClaims)["jti"]))
			for _, assertion := range sent {
				Expect(assertion.Claims.GetAudience()).To(ConsistOf(audience(t)))
				for name, value := range want {
					Expect(assertion.Header).To(HaveKeyWithValue(name, value))
				}
				if want["kid"] == nil {
					Expect(assertion.Header).NotTo(HaveKey("kid"))
				}
				if want["x5c"] == nil {
					Expect(assertion.Header).NotTo(HaveKey("x5c"))
				}
			}
		},
		Entry("of an RSA key, as PS256", rsaKey, plainHeader("PS256"), entraTokenEndpoint, func(_ tenant, r *stsv1alpha1.TokenRequest) { signing()(r) }),
		Entry("of an RSA key, as RS256 where that is asked for", rsaKey, plainHeader("RS256"), entraTokenEndpoint, func(_ tenant, r *stsv1alpha1.TokenRequest) {
			signing(func(c *stsv1alpha1.PrivateKeyJWTCredential) { c.Algorithm = "RS256" })(r)
		}),
		Entry("of an RSA key, as PS256 where that is asked for", rsaKey, plainHeader("PS256"), entraTokenEndpoint, func(_ tenant, r *stsv1alpha1.TokenRequest) {
			signing(func(c *stsv1alpha1.PrivateKeyJWTCredential) { c.Algorithm = "PS256" })(r)
		}),
		Entry("of a P-256 key, as ES256", ecKey, plainHeader("ES256"), entraTokenEndpoint, func(_ tenant, r *stsv1alpha1.TokenRequest) { signing()(r) }),
		Entry("with the name of the key", ecKey, header{"alg": "ES256", "kid": "key-of-march"}, entraTokenEndpoint, func(_ tenant, r *stsv1alpha1.TokenRequest) {
			signing(func(c *stsv1alpha1.PrivateKeyJWTCredential) { c.KeyID = "key-of-march" })(r)
		}),
		Entry("with the certificate's chain", rsaKey, header{"alg": "PS256", "x5c": HaveLen(2)}, entraTokenEndpoint, func(_ tenant, r *stsv1alpha1.TokenRequest) {
			signing(func(c *stsv1alpha1.PrivateKeyJWTCredential) { c.SendChain = true })(r)
		}),
		Entry("for the issuer that Entra's metadata names", rsaKey, plainHeader("PS256"), func(t tenant) string { return sim.EntraAuthority(t.directory) + "/v2.0" },
			func(t tenant, r *stsv1alpha1.TokenRequest) {
				signing(forIssuer)(r)
				r.Spec.Issuer.TokenEndpoint, r.Spec.Issuer.Authority = "", stsv1alpha1.HTTPSURL(sim.EntraAuthority(t.directory)+"/v2.0")
			}),
		Entry("for the issuer that another service's metadata names", ecKey, plainHeader("ES256"), func(t tenant) string { return sim.PlainIssuer(t.directory) },
			func(t tenant, r *stsv1alpha1.TokenRequest) {
				signing(forIssuer)(r)
				r.Spec.Scopes = []stsv1alpha1.Scope{"read"}
				r.Spec.Issuer.TokenEndpoint, r.Spec.Issuer.Authority = "", stsv1alpha1.HTTPSURL(sim.PlainIssuer(t.directory))
			}),
	)

	It("with a key that isn't registered is told where it comes from, and goes on at once with another", func(ctx SpecContext) {
		t := newTenant(ctx)
		registered := newKeyPair(ecKey())
		t.putKeyPair(ctx, newKeyPair(newECKey()))
		t.register(func(c *stssim.Client) { c.Certificates = []string{registered.certificate} })
		now := create(ctx, t.request("graph", signing()))
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "Ready")).To(Equal("False/InvalidClient"))
			g.Expect(r.Status.LastError).NotTo(BeNil())
			g.Expect(r.Status.LastError.Codes).To(ContainElement(int64(700027)))
			g.Expect(messageOf(r, "Ready")).To(And(ContainSubstring("AADSTS700027"), ContainSubstring("Secret "+t.namespace+"/pair")))
		}).Should(Succeed())
		t.putKeyPair(ctx, registered)
		awaitReady(now)
	})
})

func entraTokenEndpoint(t tenant) string {
	return sim.EntraAuthority(t.directory) + "/oauth2/v2.0/token"
}

func forIssuer(c *stsv1alpha1.PrivateKeyJWTCredential) { c.Audience = "Issuer" }

var _ = Describe("A client that presents a certificate", func() {
	DescribeTable("is let in", func(ctx SpecContext, address func(tenant, *stsv1alpha1.IssuerSpec)) {
		t := newTenant(ctx)
		pair := newKeyPair(ecKey())
		t.putKeyPair(ctx, pair)
		t.register(func(c *stssim.Client) { c.Certificates = []string{pair.certificate} })
		r := t.request("graph", t.viaPlain, presentingCertificate, func(r *stsv1alpha1.TokenRequest) { address(t, r.Spec.Issuer) })
		awaitReady(create(ctx, r))
		calls := t.calls()
		Expect(calls).To(HaveLen(1))
		Expect(calls[0].AuthMethod).To(Equal("tls_client_auth"))
		Expect(calls[0].Path).To(Equal("/plain/" + t.directory + "/mtls/token"))
	},
		Entry("at the endpoint that the issuer names", func(t tenant, i *stsv1alpha1.IssuerSpec) {
			i.TokenEndpoint = stsv1alpha1.HTTPSURL(sim.PlainIssuer(t.directory) + "/mtls/token")
		}),
		Entry("at the alias that metadata name for certificates (RFC 8705, section 5)", func(t tenant, i *stsv1alpha1.IssuerSpec) {
			i.TokenEndpoint, i.Authority = "", stsv1alpha1.HTTPSURL(sim.PlainIssuer(t.directory))
		}),
	)
})

var _ = Describe("A client without a credential", func() {
	It("trades what it has, and presents nothing", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.register(func(c *stssim.Client) {
			c.Public, c.UserAssertions = true, []string{"stssim-spec-assertion-" + t.namespace}
		})
		put(ctx, &corev1.Secret{ObjectMeta: t.meta("user"), Data: map[string][]byte{"assertion": []byte("stssim-spec-assertion-" + t.namespace)}})
		awaitReady(create(ctx, t.request("graph", t.viaPlain, exchanging(fromSecret("user")), func(r *stsv1alpha1.TokenRequest) { r.Spec.Issuer.Credential = nil })))
		calls := t.calls()
		Expect(calls).To(HaveLen(1))
		Expect(calls[0].AuthMethod).To(Equal("none"))
		Expect(calls[0].Parameters).To(ContainElement("client_id"))
	})
})

var _ = Describe("A client for which a service account stands", func() {
	var t tenant
	var trusted stssim.FederatedCredential

	federated := func(r *stsv1alpha1.TokenRequest) { r.Spec.Issuer.Credential = federatedBy("workload", "") }

	BeforeEach(func(ctx SpecContext) {
		t = newTenant(ctx)
		api := operator.TokenIssuerOf(ctx, cluster)
		trusted = stssim.FederatedCredential{Issuer: api.Issuer, Keys: api.Keys, Audience: entraAudience,
			Subject: "system:serviceaccount:" + t.namespace + ":workload"}
	})
	trust := func(change ...func(*stssim.FederatedCredential)) {
		f := trusted
		for _, c := range change {
			c(&f)
		}
		t.register(func(c *stssim.Client) { c.Federated = []stssim.FederatedCredential{f} })
	}

	It("is known by a signature of this cluster, each time of another token", func(ctx SpecContext) {
		trust()
		put(ctx, &corev1.ServiceAccount{ObjectMeta: withAudiences(t.meta("workload"), entraAudience)})
		r := t.request("graph", federated)
		awaitReady(create(ctx, r))
		refresh(ctx, r, "once more")
		Expect(t.calls()).To(HaveLen(2))
		sent := assertions(trusted.Subject)
		Expect(sent).To(HaveLen(2))
		for _, assertion := range sent {
			Expect(assertion.Claims.GetAudience()).To(ConsistOf(entraAudience))
		}
	})

	It("isn't known by a signature that isn't this cluster's", func(ctx SpecContext) {
		trust(func(f *stssim.FederatedCredential) { f.Keys = []string{publicPEM(rsaKey().Public())} })
		put(ctx, &corev1.ServiceAccount{ObjectMeta: withAudiences(t.meta("workload"), entraAudience)})
		now := create(ctx, t.request("graph", federated))
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "Ready")).To(Equal("False/InvalidClient"))
			g.Expect(messageOf(r, "Ready")).To(ContainSubstring("ServiceAccount " + t.namespace + "/workload"))
		}).Should(Succeed())
	})

	It("goes on at once when the service account's owner consents", func(ctx SpecContext) {
		trust()
		account := &corev1.ServiceAccount{ObjectMeta: t.meta("workload")}
		put(ctx, account)
		now := create(ctx, t.request("graph", federated))
		r := denied(now, refusedWith("CredentialNotAllowed"))
		Expect(messageOf(r, "Ready")).To(ContainSubstring("kubectl annotate serviceaccount workload --namespace=" + t.namespace))
		Expect(t.calls()).To(BeEmpty())
		Expect(assertions(trusted.Subject)).To(BeEmpty())
		change(ctx, account, func(a *corev1.ServiceAccount) { a.Annotations = withAudiences(t.meta(""), entraAudience).Annotations })
		awaitReady(now)
	})

	DescribeTable("whom the STS doesn't know as it is, is told all that it has to be known by", func(ctx SpecContext, code int64, change func(*stssim.FederatedCredential)) {
		trust(change)
		put(ctx, &corev1.ServiceAccount{ObjectMeta: withAudiences(t.meta("workload"), entraAudience)})
		now := create(ctx, t.request("graph", federated))
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "Ready")).To(Equal("False/InvalidClient"))
			g.Expect(r.Status.LastError).NotTo(BeNil())
			g.Expect(r.Status.LastError.Codes).To(ContainElement(code))
			g.Expect(messageOf(r, "Ready")).To(And(
				ContainSubstring(trusted.Issuer), ContainSubstring(trusted.Subject), ContainSubstring(trusted.Audience)))
		}).Should(Succeed())
	},
		Entry("by its issuer", int64(700211), func(f *stssim.FederatedCredential) { f.Issuer += "/" }),
		Entry("by its audience", int64(700212), func(f *stssim.FederatedCredential) { f.Audience = "api://azureadtokenexchange" }),
		Entry("by its subject", int64(700213), func(f *stssim.FederatedCredential) { f.Subject += "-of-old" }),
	)
})
