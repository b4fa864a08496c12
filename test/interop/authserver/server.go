// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package authserver is an OAuth 2.0 authorization server for interoperability
// tests. The protocol is github.com/ory/fosite's: who may have which token,
// and what a refusal looks like, is decided by code that the operator's authors
// did not write. This package adds what fosite leaves to its user: a TLS
// listener, discovery, clients that change while requests run, and counters.
//
// It is no double of a particular product, and it doesn't misbehave on demand:
// faults are the business of the STS simulator.
package authserver

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ory/fosite"
)

const (
	defaultListen   = "127.0.0.1:0"
	defaultLifespan = time.Hour

	// closeGrace is how long Close waits for the requests in flight, which take
	// milliseconds. It isn't longer, since a connection that a client has opened
	// in advance and not used counts as one, for 5 s.
	closeGrace = time.Second
)

// Options says how a Server starts. The zero value is a server without clients
// on a free loopback port, which issues JWTs that live for one hour.
type Options struct {
	// Listen is the TCP address, as host:port. Its host becomes part of the
	// issuer's URL and the one name in the server's certificate, so it can't be
	// empty or unspecified (0.0.0.0, ::). Port 0 picks a free port. The zero value
	// means 127.0.0.1:0.
	Listen string

	// Clients are registered before the first request is answered.
	Clients []Client

	// TokenFormat is the shape of the access tokens. The zero value means JWT.
	TokenFormat TokenFormat

	// Lifespan is how long an access token lives. Zero means one hour.
	Lifespan time.Duration

	// AuthMethods are what clients may be registered with and discovery announces,
	// in this order. None means all, ClientSecretBasic first.
	AuthMethods []AuthMethod

	// WithoutOpenID leaves out OpenID Connect's metadata document, as servers do
	// that are no OpenID provider: RFC 8414's is then the only one.
	WithoutOpenID bool
}

// Calls counts the requests that a Server has received since it started, refused
// ones included.
type Calls struct {
	// Token counts POSTs to the token endpoint.
	Token int
	// Discovery counts GETs at the places of the two metadata documents, whether
	// one is there or not.
	Discovery int
}

// Server is a running authorization server. Its methods are safe for concurrent
// use, also while requests are served.
type Server struct {
	url    string
	caPEM  []byte
	keys   *signingKeys
	format TokenFormat
	auth   []AuthMethod
	openID bool
	store  *store
	http   *http.Server

	// served is closed when the accept loop has ended; serveErr is set before.
	served   chan struct{}
	serveErr error

	mu       sync.Mutex // guards what follows
	provider fosite.OAuth2Provider
	calls    Calls
	issued   []IssuedToken
}

// Start listens and serves in the background until Close. The server answers as
// soon as Start has returned. It fails for an address that it can't listen on,
// an unknown TokenFormat or AuthMethod, a negative Lifespan, or a client that
// RegisterClient refuses.
func Start(options Options) (*Server, error) {
	if err := options.complete(); err != nil {
		return nil, err
	}
	keys, err := newSigningKeys()
	if err != nil {
		return nil, err
	}
	s := &Server{
		keys:   keys,
		format: options.TokenFormat,
		auth:   options.AuthMethods,
		openID: !options.WithoutOpenID,
		store:  newStore(),
		served: make(chan struct{}),
	}
	for _, client := range options.Clients {
		if err := s.RegisterClient(client); err != nil {
			return nil, err
		}
	}
	listener, err := s.listen(options.Listen)
	if err != nil {
		return nil, err
	}
	// Tokens name their issuer, whose port is known only now.
	if err := s.SetLifespan(options.Lifespan); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	go s.serve(listener)
	return s, nil
}

// complete fills in the defaults and checks what nothing else checks.
func (o *Options) complete() error {
	o.Listen = cmp.Or(o.Listen, defaultListen)
	o.TokenFormat = cmp.Or(o.TokenFormat, JWT)
	o.Lifespan = cmp.Or(o.Lifespan, defaultLifespan)
	if !slices.Contains(tokenFormats, o.TokenFormat) {
		return fmt.Errorf("unknown token format %q: use one of %q", o.TokenFormat, tokenFormats)
	}
	if len(o.AuthMethods) == 0 {
		o.AuthMethods = authMethods
	}
	for _, method := range o.AuthMethods {
		if !slices.Contains(authMethods, method) {
			return fmt.Errorf("unknown authentication method %q: use one of %q", method, authMethods)
		}
	}
	o.AuthMethods = slices.Clone(o.AuthMethods)
	return nil
}

// listen opens the TLS listener and sets url, caPEM and http.
func (s *Server) listen(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("parsing the listen address: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return nil, fmt.Errorf("listening on %q: a host is needed, since it becomes the issuer's", address)
	}
	certificate, caPEM, err := newCertificate(host)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{certificate},
		NextProtos:   []string{"h2", "http/1.1"},
		MinVersion:   tls.VersionTLS12,
	}
	listener, err := tls.Listen("tcp", address, config)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading the port: %w", err), listener.Close())
	}
	s.url = "https://" + net.JoinHostPort(host, port)
	s.caPEM = caPEM
	s.http = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 10 * time.Second,
	}
	return listener, nil
}

func (s *Server) serve(listener net.Listener) {
	defer close(s.served)
	if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		s.serveErr = fmt.Errorf("serving: %w", err)
	}
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+tokenPath, s.serveToken)
	mux.HandleFunc("GET "+openIDConfigurationPath, s.serveOpenIDMetadata)
	mux.HandleFunc("GET "+authorizationServerPath, s.serveMetadata)
	if s.format == JWT {
		mux.HandleFunc("GET "+jwksPath, s.serveJWKS)
	}
	return mux
}

// URL returns the issuer: scheme, host and port, without a trailing slash.
func (s *Server) URL() string { return s.url }

// CAPEM returns the certificate of the authority that signed the server's, as
// PEM. The authority is made by Start and its key is gone when Start returns.
func (s *Server) CAPEM() []byte { return slices.Clone(s.caPEM) }

// Calls returns how many requests were received so far.
func (s *Server) Calls() Calls {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// Close stops listening, gives the requests in flight a second to finish and cuts
// the connections that are left. It returns what went wrong in serving or in
// closing; a second call does nothing.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	<-s.served
	return errors.Join(s.serveErr, err)
}
