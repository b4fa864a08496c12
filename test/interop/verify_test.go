// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"

	"github.com/go-jose/go-jose/v3"
	"github.com/go-jose/go-jose/v3/jwt"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// claims are those of the server's JWTs (RFC 9068).
type claims struct {
	jwt.Claims
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
}

// identity is what two tokens for the same request have in common.
type identity struct{ Issuer, Subject, ClientID, Scope string }

func (c claims) identity() identity {
	return identity{Issuer: c.Issuer, Subject: c.Subject, ClientID: c.ClientID, Scope: c.Scope}
}

// verify checks a JWT as a resource server does: with the keys that the metadata points at.
func (w world) verify(ctx context.Context, token string) claims {
	GinkgoHelper()
	var metadata struct {
		JWKSURI string `json:"jwks_uri"`
	}
	w.get(ctx, w.URL()+"/.well-known/oauth-authorization-server", &metadata)
	var keys jose.JSONWebKeySet
	w.get(ctx, metadata.JWKSURI, &keys)
	parsed, err := jwt.ParseSigned(token)
	Expect(err).NotTo(HaveOccurred())
	Expect(parsed.Headers).To(HaveLen(1))
	Expect(parsed.Headers[0].Algorithm).To(Equal("RS256"))
	var c claims
	Expect(parsed.Claims(keys, &c)).To(Succeed()) // finds the key by kid
	return c
}

// get decodes the JSON at an address of the server.
func (w world) get(ctx context.Context, address string, into any) {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	Expect(err).NotTo(HaveOccurred())
	response, err := w.trusting().Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	Expect(response.StatusCode).To(Equal(http.StatusOK), address)
	Expect(json.NewDecoder(response.Body).Decode(into)).To(Succeed())
}

// trusting is an HTTP client with the server's CA as its one trust root.
func (w world) trusting() *http.Client {
	GinkgoHelper()
	roots := x509.NewCertPool()
	Expect(roots.AppendCertsFromPEM(w.CAPEM())).To(BeTrue())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	DeferCleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
