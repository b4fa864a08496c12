// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"net/url"
	"testing"
	"time"

	"tokenrequest.dev/operator/test/stssim"
)

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
		{"with a certificate that is none", stssim.Client{Tenant: "x", ID: "x", Certificates: []string{publicKey(t, newKey(t))}}},
		{"with a certificate that is no PEM", stssim.Client{Tenant: "x", ID: "x", Certificates: []string{"certificate"}}},
		{"with a federated key that is no PEM", stssim.Client{Tenant: "x", ID: "x", Federated: []stssim.FederatedCredential{{Keys: []string{"key"}}}}},
		{"with a trusted issuer's key that is no PEM", stssim.Client{Tenant: "x", ID: "x", TrustedIssuers: []stssim.TrustedIssuer{{Keys: []string{"key"}}}}},
		{"with a rotation that nobody knows", stssim.Client{Tenant: "x", ID: "x", RefreshRotation: "sometimes"}},
		{"with a negative lifetime", stssim.Client{Tenant: "x", ID: "x", DeviceLifetime: -1}},
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
