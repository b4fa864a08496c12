// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"net"
	"net/http"
	"slices"
	"time"

	"tokenrequest.dev/operator/internal/oautherr"
)

// Transport is how an endpoint is reached and whom it has to convince. The zero
// value trusts the system's roots and uses the proxy of the environment.
type Transport struct {
	// RootCAs are PEM certificates; empty means the system's.
	RootCAs []byte
	// ProxyURL is an http or https URL without a user, of an allowed host; empty
	// means HTTPS_PROXY and NO_PROXY of the environment.
	ProxyURL string
	// ClientCertificate is presented in the TLS handshake, to the endpoint and
	// not to a proxy, nor for metadata; nil means none.
	ClientCertificate *KeyPair
}

// Identity returns a hash of the transport, the same in every process: calls
// with different trust don't share what they learn.
func (t Transport) Identity() string {
	size := binary.BigEndian.AppendUint64(nil, uint64(len(t.RootCAs)))
	sum := sha256.Sum256(slices.Concat(size, t.RootCAs, []byte(t.ProxyURL)))
	if t.ClientCertificate != nil {
		// A certificate that is rotated gets connections of its own.
		sum = sha256.Sum256(append(sum[:], t.ClientCertificate.identity()...))
	}
	return hex.EncodeToString(sum[:])
}

// public is how metadata is asked for, which is everybody's to read (RFC 8414
// section 3): a certificate is for the endpoint alone, whose host its owner may
// have named, and with one that is renewed the same holds as before.
func (t Transport) public() Transport {
	t.ClientCertificate = nil
	return t
}

const (
	// maxTransports bounds the connection pools that are kept.
	maxTransports = 128
	// connectTimeout leaves time for the retry within the default deadline; a
	// lost SYN is sent again after 1 s and 3 s.
	connectTimeout   = 5 * time.Second
	handshakeTimeout = 5 * time.Second
	idleTimeout      = 90 * time.Second
	idlePerHost      = 16 // as many calls as one client may have under way
	idleInAll        = 64
	maxHeader        = 64 << 10
	// A peer that vanished without a word otherwise stays in the HTTP/2 pool and
	// fails every request until TCP gives up, minutes later (golang/go#36026).
	pingAfter   = 10 * time.Second
	pingTimeout = 5 * time.Second
)

// transport returns the connection pool for t. Each trust root, proxy and client
// certificate has its own, so that no connection serves a request which trusts
// less, or comes from another client.
func (c *Client) transport(t Transport) (*http.Transport, *oautherr.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := t.Identity()
	if known, ok := c.transports.get(id); ok {
		return known, nil
	}
	made, refused := c.egress.newTransport(t)
	if refused != nil {
		return nil, refused
	}
	if forgotten, full := c.transports.put(id, made); full {
		forgotten.CloseIdleConnections()
	}
	return made, nil
}

func (e egress) newTransport(t Transport) (*http.Transport, *oautherr.Error) {
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(t.RootCAs) > 0 {
		roots, refused := parseRoots(t.RootCAs)
		if refused != nil {
			return nil, refused
		}
		trust.RootCAs = roots
	}
	proxy := http.ProxyFromEnvironment
	named, refused := e.proxy(t.ProxyURL)
	switch {
	case refused != nil:
		return nil, refused
	case named != nil:
		proxy = http.ProxyURL(named)
	}
	dialer := &net.Dialer{Timeout: connectTimeout, ControlContext: e.control}
	pool := &http.Transport{
		Proxy:                  proxy,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        trust,
		TLSHandshakeTimeout:    handshakeTimeout,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		MaxIdleConns:           idleInAll,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
	}
	if t.ClientCertificate != nil {
		t.ClientCertificate.present(pool)
	}
	return pool, nil
}

// parseRoots returns the certificates of a CA bundle. crypto/tls bounds the keys of
// the certificates that a server sends and not those that are trusted, and no
// deadline ends a signature's verification.
func parseRoots(bundle []byte) (*x509.CertPool, *oautherr.Error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(bundle) {
		return nil, oautherr.Refused(oautherr.ReasonEndpointRefused, "the CA bundle holds no PEM certificate")
	}
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		// What can't be read isn't in the pool either.
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && tooLong(c.PublicKey) {
			return nil, oautherr.Refused(oautherr.ReasonEndpointRefused,
				"a certificate in the CA bundle has an RSA key of more than 8192 bits, the most that the operator takes")
		}
	}
	return pool, nil
}
