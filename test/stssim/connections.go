// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// connections is the server's listener: it resets the connections that it was
// told to, and knows the open ones, so that "the next connection" isn't
// postponed by one that is kept alive.
type connections struct {
	net.Listener

	mu      sync.Mutex
	pending int
	closed  int
	open    map[net.Conn]http.ConnState
	// condemned are closed as soon as they are idle. A caller may have read its
	// answer before the server has noticed that the connection is idle again.
	condemned map[net.Conn]struct{}
}

func newConnections(listener net.Listener) *connections {
	return &connections{
		Listener:  listener,
		open:      map[net.Conn]http.ConnState{},
		condemned: map[net.Conn]struct{}{},
	}
}

// CloseConnections resets the next n connections before their TLS handshake.
// So that the next request needs a new one, those that are open are closed too,
// each when its call was answered. It replaces what remains of an earlier
// CloseConnections; 0 takes it back. Connections that were reset make no calls;
// ClosedConnections counts them.
func (s *Server) CloseConnections(n int) { s.connections.closeNext(n) }

// ClosedConnections is how many connections were ended before their TLS
// handshake since the start or the last Reset.
func (s *Server) ClosedConnections() int {
	s.connections.mu.Lock()
	defer s.connections.mu.Unlock()
	return s.connections.closed
}

// Accept implements net.Listener.
func (c *connections) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil || !c.take() {
			return conn, err
		}
		reset(conn)
	}
}

func (c *connections) take() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending == 0 {
		return false
	}
	c.pending--
	c.closed++
	return true
}

func (c *connections) closeNext(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = max(n, 0)
	clear(c.condemned)
	if c.pending == 0 {
		return
	}
	for conn, state := range c.open {
		if state == http.StateIdle {
			_ = conn.Close()
		} else {
			c.condemned[conn] = struct{}{}
		}
	}
}

func (c *connections) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending, c.closed = 0, 0
	clear(c.condemned)
}

// watch is http.Server.ConnState.
func (c *connections) watch(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if state == http.StateClosed || state == http.StateHijacked {
		delete(c.open, conn)
		delete(c.condemned, conn)
		return
	}
	c.open[conn] = state
	if _, condemned := c.condemned[conn]; condemned && state == http.StateIdle {
		_ = conn.Close()
	}
}

// reset closes a connection so that the peer reads "connection reset": with
// linger 0 the kernel sends RST, not FIN. TLS is passed over, because its own
// Close would first say goodbye.
func reset(conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
