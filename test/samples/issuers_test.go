// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package samples_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokenrequest.dev/operator/test/stssim"
)

// accountIssuer reads the issuer and the keys of the API server's service account tokens from where an
// STS that trusts them reads them (OpenID Connect Discovery, RFC 7517).
func accountIssuer(ctx SpecContext) stssim.TrustedIssuer {
	GinkgoHelper()
	var metadata struct{ Issuer string }
	Expect(json.Unmarshal(cluster.Raw(ctx, "/.well-known/openid-configuration"), &metadata)).To(Succeed())
	Expect(metadata.Issuer).NotTo(BeEmpty())
	var set struct {
		Keys []struct{ Kty, Crv, X, Y string }
	}
	Expect(json.Unmarshal(cluster.Raw(ctx, "/openid/v1/jwks"), &set)).To(Succeed())
	Expect(set.Keys).NotTo(BeEmpty())
	issuer := stssim.TrustedIssuer{Issuer: metadata.Issuer}
	for _, key := range set.Keys {
		// That is the kind of key that envtest makes.
		Expect(key.Kty + " " + key.Crv).To(Equal("EC P-256"))
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, octets(key.X), octets(key.Y)))
		Expect(err).NotTo(HaveOccurred())
		der, err := x509.MarshalPKIXPublicKey(public)
		Expect(err).NotTo(HaveOccurred())
		issuer.Keys = append(issuer.Keys, inPEM("PUBLIC KEY", der))
	}
	return issuer
}

// octets are a coordinate (RFC 7518 section 6.2.1.2).
func octets(text string) []byte {
	GinkgoHelper()
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	Expect(err).NotTo(HaveOccurred())
	return decoded
}

// certified is a Secret as cert-manager makes it, whose issuer is an intermediate CA. The
// private key has the encoding that is cert-manager's default.
func certified(name string, key crypto.Signer) *corev1.Secret {
	GinkgoHelper()
	rootKey, caKey := newECKey(), newECKey()
	root := certificate("internal root", rootKey.Public(), nil, rootKey)
	ca := certificate("internal CA", caKey.Public(), root, rootKey)
	leaf := certificate(name, key.Public(), ca, caKey)
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Type:       corev1.SecretTypeTLS,
		Data: map[string][]byte{
			corev1.TLSCertKey:       []byte(inPEM("CERTIFICATE", leaf.Raw) + inPEM("CERTIFICATE", ca.Raw)),
			corev1.TLSPrivateKeyKey: []byte(privateKey(key)),
			"ca.crt":                []byte(inPEM("CERTIFICATE", root.Raw)),
		},
	}
}

func newECKey() *ecdsa.PrivateKey {
	GinkgoHelper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	return key
}

func newRSAKey() *rsa.PrivateKey {
	GinkgoHelper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	Expect(err).NotTo(HaveOccurred())
	return key
}

// certificate issues one; the root, whose issuer is nil, signs itself.
func certificate(name string, key crypto.PublicKey, issuer *x509.Certificate, issuerKey crypto.Signer) *x509.Certificate {
	GinkgoHelper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(24 * time.Hour),
	}
	if issuer == nil {
		issuer = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key, issuerKey)
	Expect(err).NotTo(HaveOccurred())
	parsed, err := x509.ParseCertificate(der)
	Expect(err).NotTo(HaveOccurred())
	return parsed
}

func privateKey(key crypto.Signer) string {
	GinkgoHelper()
	if pair, isRSA := key.(*rsa.PrivateKey); isRSA {
		return inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(pair))
	}
	der, err := x509.MarshalECPrivateKey(key.(*ecdsa.PrivateKey))
	Expect(err).NotTo(HaveOccurred())
	return inPEM("EC PRIVATE KEY", der)
}

func inPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
