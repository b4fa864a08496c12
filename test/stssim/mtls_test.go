// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"testing"
	"time"

	"tokenrequest.dev/operator/test/stssim"
)

// presenting is a client that answers with a certificate, whoever is asked for.
func presenting(sim *simulator, who identity) *http.Client {
	client := sim.HTTPClient()
	config := client.Transport.(*http.Transport).TLSClientConfig
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &tls.Certificate{Certificate: [][]byte{who.certificate.Raw}, PrivateKey: who.key}, nil
	}
	return client
}

func TestTLSClientAuth(t *testing.T) {
	const path = "/plain/acme/mtls/token"
	end := epoch.Add(time.Hour)
	authority := certify(t, newKey(t), "authority", end, nil)
	registered := certify(t, newKey(t), "app", end, &authority)
	lonely := certify(t, newKey(t), "lonely", end, nil)
	sim := start(t, stssim.Options{Clients: []stssim.Client{{
		Tenant: "acme", ID: "demo", Secrets: []stssim.Secret{{Value: "stssim-acme-secret"}},
		Certificates: []string{registered.pem() + authority.pem(), lonely.pem()},
	}}})
	none := url.Values{"client_secret": nil}
	tests := []struct {
		name   string
		path   string
		who    identity
		form   url.Values
		want   int
		method string
	}{
		{"the registered certificate is accepted", path, registered, acmeForm(none), 200, "tls_client_auth"},
		{"another of its subject and authority is accepted", path, certify(t, newKey(t), "app", end, &authority), acmeForm(none), 200, "tls_client_auth"},
		{"another of its subject alone is refused", path, certify(t, newKey(t), "app", end, nil), acmeForm(none), 401, "tls_client_auth"},
		{"another of its authority alone is refused", path, certify(t, newKey(t), "other", end, &authority), acmeForm(none), 401, "tls_client_auth"},
		{"one without an authority is accepted as it stands", path, lonely, acmeForm(none), 200, "tls_client_auth"},
		{"and no other of its subject", path, certify(t, newKey(t), "lonely", end, nil), acmeForm(none), 401, "tls_client_auth"},
		{"an expired one is refused", path, certify(t, newKey(t), "app", epoch.Add(-time.Minute), &authority), acmeForm(none), 401, "tls_client_auth"},
		{"a client that isn't named is refused", path, registered, acmeForm(none, url.Values{"client_id": nil}), 401, "tls_client_auth"},
		{"a secret goes before the certificate", path, registered, acmeForm(url.Values{"client_secret": {"wrong"}}), 401, "client_secret_post"},
		{"at the endpoint that has an alias it isn't looked at", plainToken, registered, acmeForm(none), 401, "none"},
		{"at the device endpoint it is accepted", plainDevice, registered, acmeForm(none), 200, "tls_client_auth"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := len(sim.Calls(stssim.Filter{}))
			sim.http = presenting(sim, test.who)
			if got := sim.post(test.path, test.form); got.status != test.want {
				t.Errorf("status %d, want %d: %s", got.status, test.want, got.body)
			}
			if method := sim.Calls(stssim.Filter{})[before].AuthMethod; method != test.method {
				t.Errorf("logged as %q, want %q", method, test.method)
			}
		})
	}
}

func TestWithoutACertificateTheAliasTakesOtherMethods(t *testing.T) {
	sim := start(t, stssim.Options{})
	if got := sim.post("/plain/acme/mtls/token", acmeForm()); got.status != 200 {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	if got := sim.post("/plain/acme/mtls/token", acmeForm(url.Values{"client_secret": nil})); got.status != 401 {
		t.Errorf("without anything the status is %d", got.status)
	}
}
