// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tokenrequest.dev/operator/test/stssim"
)

const (
	clusterIssuer   = "https://kubernetes.example"
	clusterSubject  = "system:serviceaccount:payments:graph"
	clusterAudience = "api://AzureADTokenExchange"

	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func publicKey(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// identity is a key and its certificate.
type identity struct {
	key         crypto.Signer
	certificate *x509.Certificate
}

// certify makes a certificate for a key, signed by the parent or by itself.
func certify(t *testing.T, key crypto.Signer, name string, end time.Time, parent *identity) identity {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: epoch.Add(-time.Hour), NotAfter: end,
	}
	signer := identity{key, template}
	if parent != nil {
		signer = *parent
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.certificate, key.Public(), signer.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return identity{key, certificate}
}

func (i identity) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.certificate.Raw}))
}

func (i identity) thumbprint() string {
	sum := sha256.Sum256(i.certificate.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (i identity) x5c() string { return base64.StdEncoding.EncodeToString(i.certificate.Raw) }

// sign makes a JWT with the claims and additional header members.
func sign(t *testing.T, method jwt.SigningMethod, key crypto.Signer, claims jwt.Claims, header map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	maps.Copy(token.Header, header)
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// assertion replaces the secret of a form.
func assertion(signed string) url.Values {
	return url.Values{"client_secret": nil, "client_assertion_type": {assertionType}, "client_assertion": {signed}}
}

// ownClaims are those of a good client assertion, a new one each time.
func ownClaims(audience string, changes jwt.MapClaims) jwt.MapClaims {
	claims := jwt.MapClaims{
		"iss": demoClient, "sub": demoClient, "aud": audience, "jti": rand.Text(), "exp": epoch.Add(time.Minute).Unix(),
	}
	for name, value := range changes {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	return claims
}

func TestClientAssertionClaims(t *testing.T) {
	key, stranger := newKey(t), newKey(t)
	sim := start(t, stssim.Options{Clients: []stssim.Client{{Tenant: contoso, ID: demoClient, Keys: []string{publicKey(t, key)}}}})
	tests := []struct {
		name    string
		key     crypto.Signer
		changes jwt.MapClaims
		want    string // error_codes, empty when granted
	}{
		{"for the token endpoint it is accepted", key, nil, ""},
		{"for the issuer it is accepted too", key, jwt.MapClaims{"aud": sim.EntraAuthority(contoso) + "/v2.0"}, ""},
		{"for an array of one audience it is accepted", key, jwt.MapClaims{"aud": []string{sim.URL() + entraToken}}, ""},
		{"for the authority it is AADSTS50027", key, jwt.MapClaims{"aud": sim.EntraAuthority(contoso)}, "[50027]"},
		{"for two audiences it is AADSTS50027", key, jwt.MapClaims{"aud": []string{sim.URL() + entraToken, "https://elsewhere.example"}}, "[50027]"},
		{"without an audience it is AADSTS50027", key, jwt.MapClaims{"aud": nil}, "[50027]"},
		{"signed by another key it is AADSTS700027", stranger, nil, "[700027]"},
		{"with a subject that isn't its issuer it is AADSTS50048", key, jwt.MapClaims{"sub": "other"}, "[50048]"},
		{"with an issuer that isn't its subject it is AADSTS50048", key, jwt.MapClaims{"iss": "other"}, "[50048]"},
		{"of another client it is AADSTS700021", key, jwt.MapClaims{"iss": "other", "sub": "other"}, "[700021]"},
		{"expired it is AADSTS700024", key, jwt.MapClaims{"exp": epoch.Unix()}, "[700024]"},
		{"without an end it is AADSTS700024", key, jwt.MapClaims{"exp": nil}, "[700024]"},
		{"before its beginning it is AADSTS700024", key, jwt.MapClaims{"nbf": epoch.Add(time.Second).Unix()}, "[700024]"},
		{"with an end in a day it is accepted", key, jwt.MapClaims{"exp": epoch.Add(24 * time.Hour).Unix()}, ""},
		{"with an end after that it is AADSTS700024", key, jwt.MapClaims{"exp": epoch.Add(24*time.Hour + time.Second).Unix()}, "[700024]"},
		{"without a jti it is AADSTS50027", key, jwt.MapClaims{"jti": nil}, "[50027]"},
		{"with claims of another type it is AADSTS50027", key, jwt.MapClaims{"exp": "soon"}, "[50027]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			signed := sign(t, jwt.SigningMethodES256, test.key, ownClaims(sim.URL()+entraToken, test.changes), nil)
			got := sim.post(entraToken, demoForm(assertion(signed)))
			if codes := member(t, got.body, "error_codes"); codes != test.want {
				t.Errorf("error_codes %q, want %q, in %s", codes, test.want, got.body)
			}
		})
	}
}

func TestClientAssertionIsGoodForOnce(t *testing.T) {
	key := newKey(t)
	client := stssim.Client{Tenant: "acme", ID: demoClient, Keys: []string{publicKey(t, key)}}
	other := stssim.Client{Tenant: contoso, ID: demoClient, Keys: client.Keys}
	sim := start(t, stssim.Options{Clients: []stssim.Client{client, other}})
	send := func(path, jti string, lifetime time.Duration) response {
		claims := ownClaims(sim.URL()+path, jwt.MapClaims{"jti": jti, "exp": sim.clock.Now().Add(lifetime).Unix()})
		return sim.post(path, demoForm(assertion(sign(t, jwt.SigningMethodES256, key, claims, nil)), url.Values{"scope": {graph}}))
	}
	steps := []struct {
		name, path, jti string
		pass            time.Duration
		want            int
	}{
		{"the first time it is accepted", entraToken, "a", 0, 200},
		{"the second time it is refused", entraToken, "a", 0, 401},
		{"another one is accepted", entraToken, "b", 0, 200},
		{"of another tenant's client the same one is accepted", plainToken, "a", 0, 200},
		{"and refused there the second time", plainToken, "a", 0, 401},
		{"when the former has ended the jti is free", entraToken, "a", time.Minute, 200},
	}
	for _, step := range steps {
		sim.clock.Advance(step.pass)
		if got := send(step.path, step.jti, time.Minute); got.status != step.want {
			t.Errorf("%s: status %d, want %d: %s", step.name, got.status, step.want, got.body)
		}
	}
}

func TestARefusedAssertionMayComeAgain(t *testing.T) {
	key := newKey(t)
	sim := start(t, stssim.Options{Clients: []stssim.Client{{Tenant: contoso, ID: demoClient, Keys: []string{publicKey(t, key)}}}})
	claims := ownClaims(sim.URL()+entraToken, jwt.MapClaims{"nbf": epoch.Add(time.Second).Unix()})
	form := demoForm(assertion(sign(t, jwt.SigningMethodES256, key, claims, nil)))
	if got := sim.post(entraToken, form); got.status != 401 {
		t.Errorf("too early the status is %d", got.status)
	}
	sim.clock.Advance(time.Second)
	if got := sim.post(entraToken, form); got.status != 200 {
		t.Errorf("in time the status is %d: %s", got.status, got.body)
	}
}

func TestClientAssertionCertificate(t *testing.T) {
	authority := certify(t, newKey(t), "authority", epoch.Add(time.Hour), nil)
	leaf := certify(t, newKey(t), "app", epoch.Add(time.Hour), &authority)
	expired := certify(t, newKey(t), "app", epoch.Add(-time.Minute), nil)
	stranger := certify(t, newKey(t), "app", epoch.Add(time.Hour), nil)
	bare := newKey(t)
	sim := start(t, stssim.Options{Clients: []stssim.Client{{
		Tenant: contoso, ID: demoClient,
		Keys: []string{publicKey(t, bare), expired.pem()}, Certificates: []string{leaf.pem()},
	}}})
	padded := func(i identity) string {
		sum := sha256.Sum256(i.certificate.Raw)
		return base64.StdEncoding.EncodeToString(sum[:])
	}
	tests := []struct {
		name   string
		key    crypto.Signer
		header map[string]any
		want   string
	}{
		{"named by its thumbprint it is accepted", leaf.key, map[string]any{"x5t#S256": leaf.thumbprint()}, ""},
		{"with a thumbprint in base64 with padding it isn't found", leaf.key, map[string]any{"x5t#S256": padded(leaf)}, "[700027]"},
		{"without a thumbprint it isn't found", leaf.key, nil, "[700027]"},
		{"named, but signed by another key, it is refused", stranger.key, map[string]any{"x5t#S256": leaf.thumbprint()}, "[700027]"},
		{"of an unregistered certificate it isn't found", stranger.key, map[string]any{"x5t#S256": stranger.thumbprint()}, "[700027]"},
		{"of an expired certificate it is refused", expired.key, map[string]any{"x5t#S256": expired.thumbprint()}, "[700027]"},
		{"a bare key needs no thumbprint", bare, nil, ""},
		{"with its chain, leaf first, it is accepted", leaf.key, map[string]any{"x5t#S256": leaf.thumbprint(), "x5c": []string{leaf.x5c(), authority.x5c()}}, ""},
		{"with the leaf alone it is accepted", leaf.key, map[string]any{"x5t#S256": leaf.thumbprint(), "x5c": []string{leaf.x5c()}}, ""},
		{"with the leaf last it is refused", leaf.key, map[string]any{"x5t#S256": leaf.thumbprint(), "x5c": []string{authority.x5c(), leaf.x5c()}}, "[700027]"},
		{"with a chain that didn't sign the leaf it is refused", leaf.key, map[string]any{"x5t#S256": leaf.thumbprint(), "x5c": []string{leaf.x5c(), stranger.x5c()}}, "[700027]"},
		{"with another leaf it is refused", leaf.key, map[string]any{"x5t#S256": leaf.thumbprint(), "x5c": []string{stranger.x5c()}}, "[700027]"},
		{"with a text in place of the array it is refused", leaf.key, map[string]any{"x5t#S256": leaf.thumbprint(), "x5c": leaf.x5c()}, "[700027]"},
		{"with an empty array it is refused", leaf.key, map[string]any{"x5t#S256": leaf.thumbprint(), "x5c": []string{}}, "[700027]"},
		{"with a chain that is no base64 it is refused", leaf.key, map[string]any{"x5t#S256": leaf.thumbprint(), "x5c": []string{"?"}}, "[700027]"},
		{"with a chain that is no certificate it is refused", leaf.key, map[string]any{"x5t#S256": leaf.thumbprint(), "x5c": []string{"AAAA"}}, "[700027]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			signed := sign(t, jwt.SigningMethodES256, test.key, ownClaims(sim.URL()+entraToken, nil), test.header)
			got := sim.post(entraToken, demoForm(assertion(signed)))
			if codes := member(t, got.body, "error_codes"); codes != test.want {
				t.Errorf("error_codes %q, want %q, in %s", codes, test.want, got.body)
			}
		})
	}
}

func TestChainOfABareKey(t *testing.T) {
	leaf := certify(t, newKey(t), "app", epoch.Add(time.Hour), nil)
	stranger := certify(t, newKey(t), "app", epoch.Add(time.Hour), nil)
	sim := start(t, stssim.Options{Clients: []stssim.Client{{Tenant: contoso, ID: demoClient, Keys: []string{publicKey(t, leaf.key)}}}})
	for text, want := range map[string]int{leaf.x5c(): 200, stranger.x5c(): 401} {
		signed := sign(t, jwt.SigningMethodES256, leaf.key, ownClaims(sim.URL()+entraToken, nil), map[string]any{"x5c": []string{text}})
		if got := sim.post(entraToken, demoForm(assertion(signed))); got.status != want {
			t.Errorf("status %d, want %d: %s", got.status, want, got.body)
		}
	}
}

func TestClientAssertionAlgorithm(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve := newKey(t)
	sim := start(t, stssim.Options{Clients: []stssim.Client{{Tenant: contoso, ID: demoClient, Keys: []string{publicKey(t, curve), publicKey(t, key)}}}})
	tests := []struct {
		name   string
		method jwt.SigningMethod
		key    crypto.Signer
		want   int
	}{
		{"RS256 is accepted", jwt.SigningMethodRS256, key, 200},
		{"PS256 is accepted", jwt.SigningMethodPS256, key, 200},
		{"ES256 is accepted", jwt.SigningMethodES256, curve, 200},
		{"RS512 is not", jwt.SigningMethodRS512, key, 401},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			signed := sign(t, test.method, test.key, ownClaims(sim.URL()+entraToken, nil), nil)
			if got := sim.post(entraToken, demoForm(assertion(signed))); got.status != test.want {
				t.Errorf("status %d, want %d: %s", got.status, test.want, got.body)
			}
		})
	}
}

func TestFederatedAssertion(t *testing.T) {
	key, stranger := newKey(t), newKey(t)
	federated := stssim.FederatedCredential{Issuer: clusterIssuer, Subject: clusterSubject, Audience: clusterAudience}
	verified := federated
	verified.Issuer, verified.Keys = clusterIssuer+"/verified", []string{publicKey(t, key)}
	sim := start(t, stssim.Options{Clients: []stssim.Client{{
		Tenant: contoso, ID: demoClient, Federated: []stssim.FederatedCredential{federated, verified},
	}}})
	tests := []struct {
		name    string
		key     crypto.Signer
		changes jwt.MapClaims
		want    string
	}{
		{"without registered keys anybody may have signed", stranger, nil, ""},
		{"with them the issuer's signature is accepted", key, jwt.MapClaims{"iss": verified.Issuer}, ""},
		{"and another one is AADSTS7000272", stranger, jwt.MapClaims{"iss": verified.Issuer}, "[7000272]"},
		{"of another issuer it is AADSTS700211", stranger, jwt.MapClaims{"iss": clusterIssuer + "/"}, "[700211]"},
		{"of the issuer in other case it is AADSTS700211", stranger, jwt.MapClaims{"iss": "https://Kubernetes.example"}, "[700211]"},
		{"with another audience it is AADSTS700212", stranger, jwt.MapClaims{"aud": "api"}, "[700212]"},
		{"with the audience in other case it is AADSTS700212", stranger, jwt.MapClaims{"aud": "api://azureadtokenexchange"}, "[700212]"},
		{"with a subject in other case it is AADSTS700213", stranger, jwt.MapClaims{"sub": "system:serviceaccount:Payments:graph"}, "[700213]"},
		{"expired it is AADSTS700024", stranger, jwt.MapClaims{"exp": epoch.Unix()}, "[700024]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			claims := jwt.MapClaims{"iss": clusterIssuer, "sub": clusterSubject, "aud": clusterAudience, "exp": epoch.Add(time.Minute).Unix()}
			maps.Copy(claims, test.changes)
			// Such a token is a file that is sent until it is exchanged.
			for range 2 {
				got := sim.post(entraToken, demoForm(assertion(sign(t, jwt.SigningMethodES256, test.key, claims, nil))))
				if codes := member(t, got.body, "error_codes"); codes != test.want {
					t.Errorf("error_codes %q, want %q, in %s", codes, test.want, got.body)
				}
			}
		})
	}
}

func TestMalformedClientAssertion(t *testing.T) {
	sim := start(t, stssim.Options{})
	tests := []struct{ name, kind, assertion string }{
		{"text that is no JWT", assertionType, "nonsense"},
		{"a missing assertion type", "", "a.b.c"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := sim.post(entraToken, demoForm(url.Values{
				"client_secret": nil, "client_assertion": {test.assertion}, "client_assertion_type": {test.kind},
			}))
			if codes := member(t, got.body, "error_codes"); codes != "[50027]" {
				t.Errorf("error_codes %s", codes)
			}
		})
	}
}

func TestPublicClient(t *testing.T) {
	public := stssim.Client{Tenant: contoso, ID: demoClient, Public: true}
	sim := start(t, stssim.Options{Clients: []stssim.Client{public}})
	tests := []struct {
		name   string
		change url.Values
		want   string
	}{
		{"with a secret it is AADSTS700025", nil, "[700025]"},
		{"with an assertion it is AADSTS700025", assertion("x"), "[700025]"},
		{"for itself it is AADSTS7000216", url.Values{"client_secret": nil}, "[7000216]"},
		{
			"on behalf of a person it is AADSTS7000218",
			url.Values{"client_secret": nil, "grant_type": {jwtBearer}, "requested_token_use": {"on_behalf_of"}, "assertion": {"x"}}, "[7000218]",
		},
		{"with a refresh token it is let in, and the token looked at", url.Values{"client_secret": nil, "grant_type": {"refresh_token"}, "refresh_token": {"x"}}, "[70000]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := sim.post(entraToken, demoForm(test.change))
			if codes := member(t, got.body, "error_codes"); codes != test.want {
				t.Errorf("error_codes %q, want %q, in %s", codes, test.want, got.body)
			}
		})
	}
}
