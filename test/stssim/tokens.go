// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// JWTMarker begins every JWT of the simulator: the encoding of the header
	// {"alg":"HS256","kid":"stssim-canary","typ":"JWT"}. It is the whole header
	// and so survives in a token that was cut short.
	JWTMarker = "eyJhbGciOiJIUzI1NiIsImtpZCI6InN0c3NpbS1jYW5hcnkiLCJ0eXAiOiJKV1QifQ"
	// OpaqueMarker begins every opaque token of the simulator.
	OpaqueMarker = "stssim-canary-"
)

// signingKeyID is decoded from JWTMarker; a change of one changes the other.
const signingKeyID = "stssim-canary"

// Issued lists every access token that was ever issued, oldest first.
func (s *Server) Issued() []string { return s.tokens.list() }

// Canaries lists the texts that may appear nowhere but in a Secret, nor any
// part of a text that contains one: the markers of issued tokens, the tokens,
// the registered secrets, and every credential that a caller presented. A
// secret that looks different in a form body is listed in both spellings. Tests
// had better choose secrets, wrong ones too, that no sentence contains.
func (s *Server) Canaries() []string {
	canaries := []string{JWTMarker, OpaqueMarker}
	canaries = append(canaries, s.tokens.list()...)
	secrets := append(s.clients.secrets(), s.tokens.credentials()...)
	for _, secret := range secrets {
		canaries = append(canaries, secret)
		if escaped := url.QueryEscape(secret); escaped != secret {
			canaries = append(canaries, escaped)
		}
	}
	slices.Sort(canaries)
	return slices.Compact(canaries)
}

// mint makes tokens and remembers them, with the credentials that came in.
type mint struct {
	key []byte

	mu        sync.Mutex
	issued    []string
	presented map[string]struct{}
}

func newMint() *mint {
	return &mint{key: []byte(rand.Text()), presented: map[string]struct{}{}}
}

// grant is what a token says.
type grant struct {
	issuer, audience, clientID, tenant, scope string

	issuedAt time.Time
	lifetime time.Duration
	opaque   bool
}

func (m *mint) issue(g grant) string {
	token := OpaqueMarker + rand.Text()
	if !g.opaque {
		token = m.sign(g)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.issued = append(m.issued, token)
	return token
}

func (m *mint) sign(g grant) string {
	claims := jwt.MapClaims{
		"iss":   g.issuer,
		"aud":   g.audience,
		"iat":   g.issuedAt.Unix(),
		"nbf":   g.issuedAt.Unix(),
		"exp":   g.issuedAt.Add(g.lifetime).Unix(),
		"appid": g.clientID,
		"sub":   g.clientID,
		"tid":   g.tenant,
		"jti":   rand.Text(),
	}
	if g.scope != "" {
		claims["scope"] = g.scope
	}
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	token.Header["kid"] = signingKeyID
	signed, err := token.SignedString(m.key)
	if err != nil {
		// HMAC takes any key, and the claims are texts and numbers.
		panic(fmt.Sprintf("stssim: signing a token: %v", err))
	}
	return signed
}

func (m *mint) list() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.issued)
}

// remember keeps what a caller presented as a secret, right or wrong.
func (m *mint) remember(credentials []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, credential := range credentials {
		if strings.TrimSpace(credential) != "" {
			m.presented[credential] = struct{}{}
		}
	}
}

func (m *mint) credentials() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.presented))
}
