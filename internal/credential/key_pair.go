// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/sts"
)

// audienceIssuer is spec.audience of an assertion that is for the STS's issuer, not for its endpoint.
const audienceIssuer stsv1alpha1.AssertionAudience = "Issuer"

// privateKeyJWT reads the key that signs the client's assertions. The field names the member in the spec.
func (p place) privateKeyJWT(ctx context.Context, c *Credential, held *stsv1alpha1.PrivateKeyJWTCredential, field string) (*Problem, error) {
	pair, problem, err := p.keyPair(ctx, c, held.SecretRef.Name)
	if problem != nil || err != nil {
		return problem, err
	}
	c.Method = sts.AuthPrivateKeyJWT
	c.Key = &sts.SigningKey{Pair: pair, Algorithm: string(held.Algorithm), KeyID: held.KeyID, SendChain: held.SendChain}
	c.AudienceIssuer = held.Audience == audienceIssuer
	if err := c.Key.Check(); err != nil {
		return invalid("%s: %v. %s", c.Description, err, betterKey(pair, field)), nil
	}
	return nil, nil
}

// betterKey is what to do about a key that doesn't sign by the algorithm, or by none.
func betterKey(pair *sts.KeyPair, field string) string {
	if (sts.SigningKey{Pair: pair}).Check() == nil {
		return "Put another key there, or leave out " + field + ".algorithm for one that fits it."
	}
	return "Put an RSA key of at least 2048 bits there, or one on P-256, with its certificate."
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
// with it is told here, since an STS only says that the client isn't known.
func (p place) keyPair(ctx context.Context, c *Credential, name stsv1alpha1.ObjectName) (*sts.KeyPair, *Problem, error) {
	s, problem, err := p.secret(ctx, name)
	if problem != nil || err != nil {
		return nil, problem, err
	}
	c.Description = fmt.Sprintf("Secret %s/%s", p.namespace, name)
	c.consents = append(c.consents, consentOf(c.Description, usedAt, s))
	pair, problem := parseKeyPair(c.Description, s.Data)
	if problem == nil {
		problem = valid(c.Description+" key "+corev1.TLSCertKey, pair.Leaf(), p.now())
	}
	return pair, problem, nil
}

func parseKeyPair(what string, data map[string][]byte) (*sts.KeyPair, *Problem) {
	for _, key := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
		switch value, there := data[key]; {
		case !there:
			return nil, invalid("%s has no key %s. Name a Secret that holds certificate and key as %s and %s, as one of type %s does.",
				what, key, corev1.TLSCertKey, corev1.TLSPrivateKeyKey, corev1.SecretTypeTLS)
		case len(value) == 0:
			return nil, invalid("%s key %s is empty. Put certificate and key there.", what, key)
		}
	}
	pair, err := sts.ParseKeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, invalid("%s: %v. Put the client's certificate there as %s and its private key, without a passphrase, as %s, both in PEM.",
			what, err, corev1.TLSCertKey, corev1.TLSPrivateKeyKey)
	}
	return pair, nil
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
