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
	"encoding/pem"
	"math/big"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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
