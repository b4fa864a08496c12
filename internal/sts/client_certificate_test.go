// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

// wantsCertificate makes a server take no connection without a client
// certificate, while it names an authority that issued none of the client's.
func wantsCertificate(t *testing.T) func(*httptest.Server) {
	t.Helper()
	others := x509.NewCertPool()
	others.AppendCertsFromPEM(certificatePEM(issue(t, "stranger", rootKey(), "stranger", rootKey())))
	return func(s *httptest.Server) {
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert, ClientCAs: others}
	}
}

// tlsRequest returns a request to the server with a certificate in place of a secret.
func tlsRequest(s *server, pair *sts.KeyPair) sts.Request {
	r := s.request()
	r.Auth, r.ClientSecret, r.Transport.ClientCertificate = sts.AuthTLSClient, "", pair
	return r
}

func TestTLSClientAuth(t *testing.T) {
	leaf := issue(t, "leaf", ecKey(), "root", rootKey())
	root := issue(t, "root", rootKey(), "root", rootKey())
	chained, err := sts.ParseKeyPair(certificatePEM(root, leaf), keyPEM(t, ecKey()))
	if err != nil {
		t.Fatalf("parsing a chain: %v", err)
	}
	tests := map[string]struct {
		pair  *sts.KeyPair
		want  [][]byte
		http2 bool
	}{
		"a self-signed certificate":   {pairOf(t, rsaKey()), nil, false},
		"a chain":                     {chained, [][]byte{leaf, root}, false},
		"a certificate before HTTP/2": {chained, [][]byte{leaf, root}, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, answers(200, success), wantsCertificate(t), func(s *httptest.Server) { s.EnableHTTP2 = tc.http2 })
			if _, err := sts.New(options()).Token(t.Context(), tlsRequest(s, tc.pair)); err != nil {
				t.Fatalf("asking: %v", err)
			}
			r := s.last(t)
			want := tc.want
			if want == nil {
				want = [][]byte{tc.pair.Leaf().Raw}
			}
			var got [][]byte
			for _, c := range r.TLS.PeerCertificates {
				got = append(got, c.Raw)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("certificates (-want +got):\n%s", diff)
			}
			if r.PostForm.Get("client_id") != "client" || r.PostForm.Has("client_secret") || r.ProtoMajor == 2 != tc.http2 {
				t.Errorf("the request is %s %v", r.Proto, r.PostForm)
			}
		})
	}
}

func TestAServerThatWantsACertificateGetsNone(t *testing.T) {
	s := serve(t, answers(200, success), wantsCertificate(t))
	_, err := sts.New(options()).Token(t.Context(), s.request())
	wantConnectionFailed(t, err)
	if err.Class != oautherr.Credential {
		t.Errorf("the class is %s, want %s", err.Class, oautherr.Credential)
	}
	s.wantCalls(t, 0)
}

func TestARotatedCertificateIsPresented(t *testing.T) {
	s := serve(t, answers(200, success), wantsCertificate(t))
	client := sts.New(options())
	for _, pair := range []*sts.KeyPair{pairOf(t, ecKey()), pairOf(t, rsaKey()), pairOf(t, otherKey())} {
		if _, err := client.Token(t.Context(), tlsRequest(s, pair)); err != nil {
			t.Fatalf("asking: %v", err)
		}
		if got := s.last(t).TLS.PeerCertificates[0]; !got.Equal(pair.Leaf()) {
			t.Errorf("an older certificate was presented")
		}
	}
	if first, second := (sts.Transport{ClientCertificate: pairOf(t, ecKey())}), (sts.Transport{}); first.Identity() == second.Identity() {
		t.Error("a transport with a certificate has the identity of one without")
	}
}

// An https proxy is no party to what client and endpoint prove to each other.
func TestAnHTTPSProxyIsShownNoCertificate(t *testing.T) {
	s := serve(t, answers(200, success), wantsCertificate(t))
	through := &proxy{}
	through.leadTo(s)
	var offered atomic.Int32
	proxyServer := httptest.NewUnstartedServer(through)
	proxyServer.TLS = &tls.Config{
		MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert,
		VerifyConnection: func(c tls.ConnectionState) error {
			offered.Add(int32(len(c.PeerCertificates)))
			return nil
		},
	}
	proxyServer.Config.ErrorLog = log.New(io.Discard, "", 0)
	proxyServer.StartTLS()
	t.Cleanup(proxyServer.Close)

	request := tlsRequest(s, pairOf(t, ecKey()))
	request.Endpoint = "https://example.com/token"
	request.Transport.ProxyURL = proxyServer.URL
	client := sts.New(options())
	if _, err := client.Token(t.Context(), request); err != nil {
		t.Fatalf("asking through an https proxy: %v", err)
	}
	if diff := cmp.Diff([]string{"CONNECT example.com:443"}, through.asked()); diff != "" {
		t.Errorf("the proxy was asked for (-want +got):\n%s", diff)
	}
	if n := offered.Load(); n != 0 {
		t.Errorf("the proxy was shown %d certificates", n)
	}
	if got := s.last(t).TLS.PeerCertificates; len(got) != 1 || !got[0].Equal(request.Transport.ClientCertificate.Leaf()) {
		t.Errorf("the endpoint was shown %d certificates, want the client's", len(got))
	}

	t.Run("an http proxy is used as ever", func(t *testing.T) {
		plain := httptest.NewServer(through)
		t.Cleanup(plain.Close)
		request := request
		request.Transport.ProxyURL = plain.URL
		if _, err := client.Token(t.Context(), request); err != nil {
			t.Fatalf("asking through an http proxy: %v", err)
		}
	})
	t.Run("a proxy that nobody vouches for is refused", func(t *testing.T) {
		request := request
		request.Transport.RootCAs = nil
		_, err := client.Token(t.Context(), request)
		wantConnectionFailed(t, err)
		if !strings.Contains(err.Detail, "unknown authority") {
			t.Errorf("the detail is %q", err.Detail)
		}
	})
	for name, tc := range map[string]struct{ url, want string }{
		"a proxy without a port is at 443":         {"https://169.254.0.1", "the host has a link-local address"},
		"a proxy whose name isn't ASCII is none":   {"https://pröxy.example.com", "the proxy's host is neither an IP address nor a host name in ASCII"},
		"a proxy's address is checked like others": {"https://[fe80::1]:8443", "the host has a link-local address"},
	} {
		t.Run(name, func(t *testing.T) {
			request := request
			request.Transport.ProxyURL = tc.url
			_, err := client.Token(t.Context(), request)
			wantRefusal(t, err, tc.want)
		})
	}
}

// Metadata is everybody's to read (RFC 8414 section 3), and who holds the certificate may have
// named the hosts that it is for, of which an authority needn't be one.
func TestDiscoveryShowsNoCertificate(t *testing.T) {
	offered := 0
	var s *server
	s = serve(t, func(w http.ResponseWriter, r *http.Request) {
		offered += len(r.TLS.PeerCertificates)
		answers(200, `{"issuer":"`+s.URL+`","token_endpoint":"`+s.URL+`/token"}`)(w, r)
	}, func(s *httptest.Server) {
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert}
	})
	client, transport := sts.New(options()), s.trust()
	transport.ClientCertificate = pairOf(t, ecKey())
	if _, err := client.Discover(t.Context(), s.URL, transport); err != nil {
		t.Fatalf("discovering: %v", err)
	}
	if offered != 0 {
		t.Errorf("the server was shown %d certificates", offered)
	}
	transport.ClientCertificate = pairOf(t, otherKey())
	if _, known := client.Known(s.URL, transport); !known {
		t.Error("what was learned isn't known once the certificate is renewed")
	}
	if _, err := client.Discover(t.Context(), s.URL, transport); err != nil {
		t.Errorf("discovering once the certificate is renewed: %v", err)
	}
	s.wantCalls(t, 1)
}
