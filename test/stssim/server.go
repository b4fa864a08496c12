// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options are the settings of a Server; the zero value is a server for
// DemoClients on a free port of 127.0.0.1.
type Options struct {
	// Listen is a TCP address; empty is 127.0.0.1:0.
	Listen string
	// Hosts are DNS names and IP addresses that the certificate is also for,
	// besides 127.0.0.1, ::1 and localhost.
	Hosts []string
	// Clock tells the time of everything but Action.Latency; nil is time.Now.
	Clock func() time.Time
	// Clients are registered in place of DemoClients, unless there are none.
	Clients []Client
	// Rules are added as by AddRules.
	Rules []Rule
	// Throttles are set as by SetThrottle.
	Throttles []Throttle
	// MultilineErrors puts CR LF in place of a space before the trace and
	// correlation IDs in Entra's error descriptions.
	MultilineErrors bool
}

// Server is a running simulator. Its methods may be called from any goroutine.
type Server struct {
	clock       func() time.Time
	multiline   bool
	authority   *authority
	connections *connections
	server      *http.Server
	url         string

	administration http.Handler

	clients   *registry
	rules     *rulebook
	throttles *throttles
	tokens    *mint
	refresh   *refreshTokens
	devices   *deviceCodes
	calls     *callLog

	mu       sync.Mutex
	closed   bool
	done     chan struct{}
	handlers sync.WaitGroup
}

// Start starts a server, which is ready when Start returns.
func Start(options Options) (*Server, error) {
	s := &Server{
		clock:     options.Clock,
		multiline: options.MultilineErrors,
		clients:   newRegistry(),
		rules:     &rulebook{},
		throttles: &throttles{},
		tokens:    newMint(),
		refresh:   newRefreshTokens(),
		devices:   newDeviceCodes(),
		calls:     newCallLog(),
		done:      make(chan struct{}),
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if err := s.register(options); err != nil {
		return nil, err
	}
	var err error
	if s.authority, err = newAuthority(options.Hosts); err != nil {
		return nil, err
	}
	s.administration = s.adminRoutes()
	if err := s.listen(options.Listen); err != nil {
		return nil, err
	}
	return s, nil
}

// register applies the registrations, rules and throttles of the options.
func (s *Server) register(options Options) error {
	clients := options.Clients
	if len(clients) == 0 {
		clients = DemoClients()
	}
	for _, client := range clients {
		if err := s.PutClient(client); err != nil {
			return err
		}
	}
	if err := s.AddRules(options.Rules...); err != nil {
		return err
	}
	for _, throttle := range options.Throttles {
		if err := s.SetThrottle(throttle); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) listen(address string) error {
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	s.connections = newConnections(listener)
	s.url = "https://" + reachable(listener.Addr())
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	s.server = &http.Server{
		Handler: http.HandlerFunc(s.handle),
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{s.authority.leaf},
			MinVersion:   tls.VersionTLS12,
			// A client without a certificate answers that it has none. What is
			// presented is compared with registrations, whoever signed it.
			ClientAuth: tls.RequestClientCert,
		},
		Protocols: &protocols,
		ConnState: s.connections.watch,
		// Broken handshakes are what some tests are about.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	s.handlers.Go(func() {
		// It returns when Close closes the server.
		_ = s.server.ServeTLS(s.connections, "", "")
	})
	return nil
}

// reachable is the address to call when the server listens on all of them.
func reachable(address net.Addr) string {
	host, port, err := net.SplitHostPort(address.String())
	if err != nil {
		return address.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// Close ends the server and its connections, calls under way included, and
// returns when the last of them has. Further calls do nothing.
func (s *Server) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
		_ = s.server.Close()
	}
	s.mu.Unlock()
	s.handlers.Wait()
}

// URL is "https://" and the address that the server listens on, without a path.
func (s *Server) URL() string { return s.url }

// EntraAuthority is the URL of a tenant, as one writes it with Entra: without
// "/v2.0".
func (s *Server) EntraAuthority(tenant string) string { return s.url + "/" + tenant }

// PlainIssuer is the issuer of a realm below /plain.
func (s *Server) PlainIssuer(realm string) string { return s.url + "/plain/" + realm }

// CAPEM is the certificate of the CA that signed the server's, in PEM.
func (s *Server) CAPEM() []byte { return s.authority.caPEM }

// HTTPClient returns a new client that trusts the server. It follows no
// redirect, so that a test sees every answer.
func (s *Server) HTTPClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.authority.pool, MinVersion: tls.VersionTLS12}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Reset forgets calls, rules (releasing what they hold), throttles, violations,
// device codes and connections to close. Registrations, refresh tokens and
// canaries stay, and so do the numbers of calls.
func (s *Server) Reset() {
	s.ClearRules()
	s.throttles.forget()
	s.devices.forget()
	s.connections.forget()
	s.calls.forget()
}

// handle serves one request, so that Close can wait for it.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		panic(http.ErrAbortHandler)
	}
	defer s.handlers.Done()
	// The date is the injected clock's, for it is what an HTTP-date in
	// Retry-After is compared with.
	w.Header().Set("Date", s.clock().UTC().Format(http.TimeFormat))
	if strings.HasPrefix(r.URL.Path, adminPrefix) {
		s.admin(w, r)
		return
	}
	s.serve(w, r)
}

func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.handlers.Add(1)
	return true
}

// serve logs the arrival with everything that was decided by it, waits if a
// rule says so, and answers. ErrAbortHandler closes the connection silently.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	req, err := readRequest(r, s.clock())
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.tokens.remember(req.credentials())
	call := req.call()
	throttle, violated := s.throttles.admit(req)
	call.Violation = violated
	var rule *activeRule
	if throttle == nil {
		if rule = s.rules.take(req); rule != nil {
			call.Rule = rule.Name
		}
	}
	req.number = s.calls.begin(call)

	var result answer
	switch {
	case throttle != nil:
		result = s.throttles.refuse(throttle, s.clock())
	case rule == nil:
		result = s.natural(req)
	case !s.delay(r, rule):
		s.calls.finish(req.number, answer{})
		panic(http.ErrAbortHandler)
	default:
		result = s.perform(req, rule.Action)
	}
	s.calls.finish(req.number, result)
	result.send(w)
}

// delay waits for the rule's latency; false means that nobody waits for the
// answer any more.
func (s *Server) delay(r *http.Request, rule *activeRule) bool {
	if rule.Action.Latency == 0 {
		return true
	}
	timer := time.NewTimer(time.Duration(rule.Action.Latency))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-rule.cleared:
		return true
	case <-r.Context().Done():
		return false
	case <-s.done:
		return false
	}
}

// natural is the answer without faults.
func (s *Server) natural(req *request) answer {
	switch {
	case req.kind == KindOther:
		return textAnswer(http.StatusNotFound, "not found\n")
	case req.plain:
		return s.plainPath(req)
	default:
		return s.entra(req)
	}
}

// issue makes the token of a granted request. The rule's lifetime goes before
// the client's, and that before the service's; the result is in seconds.
func (s *Server) issue(req *request, client Client, lifetime Duration, g grant) (token string, seconds int) {
	if client.Lifetime != 0 {
		lifetime = client.Lifetime
	}
	if req.lifetime != 0 {
		lifetime = req.lifetime
	}
	g.issuer, g.clientID, g.tenant = req.issuer(), client.ID, client.Tenant
	g.issuedAt, g.lifetime, g.opaque = s.clock(), time.Duration(lifetime), client.Opaque
	return s.tokens.issue(g), int(time.Duration(lifetime) / time.Second)
}
