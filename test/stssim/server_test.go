// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"tokenrequest.dev/operator/test/stssim"
)

func TestCertificateIsForTheHosts(t *testing.T) {
	sim := start(t, stssim.Options{Hosts: []string{"stssim.demo.svc", "192.0.2.7"}})
	answer, err := sim.http.Get(sim.URL())
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(sim.CAPEM()) {
		t.Fatal("CAPEM holds no certificate")
	}
	for _, host := range []string{"localhost", "127.0.0.1", "::1", "stssim.demo.svc", "192.0.2.7"} {
		if _, err := answer.TLS.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: host, Roots: pool}); err != nil {
			t.Errorf("for %s: %v", host, err)
		}
	}
	if err := answer.TLS.PeerCertificates[0].VerifyHostname("elsewhere.example"); err == nil {
		t.Error("it is for any host")
	}
}

func TestStrangersDoNotTrustTheServer(t *testing.T) {
	sim := start(t, stssim.Options{})
	other := start(t, stssim.Options{})
	if _, err := other.http.Get(sim.URL()); err == nil {
		t.Error("another simulator's CA signed for this one")
	}
}

func TestURLIsReachableWhenListeningEverywhere(t *testing.T) {
	sim := start(t, stssim.Options{Listen: "0.0.0.0:0"})
	if !strings.HasPrefix(sim.URL(), "https://127.0.0.1:") {
		t.Errorf("URL %s", sim.URL())
	}
	if got := sim.post(entraToken, demoForm()); got.status != 200 {
		t.Errorf("status %d", got.status)
	}
}

func TestStartNamesWhatIsWrong(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	tests := []struct {
		name    string
		options stssim.Options
		want    string
	}{
		{"an address that is taken", stssim.Options{Listen: taken.Addr().String()}, "listening: "},
		{"a rule that can't be", stssim.Options{Rules: []stssim.Rule{{Times: -1}}}, "adding rule \"rule-1\": "},
		{"a throttle that can't be", stssim.Options{Throttles: []stssim.Throttle{{}}}, "setting throttle: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server, err := stssim.Start(test.options)
			if err == nil {
				server.Close()
				t.Fatal("it started")
			}
			if server != nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("server %v, error %q, want one that begins with %q", server, err, test.want)
			}
		})
	}
}

func TestCloseEndsTheServer(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.Close()
	sim.Close()
	if _, err := sim.try(sim.request(http.MethodPost, entraToken, demoForm())); err == nil {
		t.Error("it answers after Close")
	}
}

func TestOversizeRequestIsCutOff(t *testing.T) {
	sim := start(t, stssim.Options{})
	form := demoForm(url.Values{"padding": {strings.Repeat("x", 2<<20)}})
	if answer, err := sim.try(sim.request(http.MethodPost, entraToken, form)); err == nil {
		t.Errorf("it was answered %d", answer.status)
	}
}

func TestBodyThatIsNoFormHasNoParameters(t *testing.T) {
	sim := start(t, stssim.Options{})
	request := sim.request(http.MethodPost, entraToken, demoForm())
	request.Header.Set("Content-Type", "application/json")
	if codes := member(t, sim.do(request).body, "error_codes"); codes != "[900144]" {
		t.Errorf("error_codes %s", codes)
	}
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	sim := start(t, stssim.Options{})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 10 {
				if _, err := sim.try(sim.request(http.MethodPost, entraToken, demoForm())); err != nil {
					t.Error(err)
				}
			}
		})
		group.Go(func() {
			for range 10 {
				sim.Calls(stssim.Filter{})
				sim.Counters()
				sim.Canaries()
				sim.Clients()
				if err := sim.AddRules(stssim.Rule{}); err != nil {
					t.Error(err)
				}
				if err := sim.SetThrottle(stssim.Throttle{ClientID: demoClient, For: 1}); err != nil {
					t.Error(err)
				}
				sim.ClearRules()
				sim.Throttles()
			}
		})
	}
	group.Wait()
	if calls := sim.Calls(stssim.Filter{Finished: true}); len(calls) != 40 {
		t.Errorf("%d calls were finished, want 40", len(calls))
	}
}
