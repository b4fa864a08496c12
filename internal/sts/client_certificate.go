// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"tokenrequest.dev/operator/internal/oautherr"
)

// present makes the transport show the pair to the endpoint, whichever
// authorities it lists: a self-signed certificate (RFC 8705 section 2.2) is of
// none of them.
//
// net/http makes the handshake with an https proxy by the same configuration. So
// that the proxy isn't shown who asks, the transport is told that it is an http
// one, and dialling it includes TLS.
func (k *KeyPair) present(transport *http.Transport) {
	handshake := transport.TLSClientConfig.Clone()
	transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return k.certificate(), nil
	}
	p := tlsProxies{find: transport.Proxy, dial: transport.DialContext, config: handshake}
	transport.Proxy, transport.DialContext = p.proxy, p.dialContext
}

// tlsProxies does TLS to the proxies that want it, without a client certificate.
type tlsProxies struct {
	find   func(*http.Request) (*url.URL, error)
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	config *tls.Config
	names  sync.Map // of the https proxies, by address
}

// proxy returns the request's proxy as net/http is to see it.
func (p *tlsProxies) proxy(r *http.Request) (*url.URL, error) {
	found, err := p.find(r)
	if err != nil || found == nil || found.Scheme != "https" {
		return found, err
	}
	name, port := strings.ToLower(found.Hostname()), found.Port()
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._-:") != "" {
		// net/http would dial another spelling than the one that is noted below.
		return nil, oautherr.Refused(oautherr.ReasonEndpointRefused, "the proxy's host is neither an IP address nor a host name in ASCII")
	}
	if port == "" {
		port = "443"
	}
	address := net.JoinHostPort(name, port)
	p.names.Store(address, name)
	return &url.URL{Scheme: "http", Host: address, User: found.User}, nil
}

func (p *tlsProxies) dialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := p.dial(ctx, network, address)
	name, wantsTLS := p.names.Load(address)
	if err != nil || !wantsTLS {
		return conn, err
	}
	config := p.config.Clone()
	config.ServerName, _ = name.(string)
	secured := tls.Client(conn, config)
	limited, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if err := secured.HandshakeContext(limited); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secured, nil
}
