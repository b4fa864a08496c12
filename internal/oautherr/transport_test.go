// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/oautherr"
)

// inCall wraps err as net/http does, with a URL that must not surface.
func inCall(err error) error {
	return &url.Error{Op: "Post", URL: "https://sts.example.com/token?canary", Err: err}
}

func dialing(err error) error {
	return inCall(&net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 443}, Err: err})
}

func TestFromTransport(t *testing.T) {
	tests := map[string]struct {
		err    error
		class  oautherr.Class
		detail string
	}{
		"a name that does not exist":                    {dialing(&net.DNSError{IsNotFound: true}), oautherr.Transient, "its name does not resolve"},
		"a lookup that times out":                       {dialing(&net.DNSError{IsTimeout: true}), oautherr.Transient, "looking up its name did not succeed"},
		"a refused connection":                          {dialing(os.NewSyscallError("connect", syscall.ECONNREFUSED)), oautherr.Transient, "it refused the connection"},
		"a reset":                                       {inCall(os.NewSyscallError("read", syscall.ECONNRESET)), oautherr.Transient, "it reset the connection"},
		"a broken pipe":                                 {inCall(syscall.EPIPE), oautherr.Transient, "it reset the connection"},
		"no route":                                      {dialing(syscall.EHOSTUNREACH), oautherr.Transient, "no route leads to it"},
		"a deadline":                                    {inCall(context.DeadlineExceeded), oautherr.Transient, "it did not answer in time"},
		"a socket's deadline":                           {inCall(os.ErrDeadlineExceeded), oautherr.Transient, "it did not answer in time"},
		"an error that says it is a timeout":            {inCall(syscall.ETIMEDOUT), oautherr.Transient, "it did not answer in time"},
		"an end without an answer":                      {inCall(io.EOF), oautherr.Transient, "it closed the connection too early"},
		"an end within an answer":                       {io.ErrUnexpectedEOF, oautherr.Transient, "it closed the connection too early"},
		"an unknown authority":                          {inCall(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), oautherr.Configuration, "its certificate is signed by an unknown authority"},
		"a certificate for another name":                {inCall(x509.HostnameError{Host: "canary", Certificate: &x509.Certificate{}}), oautherr.Configuration, "its certificate is for another name"},
		"an expired certificate":                        {inCall(x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{}}), oautherr.Configuration, "its certificate has expired or is not valid yet"},
		"a certificate that may not serve":              {inCall(x509.CertificateInvalidError{Reason: x509.IncompatibleUsage}), oautherr.Configuration, "its certificate was not accepted"},
		"a certificate that a callback refused":         {inCall(&tls.CertificateVerificationError{Err: errors.New("canary")}), oautherr.Configuration, "its certificate was not accepted"},
		"an answer that is no TLS":                      {inCall(tls.RecordHeaderError{Msg: "canary"}), oautherr.Configuration, "it does not speak TLS"},
		"an answer in plain HTTP":                       {inCall(http.ErrSchemeMismatch), oautherr.Configuration, "it does not speak TLS"},
		"an alert about our certificate":                {inCall(&net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}), oautherr.Credential, "it refused the client's certificate"},
		"another alert":                                 {inCall(&net.OpError{Op: "remote error", Err: errors.New("tls: protocol version not supported")}), oautherr.Configuration, "it refused the TLS handshake"},
		"a proxy that cannot be reached":                {inCall(&net.OpError{Op: "proxyconnect", Err: syscall.ECONNREFUSED}), oautherr.Transient, "the proxy before it cannot be reached"},
		"a proxy that wants credentials":                {inCall(errors.New("Proxy Authentication Required")), oautherr.Configuration, "the proxy before it wants credentials"},
		"what a proxy wrote, which is not shown":        {inCall(errors.New("canary")), oautherr.Transient, "the connection failed"},
		"a call that the caller gave up":                {inCall(context.Canceled), oautherr.Client, "the call was given up"},
		"a call given up in the middle of a dial":       {dialing(fmt.Errorf("dialing: %w", context.Canceled)), oautherr.Client, "the call was given up"},
		"a cause that the caller gave when it gave up":  {errors.Join(context.Canceled, errors.New("canary")), oautherr.Client, "the call was given up"},
		"a connection that was closed under the reader": {net.ErrClosed, oautherr.Transient, "it closed the connection too early"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := oautherr.FromTransport(test.err)
			want := &oautherr.Error{Class: test.class, Reason: oautherr.ReasonConnectionFailed, Detail: test.detail}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("FromTransport (-want +got):\n%s", diff)
			}
			if canceled := test.class == oautherr.Client; got.Canceled() != canceled {
				t.Errorf("Canceled() = %v, want %v", got.Canceled(), canceled)
			}
			if permanent := test.class == oautherr.Configuration || test.class == oautherr.Credential; got.Permanent() != permanent {
				t.Errorf("Permanent() = %v, want %v", got.Permanent(), permanent)
			}
			kind := oautherr.KindUnavailable
			if test.class == oautherr.Client {
				kind = oautherr.KindNone
			}
			if got.Kind() != kind {
				t.Errorf("Kind() = %q, want %q", got.Kind(), kind)
			}
		})
	}
}

func TestFromTransportOfNilIsNil(t *testing.T) {
	if got := oautherr.FromTransport(nil); got != nil {
		t.Errorf("FromTransport(nil) = %v, want nil", got)
	}
}

func TestARefusalOfTheDialerComesThrough(t *testing.T) {
	refused := oautherr.Refused(oautherr.ReasonEndpointRefused, "the address is a loopback address")
	if got := oautherr.FromTransport(dialing(refused)); got != refused {
		t.Errorf("FromTransport = %v, want the refusal itself", got)
	}
}

// TestRealConnections guards against a Go release that reports the same
// failures as other types.
func TestRealConnections(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = silent()
	secure.StartTLS()
	defer secure.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	trusting := secure.Client()
	trusting.Transport.(*http.Transport).TLSClientConfig.ServerName = "sts.invalid"
	canceled, cancel := context.WithCancel(t.Context())
	cancel()

	tests := map[string]struct {
		ctx    context.Context
		client *http.Client
		url    string
		want   string
	}{
		"an untrusted server":     {t.Context(), &http.Client{}, secure.URL, "its certificate is signed by an unknown authority"},
		"a server of other name":  {t.Context(), trusting, secure.URL, "its certificate is for another name"},
		"a server without TLS":    {t.Context(), &http.Client{}, strings.Replace(plain.URL, "http:", "https:", 1), "it does not speak TLS"},
		"a server that is gone":   {t.Context(), &http.Client{}, gone.URL, "it refused the connection"},
		"a proxy that is gone":    {t.Context(), proxied(t, gone.URL), "https://sts.invalid", "the proxy before it cannot be reached"},
		"a call that is given up": {canceled, &http.Client{}, plain.URL, "the call was given up"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(test.ctx, http.MethodPost, test.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := test.client.Do(request)
			if err == nil {
				response.Body.Close()
			}
			if got := oautherr.FromTransport(err); got == nil || got.Detail != test.want {
				t.Errorf("FromTransport(%v) = %v, want %q", err, got, test.want)
			}
		})
	}
}

func TestARealServerThatWantsAClientCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = silent()
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13}
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())

	connection, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "example.com"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	_, err = connection.Read(make([]byte, 1)) // TLS 1.3 sends the alert after the handshake
	if got := oautherr.FromTransport(err); got == nil || got.Detail != "it refused the client's certificate" {
		t.Errorf("FromTransport(%v) = %v", err, got)
	}
}

func TestARealProxyThatWantsCredentials(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	defer proxy.Close()
	response, err := proxied(t, proxy.URL).Post("https://sts.invalid", "", nil)
	if err == nil {
		response.Body.Close()
	}
	if got := oautherr.FromTransport(err); got == nil || got.Detail != "the proxy before it wants credentials" {
		t.Errorf("FromTransport(%v) = %v", err, got)
	}
}

func proxied(t *testing.T, address string) *http.Client {
	t.Helper()
	proxy, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}}
}
