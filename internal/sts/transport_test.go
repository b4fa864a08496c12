// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts_test

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/sts"
)

func TestTransportIdentity(t *testing.T) {
	known := map[string]sts.Transport{}
	for _, transport := range []sts.Transport{
		{}, {RootCAs: []byte("ab")}, {ProxyURL: "ab"}, {RootCAs: []byte("a"), ProxyURL: "b"}, {RootCAs: []byte("b"), ProxyURL: "a"},
		{ClientCertificate: pairOf(t, ecKey())}, {ClientCertificate: pairOf(t, rsaKey())}, {ProxyURL: "ab", ClientCertificate: pairOf(t, rsaKey())},
	} {
		id := transport.Identity()
		if other, twice := known[id]; twice {
			t.Errorf("%v and %v are both %s", transport, other, id)
		}
		known[id] = transport
		if again := transport.Identity(); again != id {
			t.Errorf("%v is %s and then %s", transport, id, again)
		}
	}
	// Part of keys that outlive the process.
	const zero = "af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc"
	if got := (sts.Transport{}).Identity(); got != zero {
		t.Errorf("the zero transport is %s, want %s", got, zero)
	}
}

func TestTransportsDoNotShareConnections(t *testing.T) {
	s := serve(t, answers(200, success))
	client := sts.New(options())
	if _, err := client.Token(t.Context(), s.request()); err != nil {
		t.Fatalf("asking: %v", err)
	}
	untrusting := s.request()
	untrusting.Transport = sts.Transport{}
	_, err := client.Token(t.Context(), untrusting)
	wantConnectionFailed(t, err)
}

func TestTransportKeepsConnections(t *testing.T) {
	s := serve(t, answers(200, success))
	client := sts.New(options())
	for range 2 {
		if _, err := client.Token(t.Context(), s.request()); err != nil {
			t.Fatalf("asking: %v", err)
		}
	}
	if a, b := s.requests[0].RemoteAddr, s.requests[1].RemoteAddr; a != b {
		t.Errorf("the second request came from %s, want it on the connection of the first, %s", b, a)
	}
}

func TestTransportsAreBounded(t *testing.T) {
	s := serve(t, answers(200, success))
	client := sts.New(options())
	if _, err := client.Token(t.Context(), s.request()); err != nil {
		t.Fatalf("asking: %v", err)
	}
	other := s.request()
	for i := range 128 {
		// Refused when dialled, which is after its transport was made.
		other.Transport.ProxyURL = fmt.Sprintf("http://169.254.0.1:%d", i+1)
		_, err := client.Token(t.Context(), other)
		wantRefusal(t, err, "the host has a link-local address")
	}
	<-s.closed // the idle connection of the transport that was forgotten
}

// crypto/tls bounds the keys of the certificates that a server sends, and not those
// of the certificates that are trusted.
func TestTransportBoundsTheLengthOfATrustedKey(t *testing.T) {
	s := serve(t, answers(200, success))
	for name, tc := range map[string]struct {
		bits int
		why  string
	}{
		"8192 bits": {8192, ""},
		"one more":  {8193, "a certificate in the CA bundle has an RSA key of more than 8192 bits, the most that the operator takes"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := x509.ParsePKCS1PrivateKey(longRSA(t, tc.bits))
			if err != nil {
				t.Fatalf("parsing a key: %v", err)
			}
			request := s.request()
			request.Transport.RootCAs = append(request.Transport.RootCAs, certificatePEM(issue(t, "long", key, "root", rootKey()))...)
			ctx, connects := countConnects(t.Context())
			_, refused := sts.New(options()).Token(ctx, request)
			wantRefusal(t, refused, tc.why)
			if n := connects.Load(); (n == 0) != (tc.why != "") {
				t.Errorf("connected %d times", n)
			}
		})
	}
}

func TestTransportUsesItsProxy(t *testing.T) {
	s := serve(t, answers(200, success))
	through := &proxy{}
	through.leadTo(s)
	proxyServer := httptest.NewServer(through)
	t.Cleanup(proxyServer.Close)

	request := s.request()
	request.Endpoint = "https://example.com/token" // a name of httptest's certificate
	request.Transport.ProxyURL = proxyServer.URL

	if _, err := sts.New(options()).Token(t.Context(), request); err != nil {
		t.Fatalf("asking through a proxy: %v", err)
	}
	if diff := cmp.Diff([]string{"CONNECT example.com:443"}, through.asked()); diff != "" {
		t.Errorf("the proxy was asked for (-want +got):\n%s", diff)
	}

	t.Run("a proxy on loopback is refused like any other address", func(t *testing.T) {
		_, err := sts.New(strict()).Token(t.Context(), request)
		wantRefusal(t, err, "the host has a loopback address, and the operator does not allow those")
	})
	t.Run("a link-local endpoint isn't asked for through a proxy", func(t *testing.T) {
		linkLocal := request
		linkLocal.Endpoint = "https://169.254.169.254/token"
		before := len(through.asked())
		_, err := sts.New(options()).Token(t.Context(), linkLocal)
		wantRefusal(t, err, "the host has a link-local address")
		if got := len(through.asked()); got != before {
			t.Errorf("the proxy was asked %d times more", got-before)
		}
	})
}

func TestTransportRefusesAProxyThatIsNotAllowed(t *testing.T) {
	s := serve(t, answers(200, success))
	through := &proxy{}
	through.leadTo(s)
	proxyServer := httptest.NewServer(through)
	t.Cleanup(proxyServer.Close)
	o := options()
	o.AllowedHosts = []string{"example.com"}
	client := sts.New(o)
	const notAllowed = "in the proxyURL, the host is not among those that the operator allows"
	tests := map[string]struct{ proxy, why string }{
		"a host that isn't named":                 {"http://proxy.example.net:3128", notAllowed},
		"an https proxy that isn't named":         {"https://proxy.example.net:3128", notAllowed},
		"a host that merely ends alike":           {"http://evilexample.com", notAllowed},
		"an address":                              {proxyServer.URL, notAllowed},
		"a host that IDNA makes one that is":      {"http://proxy。example.com", "in the proxyURL, the host is neither an IP address nor a host name in ASCII"},
		"what is no proxy":                        {"socks5://proxy.example.com", "the proxy is not an http or https URL without a user"},
		"a host below one that is named":          {"http://Proxy.Example.com.:3128", ""},
		"none, so that the environment's is used": {"", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, client.CheckProxy(tc.proxy), tc.why)
			if tc.why == "" {
				return
			}
			request := s.request()
			request.Endpoint, request.Transport.ProxyURL = "https://example.com/token", tc.proxy
			ctx, connects := countConnects(t.Context())
			_, err := client.Token(ctx, request)
			wantRefusal(t, err, tc.why)
			_, err = client.Discover(ctx, "https://example.com", request.Transport)
			wantRefusal(t, err, tc.why)
			if n := connects.Load(); n != 0 || len(through.asked()) != 0 {
				t.Errorf("connected %d times, want never", n)
			}
		})
	}
	t.Run("the proxy of the environment needn't be named", func(t *testing.T) {
		environmentProxy.leadTo(s)
		request := s.request()
		request.Endpoint = "https://example.com/token"
		if _, err := client.Token(t.Context(), request); err != nil {
			t.Errorf("asking through a proxy: %v", err)
		}
	})
}

func TestTransportUsesTheEnvironmentsProxy(t *testing.T) {
	s := serve(t, answers(200, success))
	environmentProxy.leadTo(s)
	request := s.request()
	request.Endpoint = "https://example.com/token"
	if _, err := sts.New(options()).Token(t.Context(), request); err != nil {
		t.Fatalf("asking through a proxy: %v", err)
	}
	if diff := cmp.Diff([]string{"CONNECT example.com:443"}, environmentProxy.asked()); diff != "" {
		t.Errorf("the proxy was asked for (-want +got):\n%s", diff)
	}
}

func TestTransportReportsAProxyThatRefuses(t *testing.T) {
	s := serve(t, answers(200, success))
	refusing := httptest.NewServer(answers(http.StatusProxyAuthRequired, tokenCanary))
	t.Cleanup(refusing.Close)
	request := s.request()
	request.Endpoint = "https://example.com/token"
	request.Transport.ProxyURL = refusing.URL
	_, err := sts.New(options()).Token(t.Context(), request)
	wantConnectionFailed(t, err)
	if !strings.Contains(err.Detail, "wants credentials") {
		t.Errorf("the detail is %q, want that the proxy wants credentials", err.Detail)
	}
	wantNoCanary(t, "the error", show(t, *err))
	s.wantCalls(t, 0)
}
