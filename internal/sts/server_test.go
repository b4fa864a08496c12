// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenrequest.dev/operator/internal/sts"
)

const (
	correlationID = "11111111-2222-3333-4444-555555555555"
	// The canaries must not appear anywhere but on the wire.
	secretCanary = "canary-secret-8Q~x+/=%"
	tokenCanary  = "canary.access.token"
	success      = `{"access_token":"` + tokenCanary + `","token_type":"Bearer","expires_in":3600}`
)

// environmentProxy is what HTTPS_PROXY names during all tests of this package:
// net/http reads the environment once. It isn't used for loopback addresses.
var environmentProxy = &proxy{}

func TestMain(m *testing.M) {
	server := httptest.NewServer(environmentProxy)
	_ = os.Setenv("HTTPS_PROXY", server.URL)
	_ = os.Setenv("NO_PROXY", "")
	code := m.Run()
	server.Close()
	os.Exit(code)
}

// stepClock is a clock that moves when it is told to.
type stepClock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *stepClock {
	return &stepClock{now: time.Date(2030, 1, 2, 3, 4, 5, 678_000_000, time.FixedZone("CET", 3600))}
}

func (c *stepClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *stepClock) Step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// options permit what the tests' own servers need.
func options() sts.Options {
	return sts.Options{
		Now:              newClock().Now,
		NewCorrelationID: func() string { return correlationID },
		AllowLoopback:    true,
		UserAgent:        "tokenrequest-operator/test",
	}
}

// server is a TLS server that records what it is asked.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	closed   chan struct{} // a connection was closed
}

// serve starts a server; its requests have their forms parsed.
func serve(t *testing.T, handler http.HandlerFunc, configure ...func(*httptest.Server)) *server {
	t.Helper()
	s := &server{closed: make(chan struct{}, 100)}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		s.mu.Lock()
		s.requests = append(s.requests, r)
		s.mu.Unlock()
		handler(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			s.closed <- struct{}{}
		}
	}
	for _, c := range configure {
		c(s.Server)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// answers returns a handler that always gives this answer.
func answers(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for pair := range slices.Chunk(header, 2) {
			w.Header().Set(pair[0], pair[1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func (s *server) trust() sts.Transport {
	block := pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}
	return sts.Transport{RootCAs: pem.EncodeToMemory(&block)}
}

// request returns a request to the server with a secret.
func (s *server) request() sts.Request {
	return sts.Request{
		Endpoint:     s.URL + "/token",
		Auth:         sts.AuthClientSecretPost,
		ClientID:     "client",
		ClientSecret: secretCanary,
		Scopes:       []string{"scope"},
		Transport:    s.trust(),
	}
}

func (s *server) paths() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var paths []string
	for _, r := range s.requests {
		paths = append(paths, r.Method+" "+r.URL.Path)
	}
	return paths
}

// last returns the latest request.
func (s *server) last(t *testing.T) *http.Request {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == 0 {
		t.Fatal("the server was not asked")
	}
	return s.requests[len(s.requests)-1]
}

func (s *server) wantCalls(t *testing.T, want int) {
	t.Helper()
	if got := len(s.paths()); got != want {
		t.Errorf("the server was called %d times, want %d", got, want)
	}
}

// proxy is an HTTP proxy that leads every CONNECT to one backend.
type proxy struct {
	mu      sync.Mutex
	backend string
	targets []string
}

func (p *proxy) leadTo(backend *server) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.backend, p.targets = backend.Listener.Addr().String(), nil
}

func (p *proxy) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.targets)
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.targets = append(p.targets, r.Method+" "+r.Host)
	backend := p.backend
	p.mu.Unlock()
	up, err := (&net.Dialer{}).DialContext(context.WithoutCancel(r.Context()), "tcp", backend)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer func() { _ = up.Close() }()
	// Not answered before it is hijacked, or the server may have read the first
	// byte of what follows.
	down, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = down.Close() }()
	_, _ = io.WriteString(down, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		_, _ = io.Copy(up, down)
		_ = up.Close()
	}()
	_, _ = io.Copy(down, up)
}

// wantNoCanary fails when a text shows what only the wire may.
func wantNoCanary(t *testing.T, what, text string) {
	t.Helper()
	for _, canary := range []string{secretCanary, tokenCanary, fmt.Sprintf("%x", secretCanary), fmt.Sprintf("%x", tokenCanary)} {
		if strings.Contains(text, canary) {
			t.Errorf("%s shows %q: %s", what, canary, text)
		}
	}
}
