// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/sts"
)

// audienceIssuer is spec.audience of an assertion that is for the STS's issuer, not for its endpoint.
const audienceIssuer stsv1alpha1.AssertionAudience = "Issuer"

func (p place) privateKeyJWT(ctx context.Context, c *Credential, held *stsv1alpha1.PrivateKeyJWTCredential) (*Problem, error) {
	pair, problem, err := p.keyPair(ctx, c, held.SecretRef.Name)
	if problem != nil || err != nil {
		return problem, err
	}
	c.Method = sts.AuthPrivateKeyJWT
	c.Key = &sts.SigningKey{Pair: pair, Algorithm: string(held.Algorithm), KeyID: held.KeyID, SendChain: held.SendChain}
	c.AudienceIssuer = held.Audience == audienceIssuer
	return nil, nil
}

func (p place) tlsClientAuth(ctx context.Context, c *Credential, held *stsv1alpha1.TLSClientAuthCredential) (*Problem, error) {
	pair, problem, err := p.keyPair(ctx, c, held.SecretRef.Name)
	if problem != nil || err != nil {
		return problem, err
	}
	c.Method = sts.AuthTLSClient
	c.Transport.ClientCertificate = pair
	return nil, nil
}

// keyPair reads a Secret as cert-manager makes it, and what its owner says of its use. What is wrong
// with it is told apart here, since an STS only says that the client isn't known.
func (p place) keyPair(ctx context.Context, c *Credential, name stsv1alpha1.ObjectName) (*sts.KeyPair, *Problem, error) {
	s, problem, err := p.secret(ctx, name)
	if problem != nil || err != nil {
		return nil, problem, err
	}
	c.Description = fmt.Sprintf("Secret %s/%s", p.namespace, name)
	c.consents = append(c.consents, consentOf(c.Description, usedAt, s))
	pair, problem := parseKeyPair(c.Description, s.Data, p.now)
	return pair, problem, nil
}

func parseKeyPair(what string, data map[string][]byte, now func() time.Time) (*sts.KeyPair, *Problem) {
	for _, key := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
		switch value, there := data[key]; {
		case !there:
			return nil, invalid("%s has no key %s. Name a Secret that holds certificate and key as %s and %s, as one of type %s does.",
				what, key, corev1.TLSCertKey, corev1.TLSPrivateKeyKey, corev1.SecretTypeTLS)
		case len(value) == 0:
			return nil, invalid("%s key %s is empty. Put certificate and key there.", what, key)
		}
	}
	leaf, problem := parseLeaf(what+" key "+corev1.TLSCertKey, data[corev1.TLSCertKey])
	if problem != nil {
		return nil, problem
	}
	key, problem := parseKey(what+" key "+corev1.TLSPrivateKeyKey, data[corev1.TLSPrivateKeyKey])
	if problem != nil {
		return nil, problem
	}
	if !belongs(key, leaf) {
		return nil, invalid("%s: the private key in %s isn't that of the first certificate in %s. Put both there from one issuance, the client's own certificate first.",
			what, corev1.TLSPrivateKeyKey, corev1.TLSCertKey)
	}
	pair, err := sts.ParseKeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, invalid("%s can't be used: %s. Put another certificate and key there.", what, err)
	}
	return pair, valid(what+" key "+corev1.TLSCertKey, leaf, now())
}

// valid says that a certificate isn't, at this time (RFC 5280 section 4.1.2.5: both instants belong to
// the time in which it is).
func valid(what string, certificate *x509.Certificate, now time.Time) *Problem {
	switch {
	case now.After(certificate.NotAfter):
		return invalid("The certificate in %s has expired; have it renewed. The request goes on by itself.", what)
	case now.Before(certificate.NotBefore):
		return invalid("The certificate in %s isn't valid yet; have it issued anew, or correct the clock of its issuer or of this cluster.", what)
	}
	return nil
}

func parseLeaf(what string, text []byte) (*x509.Certificate, *Problem) {
	block := firstPEM(text, func(kind string) bool { return kind == "CERTIFICATE" })
	if block == nil {
		return nil, invalid("%s holds no PEM certificate. Put the client's certificate there, from -----BEGIN CERTIFICATE----- on.", what)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, invalid("%s holds a certificate that can't be read. Put the client's certificate there, as its issuer made it.", what)
	}
	return leaf, nil
}

func parseKey(what string, text []byte) (any, *Problem) {
	block := firstPEM(text, func(kind string) bool { return strings.HasSuffix(kind, "PRIVATE KEY") })
	switch {
	case block == nil:
		return nil, invalid("%s holds no PEM private key. Put the key of the certificate there, from -----BEGIN PRIVATE KEY----- on.", what)
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
		return nil, invalid("%s holds a private key that is encrypted with a passphrase. Put it there without one.", what)
	}
	for _, parse := range []func([]byte) (any, error){
		x509.ParsePKCS8PrivateKey,
		func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
		func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
	} {
		if key, err := parse(block.Bytes); err == nil {
			return key, nil
		}
	}
	return nil, invalid("%s holds a private key that can't be read. Put an RSA key or one on P-256 there, in PKCS #8.", what)
}

// firstPEM is the first block of a kind, which is the one that counts: crypto/tls looks for it likewise.
func firstPEM(text []byte, is func(kind string) bool) *pem.Block {
	for {
		block, rest := pem.Decode(text)
		if block == nil || is(block.Type) {
			return block
		}
		text = rest
	}
}

func belongs(key any, certificate *x509.Certificate) bool {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return false
	}
	public, ok := signer.Public().(interface {
		Equal(other crypto.PublicKey) bool
	})
	return ok && public.Equal(certificate.PublicKey)
}
