// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
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
)

func newKey(t *testing.T) (*ecdsa.PrivateKey, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// newCertificate is the key's certificate, in PEM.
func newCertificate(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func assert(t *testing.T, key *ecdsa.PrivateKey, claims jwt.RegisteredClaims) url.Values {
	t.Helper()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return demoForm(url.Values{
		"client_secret":         nil,
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {signed},
	})
}

func TestClientAssertion(t *testing.T) {
	registered, public := newKey(t)
	certified, _ := newKey(t)
	stranger, _ := newKey(t)
	sim := start(t, stssim.Options{Clients: []stssim.Client{{
		Tenant: contoso, ID: demoClient, Keys: []string{public, newCertificate(t, certified)},
		Federated: []stssim.FederatedCredential{{Issuer: clusterIssuer, Subject: clusterSubject, Audience: clusterAudience}},
	}}})
	own := func(audience, subject string, lifetime time.Duration) jwt.RegisteredClaims {
		return jwt.RegisteredClaims{
			Issuer: demoClient, Subject: subject, Audience: jwt.ClaimStrings{audience},
			ExpiresAt: jwt.NewNumericDate(epoch.Add(lifetime)),
		}
	}
	federated := func(issuer, subject, audience string, lifetime time.Duration) jwt.RegisteredClaims {
		return jwt.RegisteredClaims{
			Issuer: issuer, Subject: subject, Audience: jwt.ClaimStrings{audience},
			ExpiresAt: jwt.NewNumericDate(epoch.Add(lifetime)),
		}
	}
	endpoint, issuer := sim.URL()+entraToken, sim.EntraAuthority(contoso)+"/v2.0"
	tests := []struct {
		name   string
		key    *ecdsa.PrivateKey
		claims jwt.RegisteredClaims
		want   string // error_codes, empty when granted
	}{
		{"signed by the registered key, for the endpoint, it is accepted", registered, own(endpoint, demoClient, time.Minute), ""},
		{"for the issuer it is accepted too", registered, own(issuer, demoClient, time.Minute), ""},
		{"signed by the key of a registered certificate it is accepted", certified, own(endpoint, demoClient, time.Minute), ""},
		{"signed by another key it is AADSTS700027", stranger, own(endpoint, demoClient, time.Minute), "[700027]"},
		{"about another subject it is AADSTS700021", registered, own(endpoint, "other", time.Minute), "[700021]"},
		{"for another audience it is AADSTS50027", registered, own("https://elsewhere.example", demoClient, time.Minute), "[50027]"},
		{"expired it is AADSTS700024", registered, own(endpoint, demoClient, -time.Minute), "[700024]"},
		{"of the federated issuer it is accepted", stranger, federated(clusterIssuer, clusterSubject, clusterAudience, time.Minute), ""},
		{"of another issuer it is AADSTS700211", stranger, federated(clusterIssuer+"/", clusterSubject, clusterAudience, time.Minute), "[700211]"},
		{"with another audience it is AADSTS700212", stranger, federated(clusterIssuer, clusterSubject, "api", time.Minute), "[700212]"},
		{"with a subject in other case it is AADSTS700213", stranger, federated(clusterIssuer, "system:serviceaccount:Payments:graph", clusterAudience, time.Minute), "[700213]"},
		{"federated and expired it is AADSTS700024", stranger, federated(clusterIssuer, clusterSubject, clusterAudience, -time.Minute), "[700024]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := sim.post(entraToken, assert(t, test.key, test.claims))
			if codes := member(t, got.body, "error_codes"); codes != test.want {
				t.Errorf("error_codes %q, want %q, in %s", codes, test.want, got.body)
			}
		})
	}
}

func TestMalformedClientAssertion(t *testing.T) {
	sim := start(t, stssim.Options{})
	tests := []struct{ name, kind, assertion string }{
		{"text that is no JWT", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "nonsense"},
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

func TestSecretsRotateAndExpire(t *testing.T) {
	sim := start(t, stssim.Options{})
	if err := sim.PutClient(stssim.Client{Tenant: contoso, ID: demoClient, Secrets: []stssim.Secret{
		{Value: "old", ExpiresAt: epoch.Add(time.Minute)}, {Value: "new"},
	}}); err != nil {
		t.Fatal(err)
	}
	check := func(secret string, want int) {
		t.Helper()
		if got := sim.post(entraToken, demoForm(url.Values{"client_secret": {secret}})); got.status != want {
			t.Errorf("secret %q is answered %d, want %d", secret, got.status, want)
		}
	}
	check(demoSecret, 401)
	check("old", 200)
	check("new", 200)
	sim.clock.Advance(time.Minute)
	check("old", 401)
	check("new", 200)
}

func TestTenantGoesWithItsLastClient(t *testing.T) {
	sim := start(t, stssim.Options{})
	if !sim.RemoveClient("acme", "DEMO") {
		t.Error("the demo client of acme was not found")
	}
	if sim.RemoveClient("acme", "demo") {
		t.Error("a client was removed twice")
	}
	if got := sim.post(plainToken, acmeForm()); got.status != 404 {
		t.Errorf("status %d", got.status)
	}
}

func TestClientsThatCannotBeRegistered(t *testing.T) {
	tests := []struct {
		name   string
		client stssim.Client
	}{
		{"without a tenant", stssim.Client{ID: "x"}},
		{"without an ID", stssim.Client{Tenant: "x"}},
		{"with a key that is no PEM", stssim.Client{Tenant: "x", ID: "x", Keys: []string{"key"}}},
		{"with a PEM block that is no public key", stssim.Client{Tenant: "x", ID: "x", Keys: []string{"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"}}},
		{"with a PEM block that is no certificate", stssim.Client{Tenant: "x", ID: "x", Keys: []string{"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if server, err := stssim.Start(stssim.Options{Clients: []stssim.Client{test.client}}); err == nil {
				server.Close()
				t.Error("it was registered")
			}
		})
	}
}
