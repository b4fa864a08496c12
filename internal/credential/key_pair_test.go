// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
	"tokenrequest.dev/operator/internal/sts"
)

func fingerprint(t *testing.T, p pemPair) string {
	t.Helper()
	pair, err := sts.ParseKeyPair(p.certificates, p.key)
	if err != nil {
		t.Fatalf("ParseKeyPair: %v", err)
	}
	return pair.Fingerprint()
}

func TestAKeyPairSigns(t *testing.T) {
	pair := newPair(noon.Add(-time.Hour), noon.Add(time.Hour))
	tests := map[string]struct {
		spec           stsv1alpha1.PrivateKeyJWTCredential
		want           sts.SigningKey
		audienceIssuer bool
	}{
		"with nothing said": {stsv1alpha1.PrivateKeyJWTCredential{}, sts.SigningKey{}, false},
		"with all said": {
			stsv1alpha1.PrivateKeyJWTCredential{Algorithm: "ES256", KeyID: "2026", SendChain: true, Audience: "TokenEndpoint"},
			sts.SigningKey{Algorithm: "ES256", KeyID: "2026", SendChain: true}, false,
		},
		"for the issuer, whom the caller knows": {stsv1alpha1.PrivateKeyJWTCredential{Audience: "Issuer"}, sts.SigningKey{}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.spec.SecretRef.Name = "pair"
			c := &cluster{objects: []client.Object{tlsSecret(pair)}}
			got := resolve(t, c, newIssuer(withCredential(&stsv1alpha1.Credential{PrivateKeyJWT: &test.spec})))
			if got.Method != sts.AuthPrivateKeyJWT || got.AudienceIssuer != test.audienceIssuer || got.Transport.ClientCertificate != nil {
				t.Errorf("the credential is %+v", got)
			}
			if got.Key.Pair.Fingerprint() != fingerprint(t, pair) {
				t.Errorf("another certificate was read")
			}
			got.Key.Pair = nil
			if diff := cmp.Diff(&test.want, got.Key); diff != "" {
				t.Errorf("the key (-want +got):\n%s", diff)
			}
			wantRead(t, got, "Secret payments/pair", "uid-of-pair/7")
		})
	}
}

func TestAKeyPairIsPresentedInTheHandshake(t *testing.T) {
	pair := newPair(noon.Add(-time.Hour), noon.Add(time.Hour))
	c := &cluster{objects: []client.Object{tlsSecret(pair)}}
	got := resolve(t, c, newIssuer(withCredential(presenting())))
	if got.Method != sts.AuthTLSClient || got.Key != nil || got.Transport.ClientCertificate.Fingerprint() != fingerprint(t, pair) {
		t.Errorf("the credential is %+v", got)
	}
	wantRead(t, got, "Secret payments/pair", "uid-of-pair/7")
}

func wantRead(t *testing.T, got *credential.Credential, description, identity string) {
	t.Helper()
	if got.Description != description || got.Identity != identity {
		t.Errorf("Description = %q, Identity = %q, want %q, %q", got.Description, got.Identity, description, identity)
	}
}

// RSA keys come in PKCS #1 from many tools, and those on curves in SEC 1.
func TestAKeyMayHaveEveryUsualForm(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	from, until := noon.Add(-time.Hour), noon.Add(time.Hour)
	other := newPair(from, until)
	parameters := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}})
	elliptic := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})
	for name, pair := range map[string]pemPair{
		"PKCS #1": {selfSigned(rsaKey, from, until), pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)})},
		"SEC 1":   {selfSigned(ecKey, from, until), elliptic},
		"SEC 1 after its parameters, as openssl writes it":   {selfSigned(ecKey, from, until), slices.Concat(parameters, elliptic)},
		"with the issuers' certificates after the client's":  {slices.Concat(selfSigned(ecKey, from, until), other.certificates), elliptic},
		"with the issuers' certificates before the client's": {slices.Concat(other.certificates, selfSigned(ecKey, from, until)), elliptic},
		"with remarks before it":                             {slices.Concat([]byte("subject=CN = orders\n"), selfSigned(ecKey, from, until)), elliptic},
	} {
		t.Run(name, func(t *testing.T) {
			c := &cluster{objects: []client.Object{tlsSecret(pair)}}
			resolve(t, c, newIssuer(withCredential(signing())))
		})
	}
}

func TestAKeyPairThatCannotBeUsedIsAProblem(t *testing.T) {
	from, until := noon.Add(-time.Hour), noon.Add(time.Hour)
	pair, other := newPair(from, until), newPair(from, until)
	block, _ := pem.Decode(pair.key)
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: block.Bytes})
	const what = "Secret payments/pair"
	const absent = ". Name a Secret that holds certificate and key as tls.crt and tls.key, as one of type kubernetes.io/tls does."
	const instead = ". Put the client's certificate there as tls.crt and its private key, without a passphrase, as tls.key, both in PEM."
	const noCertificate = what + ": there is no certificate in PEM" + instead
	const noKey = what + ": there is no private key in PEM" + instead
	tests := map[string]struct {
		data map[string][]byte
		want string
	}{
		"no certificate":        {map[string][]byte{"tls.key": pair.key}, what + " has no key tls.crt" + absent},
		"no private key":        {map[string][]byte{"tls.crt": pair.certificates}, what + " has no key tls.key" + absent},
		"nothing":               {nil, what + " has no key tls.crt" + absent},
		"an empty certificate":  {pemPair{nil, pair.key}.data(), what + " key tls.crt is empty. Put certificate and key there."},
		"an empty key":          {pemPair{pair.certificates, nil}.data(), what + " key tls.key is empty. Put certificate and key there."},
		"a certificate in DER":  {pemPair{[]byte{0x30, 0x82}, pair.key}.data(), noCertificate},
		"the key twice":         {pemPair{pair.key, pair.key}.data(), noCertificate},
		"a broken certificate":  {pemPair{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("canary")}), pair.key}.data(), what + ": a certificate cannot be read" + instead},
		"no PEM key":            {pemPair{pair.certificates, []byte("canary")}.data(), noKey},
		"the certificate twice": {pemPair{pair.certificates, pair.certificates}.data(), noKey},
		"a broken key":          {pemPair{pair.certificates, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("canary")})}.data(), what + ": the private key cannot be read" + instead},
		"an encrypted key":      {pemPair{pair.certificates, encrypted}.data(), what + ": the private key is encrypted, and the operator has no passphrase for it" + instead},
		"another's key":         {pemPair{pair.certificates, other.key}.data(), what + ": the private key belongs to none of the certificates" + instead},
		"one that has expired": {newPair(from, noon.Add(-time.Second)).data(),
			"The certificate in Secret payments/pair key tls.crt has expired; have it renewed. The request goes on by itself."},
		"one of the future": {newPair(noon.Add(time.Second), until).data(),
			"The certificate in Secret payments/pair key tls.crt isn't valid yet; have it issued anew, or correct the clock of its issuer or of this cluster."},
	}
	for name, test := range tests {
		for use, held := range map[string]*stsv1alpha1.Credential{"to sign": signing(), "in the handshake": presenting()} {
			t.Run(name+" "+use, func(t *testing.T) {
				c := &cluster{objects: []client.Object{&corev1.Secret{ObjectMeta: meta("pair"), Data: test.data}}}
				got := refuse(t, resolverOf(c), newIssuer(withCredential(held)))
				if diff := cmp.Diff(credential.Problem{Reason: stsv1alpha1.ReasonCredentialInvalid, Message: test.want}, got); diff != "" {
					t.Errorf("the problem (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestAnAlgorithmThatDoesNotFitTheKeyIsAProblem(t *testing.T) {
	held := signing()
	held.PrivateKeyJWT.Algorithm = "RS256"
	const text = "Secret payments/pair: the algorithms RS256 and PS256 need a key of RSA, and this one is of ECDSA. Put another key there, or leave out spec.issuer.credential.privateKeyJWT.algorithm for one that fits it."
	want := credential.Problem{Reason: stsv1alpha1.ReasonCredentialInvalid, Message: text}
	if diff := cmp.Diff(want, refuse(t, resolverOf(everything()), newIssuer(withCredential(held)))); diff != "" {
		t.Errorf("the problem (-want +got):\n%s", diff)
	}
}

func (p pemPair) data() map[string][]byte {
	return map[string][]byte{"tls.crt": p.certificates, "tls.key": p.key}
}

// RFC 5280 section 4.1.2.5: both instants belong to the time in which a certificate is valid.
func TestACertificateIsValidAtBothEnds(t *testing.T) {
	for name, pair := range map[string]pemPair{
		"at its first instant": newPair(noon, noon.Add(time.Hour)),
		"at its last instant":  newPair(noon.Add(-time.Hour), noon),
	} {
		t.Run(name, func(t *testing.T) {
			c := &cluster{objects: []client.Object{tlsSecret(pair)}}
			resolve(t, c, newIssuer(withCredential(signing())))
		})
	}
}

// A key is never sent, but what it signs is as good as a client secret.
func TestTheOwnerOfAKeyPairIsAsked(t *testing.T) {
	for name, held := range map[string]*stsv1alpha1.Credential{"that signs": signing(), "in the handshake": presenting()} {
		t.Run(name, func(t *testing.T) {
			s := tlsSecret(newPair(noon.Add(-time.Hour), noon.Add(time.Hour)))
			c := &cluster{objects: []client.Object{s}}
			resolver := resolverOf(c)
			resolver.RequireAllowedHosts = true
			want := credential.Problem{Reason: stsv1alpha1.ReasonCredentialNotAllowed,
				Message: "Secret payments/pair doesn't say where it may be used, and this operator requires it. Annotate that Secret with sts.tokenrequest.dev/allowed-hosts and the STS's host."}
			if diff := cmp.Diff(want, refuse(t, resolver, newIssuer(withCredential(held)))); diff != "" {
				t.Errorf("without a word of its owner's (-want +got):\n%s", diff)
			}
			allowing(s, "sts.example.com")
			got := resolve(t, c, newIssuer(withCredential(held)))
			if problem := got.Permits("https://sts.example.com/token"); problem != nil {
				t.Errorf("Permits = %v, want it permitted", problem)
			}
			want.Message = "Secret payments/pair may not be used at evil.example. Add that host to its annotation sts.tokenrequest.dev/allowed-hosts if its owner agrees."
			if diff := cmp.Diff(&want, got.Permits("https://evil.example/token")); diff != "" {
				t.Errorf("Permits (-want +got):\n%s", diff)
			}
		})
	}
}

// Nothing of the key in any form, not even of one that can't be used.
func TestNothingShowsAPrivateKey(t *testing.T) {
	pair, other := newPair(noon.Add(-time.Hour), noon.Add(time.Hour)), newPair(noon.Add(-time.Hour), noon.Add(time.Hour))
	var shown bytes.Buffer
	for _, held := range []*stsv1alpha1.Credential{signing(), presenting()} {
		issuer := newIssuer(withCredential(held))
		got := resolve(t, &cluster{objects: []client.Object{tlsSecret(pair)}}, issuer)
		fmt.Fprintf(&shown, "%v %+v %#v %v %+v", got, got, got, got.Key, got.Transport)
		for _, data := range []map[string][]byte{
			{"tls.crt": pair.certificates, "tls.key": other.key}, {"tls.crt": pair.key, "tls.key": pair.key}, {"tls.crt": pair.certificates, "tls.key": pair.key[:150]},
		} {
			c := &cluster{objects: []client.Object{&corev1.Secret{ObjectMeta: meta("pair"), Data: data}}}
			fmt.Fprintf(&shown, "%+v", refuse(t, resolverOf(c), issuer))
		}
	}
	for _, key := range [][]byte{pair.key, other.key} {
		block, _ := pem.Decode(key)
		private := block.Bytes[36:68] // the number itself, in PKCS #8
		for form, text := range map[string]string{
			"PEM": string(key[40:60]), "base64": base64.StdEncoding.EncodeToString(private)[:40],
			"decimal": strings.Trim(fmt.Sprintf("%d", private), "[]"), "hex": fmt.Sprintf("%x", private), "Go": strings.Trim(fmt.Sprintf("%#v", private), "[]byte{}"),
		} {
			if strings.Contains(shown.String(), text) {
				t.Errorf("the key is shown in %s", form)
			}
		}
	}
}
