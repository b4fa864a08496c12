// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"encoding/base64"
	"encoding/pem"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

// keyPaths are clients that sign, or have Kubernetes make their assertion, whose STS shows what they
// sent; and private keys that can't be read, or stand in the wrong place.
func keyPaths() []leakPath {
	signing := func(name string, act stssim.Action) leakPath {
		return pathOf("a client assertion "+name, word, func(canaries) row {
			return row{act: act, spec: signs(""), with: pairIn(nil, func() pairOf { return matching(onP256()) })}
		})
	}
	minted := func(name string, act stssim.Action) leakPath {
		return pathOf("a ServiceAccount's token "+name, word, func(canaries) row {
			return row{act: act, spec: federated, with: consenting}
		})
	}
	broken := func(name string, pair func(c canaries) map[string][]byte, spec func(*stsv1alpha1.TokenRequest)) leakPath {
		p := pathOf("a private key "+name, word, func(c canaries) row {
			return row{spec: spec, with: func(t operator.Tenant) []client.Object {
				return []client.Object{&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: pairName}, Data: pair(c)}}
			}}
		})
		p.calls = 0
		return p
	}
	echoed := stssim.Action{Error: &stssim.ErrorBody{Error: "invalid_client", Description: "Cannot read:", Echo: true}}
	unauthorized := echoed
	unauthorized.Status = http.StatusUnauthorized
	inKey := func(kind string) func(c canaries) map[string][]byte {
		return func(c canaries) map[string][]byte {
			return map[string][]byte{corev1.TLSCertKey: certificateFor(onP256()), corev1.TLSPrivateKeyKey: keyText(kind, c)}
		}
	}
	return []leakPath{
		signing("echoed in a refusal", unauthorized),
		signing("echoed in a bad request", echoed),
		minted("echoed in a refusal", unauthorized),
		minted("echoed in a bad request", echoed),
		broken("that can't be read", inKey("PRIVATE KEY"), signs("")),
		broken("of SEC 1 that can't be read", inKey("EC PRIVATE KEY"), signs("")),
		broken("of PKCS #1 that can't be read, for TLS", inKey("RSA PRIVATE KEY"), showsCertificate),
		broken("that is encrypted", inKey("ENCRYPTED PRIVATE KEY"), signs("")),
		broken("that is no PEM", func(c canaries) map[string][]byte {
			return map[string][]byte{corev1.TLSCertKey: certificateFor(onP256()), corev1.TLSPrivateKeyKey: []byte(c.key)}
		}, signs("")),
		broken("in the certificate's place", func(c canaries) map[string][]byte {
			return map[string][]byte{corev1.TLSCertKey: keyText("PRIVATE KEY", c), corev1.TLSPrivateKeyKey: keyPEM(onP256())}
		}, signs("")),
		broken("for a certificate", func(c canaries) map[string][]byte {
			return map[string][]byte{corev1.TLSCertKey: keyText("CERTIFICATE", c), corev1.TLSPrivateKeyKey: keyPEM(onP256())}
		}, signs("")),
		broken("for a client identifier", inKey("PRIVATE KEY"), func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.ClientID, r.Spec.Issuer.ClientIDRef = "", &stsv1alpha1.SecretKeyRef{Name: pairName, Key: corev1.TLSPrivateKeyKey}
		}),
		broken("for a CA bundle", inKey("PRIVATE KEY"), func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Issuer.TLS = &stsv1alpha1.IssuerTLS{CABundleRef: &stsv1alpha1.CABundleRef{Kind: stsv1alpha1.CABundleSecret, Name: pairName, Key: corev1.TLSPrivateKeyKey}}
		}),
	}
}

// keyText is PEM around the canary, which nobody can read as a key.
func keyText(kind string, c canaries) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: must(base64.StdEncoding.DecodeString(c.key))})
}

// issuerPaths are shared issuers whose metadata show the secret: their own status tells of it too.
func issuerPaths() []leakPath {
	var paths []leakPath
	for _, p := range metadataPaths() {
		shared := p
		shared.name = "for a TokenIssuer, " + p.name
		shared.spec = named(stsv1alpha1.IssuerKindTokenIssuer, nil)
		shared.calls = atLeastOne
		shared.with = func(t operator.Tenant) []client.Object {
			r := t.Request(requestName)
			r.Spec.Issuer.ClientID = clientID
			return []client.Object{&stsv1alpha1.TokenIssuer{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: string(contoso(t.Namespace))}, Spec: *r.Spec.Issuer}}
		}
		paths = append(paths, shared)
	}
	return paths
}
