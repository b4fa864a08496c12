// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

func TestSigningKeyCheck(t *testing.T) {
	p384 := made(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	_, ed25519Key, _ := ed25519.GenerateKey(rand.Reader)
	small := made(rsa.GenerateKey(rand.Reader, 1024))
	const (
		notP256 = "the algorithm ES256 needs a key on P-256, and this one is on another curve"
		unknown = "the algorithm is not RS256, PS256 or ES256"
		needRSA = "the algorithms RS256 and PS256 need a key of RSA, and this one is of ECDSA"
	)
	tests := map[string]struct {
		key  sts.SigningKey
		want string
	}{
		"RSA by default":           {sts.SigningKey{Pair: pairOf(t, rsaKey())}, ""},
		"RSA with PS256":           {sts.SigningKey{Pair: pairOf(t, rsaKey()), Algorithm: "PS256"}, ""},
		"RSA with RS256":           {sts.SigningKey{Pair: pairOf(t, rsaKey()), Algorithm: "RS256"}, ""},
		"RSA with ES256":           {sts.SigningKey{Pair: pairOf(t, rsaKey()), Algorithm: "ES256"}, "the algorithm ES256 needs a key on P-256, and this one is of RSA"},
		"RSA with a name in small": {sts.SigningKey{Pair: pairOf(t, rsaKey()), Algorithm: "ps256"}, unknown},
		"RSA of 1024 bits":         {sts.SigningKey{Pair: pairOf(t, small)}, "the RSA key has less than 2048 bits"},
		"P-256 by default":         {sts.SigningKey{Pair: pairOf(t, ecKey())}, ""},
		"P-256 with ES256":         {sts.SigningKey{Pair: pairOf(t, ecKey()), Algorithm: "ES256"}, ""},
		"P-256 with RS256":         {sts.SigningKey{Pair: pairOf(t, ecKey()), Algorithm: "RS256"}, needRSA},
		"P-256 with PS256":         {sts.SigningKey{Pair: pairOf(t, ecKey()), Algorithm: "PS256"}, needRSA},
		"P-256 with none":          {sts.SigningKey{Pair: pairOf(t, ecKey()), Algorithm: "none"}, unknown},
		"P-384 by default":         {sts.SigningKey{Pair: pairOf(t, p384)}, notP256},
		"P-384 with ES256":         {sts.SigningKey{Pair: pairOf(t, p384), Algorithm: "ES256"}, notP256},
		"Ed25519":                  {sts.SigningKey{Pair: pairOf(t, ed25519Key)}, "the private key is neither of RSA nor of ECDSA, and no algorithm signs with it"},
		"no key":                   {sts.SigningKey{}, "there is no key to sign with"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			err := tc.key.Check()
			if (err == nil) != (tc.want == "") || err != nil && err.Error() != tc.want {
				t.Fatalf("Check = %v, want %q", err, tc.want)
			}
			if err == nil {
				return
			}
			s := serve(t, answers(200, success))
			_, refused := sts.New(options()).Token(t.Context(), signedRequest(s, tc.key))
			if refused == nil || refused.Reason != oautherr.ReasonInvalidClient || refused.Detail != tc.want {
				t.Errorf("Token = %v, want a refusal with the same words", refused)
			}
			s.wantCalls(t, 0)
		})
	}
}

// signedRequest returns a request to the server with a key in place of a secret.
func signedRequest(s *server, key sts.SigningKey) sts.Request {
	r := s.request()
	r.Auth, r.ClientSecret, r.Key = sts.AuthPrivateKeyJWT, "", &key
	return r
}

func TestClientAssertion(t *testing.T) {
	leaf := issue(t, "leaf", rsaKey(), "middle", otherKey())
	middle := issue(t, "middle", otherKey(), "root", rootKey())
	root := issue(t, "root", rootKey(), "root", rootKey())
	stranger := issue(t, "stranger", ecKey(), "stranger", ecKey())
	chained, err := sts.ParseKeyPair(certificatePEM(root, stranger, middle, leaf), keyPEM(t, rsaKey()))
	if err != nil {
		t.Fatalf("parsing a chain: %v", err)
	}
	inOrder := []any{}
	for _, der := range [][]byte{leaf, middle, root, stranger} {
		inOrder = append(inOrder, base64.StdEncoding.EncodeToString(der))
	}
	sum := sha256.Sum256(leaf)
	thumbprint := base64.RawURLEncoding.EncodeToString(sum[:])
	ec := pairOf(t, ecKey())
	sum = sha256.Sum256(ec.Leaf().Raw)
	ecThumbprint := base64.RawURLEncoding.EncodeToString(sum[:])
	tests := map[string]struct {
		key    sts.SigningKey
		public crypto.PublicKey
		header map[string]any
		aud    string // "" for the endpoint
	}{
		"an RSA key signs with PS256 unless told otherwise": {
			sts.SigningKey{Pair: chained}, rsaKey().Public(),
			map[string]any{"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint}, ""},
		"RS256, for servers that know no better, with a key id": {
			sts.SigningKey{Pair: chained, Algorithm: "RS256", KeyID: "key-1"}, rsaKey().Public(),
			map[string]any{"alg": "RS256", "typ": "JWT", "x5t#S256": thumbprint, "kid": "key-1"}, ""},
		"a chain is sent leaf first, and a stranger last": {
			sts.SigningKey{Pair: chained, SendChain: true}, rsaKey().Public(),
			map[string]any{"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint, "x5c": inOrder}, ""},
		"a key on P-256 signs with ES256, for the audience that is wanted": {
			sts.SigningKey{Pair: ec, Audience: "https://sts.example.com"}, ecKey().Public(),
			map[string]any{"alg": "ES256", "typ": "JWT", "x5t#S256": ecThumbprint}, "https://sts.example.com"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, answers(200, success))
			ids := []string{"request-id", "assertion-id"}
			o := options()
			o.NewCorrelationID = func() string {
				id := ids[0]
				ids = ids[1:]
				return id
			}
			if _, err := sts.New(o).Token(t.Context(), signedRequest(s, tc.key)); err != nil {
				t.Fatalf("asking: %v", err)
			}
			form := s.last(t).PostForm
			assertion := form.Get("client_assertion")
			if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || form.Get("client_id") != "client" || form.Has("client_secret") {
				t.Errorf("the form is %v", form)
			}
			token, err := jwt.Parse(assertion, func(*jwt.Token) (any, error) { return tc.public, nil }, jwt.WithTimeFunc(newClock().Now))
			if err != nil {
				t.Fatalf("verifying the assertion: %v", err)
			}
			if diff := cmp.Diff(tc.header, token.Header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
			aud := tc.aud
			if aud == "" {
				aud = s.URL + "/token"
			}
			now := float64(newClock().Now().Unix())
			want := map[string]any{
				"iss": "client", "sub": "client", "aud": aud, "jti": "assertion-id", "iat": now, "nbf": now, "exp": now + 600,
			}
			if diff := cmp.Diff(want, payload(t, assertion)); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		})
	}
}

// payload returns a JWT's claims as JSON has them.
func payload(t *testing.T, token string) map[string]any {
	t.Helper()
	decoded, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	claims := map[string]any{}
	if err != nil || json.Unmarshal(decoded, &claims) != nil {
		t.Fatalf("%q is no JWT", token)
	}
	return claims
}

func TestEachCallHasItsOwnAssertion(t *testing.T) {
	s := serve(t, answers(200, success))
	n := 0
	o := options()
	o.NewCorrelationID = func() string { n++; return strings.Repeat("x", n) }
	clock := newClock()
	o.Now = clock.Now
	client, request := sts.New(o), signedRequest(s, sts.SigningKey{Pair: pairOf(t, ecKey())})
	seen := map[string]bool{}
	for range 3 {
		if _, err := client.Token(t.Context(), request); err != nil {
			t.Fatalf("asking: %v", err)
		}
		claims := payload(t, s.last(t).PostForm.Get("client_assertion"))
		if id := claims["jti"].(string); seen[id] || id == s.last(t).Header.Get("Client-Request-Id") {
			t.Errorf("the assertion has the id %q again", id)
		} else {
			seen[id] = true
		}
		if iat := int64(claims["iat"].(float64)); iat != clock.Now().Unix() {
			t.Errorf("the assertion is of %d, want %d", iat, clock.Now().Unix())
		}
		clock.Step(time.Hour)
	}
	if request.ClientAssertion != "" {
		t.Error("the caller's request was changed")
	}
}
