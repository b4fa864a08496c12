// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tokenrequest.dev/operator/test/stssim"
)

// rsaKeySet is the JWK set of a key, written as an API server does.
func rsaKeySet(key *rsa.PrivateKey) string {
	encode := base64.RawURLEncoding.EncodeToString
	return `{"keys":[{"use":"sig","kty":"RSA","kid":"k1","alg":"RS256","n":"` + encode(key.N.Bytes()) + `","e":"` + encode(big.NewInt(int64(key.E)).Bytes()) + `"}]}`
}

func curveKeySet(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	half := (len(point) - 1) / 2
	encode := base64.RawURLEncoding.EncodeToString
	return `{"keys":[{"kty":"EC","crv":"` + key.Params().Name + `","x":"` + encode(point[1:1+half]) + `","y":"` + encode(point[1+half:]) + `"}]}`
}

func TestKeySetsVerifyFederatedAssertions(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	largeCurve, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	curve := newKey(t)
	tests := []struct {
		name   string
		method jwt.SigningMethod
		key    crypto.Signer
		set    string
		want   int
	}{
		{"an RSA key", jwt.SigningMethodRS256, rsaKey, rsaKeySet(rsaKey), 200},
		{"a key on P-256", jwt.SigningMethodES256, curve, curveKeySet(t, curve), 200},
		{"a key on P-521", jwt.SigningMethodES512, largeCurve, curveKeySet(t, largeCurve), 200},
		{"another key", jwt.SigningMethodES256, newKey(t), curveKeySet(t, curve), 401},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim := start(t, stssim.Options{Clients: []stssim.Client{{Tenant: contoso, ID: demoClient, Federated: []stssim.FederatedCredential{{
				Issuer: clusterIssuer, Subject: clusterSubject, Audience: clusterAudience, Keys: []string{test.set},
			}}}}})
			claims := jwt.MapClaims{"iss": clusterIssuer, "sub": clusterSubject, "aud": clusterAudience, "exp": epoch.Add(time.Minute).Unix()}
			if got := sim.post(entraToken, demoForm(assertion(sign(t, test.method, test.key, claims, nil)))); got.status != test.want {
				t.Errorf("status %d, want %d: %s", got.status, test.want, got.body)
			}
		})
	}
}

func TestKeySetsThatCannotBeRead(t *testing.T) {
	tests := []struct{ name, set, want string }{
		{"text that is no JSON", `{`, "reading key set: "},
		{"a set without keys", `{"keys":[]}`, "it is empty"},
		{"a symmetric key", `{"keys":[{"kty":"oct","k":"AAAA"}]}`, `key type "oct"`},
		{"a modulus that is no base64url", `{"keys":[{"kty":"RSA","n":"?","e":"AQAB"}]}`, "reading modulus"},
		{"an exponent that is no base64url", `{"keys":[{"kty":"RSA","n":"AQAB","e":"?"}]}`, "reading exponent"},
		{"an exponent that is too large", `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAAAAAA"}]}`, "too large"},
		{"a curve that nobody knows", `{"keys":[{"kty":"EC","crv":"P-1"}]}`, `curve "P-1"`},
		{"a coordinate that is no base64url", `{"keys":[{"kty":"EC","crv":"P-256","x":"?"}]}`, "reading coordinate"},
		{"a point that isn't on its curve", `{"keys":[{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}]}`, "reading point"},
	}
	sim := start(t, stssim.Options{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := sim.PutClient(stssim.Client{Tenant: "x", ID: "x", Keys: []string{test.set}})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}
