// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
)

// keyPairRows are each way in which a key pair can be wrong.
var keyPairRows = []row{
	refusalWith("No Secret with the key pair", "The Secret doesn't exist.", nil, signs("")),
	paired("No certificate", "The Secret has no key `tls.crt`.", "", func() pairOf { return pairOf{key: keyPEM(onP256())} }),
	paired("No private key", "The Secret has no key `tls.key`.", "", func() pairOf { return pairOf{certificate: certificateFor(onP256())} }),
	paired("An empty private key", "`tls.key` is empty.", "", func() pairOf { return pairOf{certificate: certificateFor(onP256()), key: []byte{}} }),
	paired("A certificate that isn't PEM", "`tls.crt` isn't PEM.", "", func() pairOf { return pairOf{[]byte("see the wiki"), keyPEM(onP256())} }),
	paired("A private key that isn't PEM", "`tls.key` isn't PEM.", "", func() pairOf { return pairOf{certificateFor(onP256()), []byte("see the wiki")} }),
	paired("A certificate that can't be read", "`tls.crt` is PEM around something else.", "", func() pairOf {
		return pairOf{inPEM("CERTIFICATE", []byte("no certificate")), keyPEM(onP256())}
	}),
	paired("A private key that can't be read", "`tls.key` is PEM around something else.", "", func() pairOf {
		return pairOf{certificateFor(onP256()), inPEM("PRIVATE KEY", []byte("no key"))}
	}),
	paired("An encrypted private key", "`tls.key` has a passphrase.", "", func() pairOf {
		return pairOf{certificateFor(onP256()), inPEM("ENCRYPTED PRIVATE KEY", []byte("who knows"))}
	}),
	paired("A key of another certificate", "`tls.key` belongs to another certificate.", "", func() pairOf { return pairOf{certificateFor(onP256()), keyPEM(onP256())} }),
	paired("A key that can't sign", "`tls.key` is for key agreement.", "", func() pairOf {
		return pairOf{certificateFor(onP256()), keyPEM(must(ecdh.X25519().GenerateKey(rand.Reader)))}
	}),
	paired("A key that no algorithm signs with", "`tls.key` is of Ed25519.", "", func() pairOf {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return pairOf{certificateFor(must(key, err)), keyPEM(key)}
	}),
	paired("A short RSA key", "`tls.key` is an RSA key of 1024 bits.", "", func() pairOf { return matching(must(rsa.GenerateKey(rand.Reader, 1024))) }),
	paired("A key on another curve", "`tls.key` is on P-384.", "", func() pairOf { return matching(must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))) }),
	paired("An RSA key for ES256", "`algorithm` is ES256, and the key is of RSA.", "ES256", func() pairOf { return matching(must(rsa.GenerateKey(rand.Reader, 2048))) }),
	paired("An ECDSA key for RS256", "`algorithm` is RS256, and the key is of ECDSA.", "RS256", func() pairOf { return matching(onP256()) }),
	paired("A certificate that has expired", "The certificate expired in 2001.", "", func() pairOf {
		key := onP256()
		return pairOf{certificateWithin(key, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)), keyPEM(key)}
	}),
	paired("A certificate of the future", "The certificate isn't valid before the year 2100.", "", func() pairOf {
		key := onP256()
		return pairOf{certificateWithin(key, time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2101, 1, 1, 0, 0, 0, 0, time.UTC)), keyPEM(key)}
	}),
	{
		name: "A key pair for another host", does: "The owner of the key pair's Secret lets it be used elsewhere only.", spec: signs(""),
		with: pairIn(map[string]string{stsv1alpha1.AnnotationAllowedHosts: "login.microsoftonline.com"}, func() pairOf { return matching(onP256()) }),
	}, {
		name: "A client certificate without its key", does: "The certificate is for TLS, and its Secret has no key `tls.key`.", spec: showsCertificate,
		with: pairIn(nil, func() pairOf { return pairOf{certificate: certificateFor(onP256())} }),
	},
}

// pairOf is what stands in a Secret; a nil part isn't there.
type pairOf struct{ certificate, key []byte }

func paired(name, does string, algorithm stsv1alpha1.SigningAlgorithm, pair func() pairOf) row {
	return row{name: name, does: does, spec: signs(algorithm), with: pairIn(nil, pair)}
}

func pairIn(annotations map[string]string, pair func() pairOf) func(operator.Tenant) []client.Object {
	return func(t operator.Tenant) []client.Object {
		data := map[string][]byte{}
		p := pair()
		for key, value := range map[string][]byte{corev1.TLSCertKey: p.certificate, corev1.TLSPrivateKeyKey: p.key} {
			if value != nil {
				data[key] = value
			}
		}
		return []client.Object{&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: pairName, Annotations: annotations}, Data: data}}
	}
}

const pairName = "shop-tls"

func signs(algorithm stsv1alpha1.SigningAlgorithm) func(*stsv1alpha1.TokenRequest) {
	return func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Issuer.Credential = &stsv1alpha1.Credential{PrivateKeyJWT: &stsv1alpha1.PrivateKeyJWTCredential{
			SecretRef: stsv1alpha1.SecretRef{Name: pairName}, Algorithm: algorithm}}
	}
}

func showsCertificate(r *stsv1alpha1.TokenRequest) {
	r.Spec.Issuer.Credential = &stsv1alpha1.Credential{TLSClientAuth: &stsv1alpha1.TLSClientAuthCredential{SecretRef: stsv1alpha1.SecretRef{Name: pairName}}}
}

func onP256() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func matching(key crypto.Signer) pairOf { return pairOf{certificateFor(key), keyPEM(key)} }

func certificateFor(key crypto.Signer) []byte {
	return certificateWithin(key, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC))
}

func certificateWithin(key crypto.Signer, from, until time.Time) []byte {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: clientID}, NotBefore: from, NotAfter: until}
	return inPEM("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)))
}

func keyPEM(key any) []byte { return inPEM("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))) }

func inPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// must is for what fails only without randomness.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
