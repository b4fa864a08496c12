// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// service is what a request is sent to, where that isn't the simulator.
type service struct {
	// endpoint is the token endpoint.
	endpoint string
	// trust is the CA to trust, in PEM; empty is the system's.
	trust []byte
	// proxy stands before the endpoint, if not empty.
	proxy string
	// arrived counts connections; nil where there is nobody to count them.
	arrived *arrivals
}

// arrivals are the instants at which connections came.
type arrivals struct {
	mu sync.Mutex
	at []time.Time
}

func (a *arrivals) note() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = append(a.at, time.Now())
}

// before counts the arrivals before an instant; the zero instant counts all.
func (a *arrivals) before(instant time.Time) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	count := 0
	for _, at := range a.at {
		if instant.IsZero() || at.Before(instant) {
			count++
		}
	}
	return count
}

// listen has every connection handled, in a goroutine of its own, until the node ends.
func listen(handle func(net.Conn)) (address string, arrived *arrivals) {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	arrived = &arrivals{}
	var handlers sync.WaitGroup
	handlers.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			arrived.note()
			handlers.Go(func() {
				defer conn.Close()
				handle(conn)
			})
		}
	})
	DeferCleanup(func() {
		listener.Close()
		handlers.Wait()
	})
	return listener.Addr().String(), arrived
}

// bareService is a service that doesn't get as far as TLS.
func bareService(handle func(net.Conn)) func() service {
	return func() service {
		address, arrived := listen(handle)
		return service{endpoint: "https://" + address + "/token", arrived: arrived}
	}
}

// resets sends RST, not FIN: with linger 0 there is no goodbye.
func resets(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) }

// closes ends the connection in good order, and too early.
func closes(conn net.Conn) { says(conn, "") }

// hangs reads and says nothing until the caller gives up.
func hangs(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// speaksPlainHTTP answers TLS's hello as a server without TLS does.
func speaksPlainHTTP(conn net.Conn) {
	says(conn, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
}

// wantsCredentials is a proxy that knows nobody.
func wantsCredentials(conn net.Conn) {
	says(conn, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
}

// says sends a text and ends the stream. What the caller sends is read: a connection that is closed
// before is reset, and the text may get lost.
func says(conn net.Conn, text string) {
	_, _ = io.WriteString(conn, text)
	_ = conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, conn)
}

// secureService speaks TLS with the certificates, or else with one for 127.0.0.1. Its handler may take
// the connection over.
func secureService(handler http.HandlerFunc, certificates ...tls.Certificate) service {
	GinkgoHelper()
	arrived := &arrivals{}
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: certificates}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // broken handshakes are what it is for
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			arrived.note()
		}
	}
	server.StartTLS()
	DeferCleanup(server.Close)
	trust := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return service{endpoint: server.URL + "/token", trust: trust, arrived: arrived}
}

// writes is a handler that sends bytes in place of an HTTP answer and closes.
func writes(raw string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the connection would be reset
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, raw)
	}
}

// expired is a certificate for 127.0.0.1 that was valid in the year 2000.
func expired() tls.Certificate {
	GinkgoHelper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "expired"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	Expect(err).NotTo(HaveOccurred())
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
