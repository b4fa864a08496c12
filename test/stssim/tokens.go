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

// Issue is what is known of an access token that was issued.
type Issue struct {
	Tenant, ClientID, Scope string
	IssuedAt, ExpiresAt     time.Time
}

// Lookup tells of an access token what it was issued for and how long it lives; false means that no
// call was ever answered with it.
func (s *Server) Lookup(token string) (Issue, bool) {
	g, found := s.tokens.find(token)
	if !found {
		return Issue{}, false
	}
	return Issue{
		Tenant: g.tenant, ClientID: g.clientID, Scope: g.scope,
		IssuedAt: g.issuedAt, ExpiresAt: g.issuedAt.Add(g.lifetime),
	}, true
}

// Canaries lists the texts that may appear nowhere but in a Secret, nor any
// part of a text that contains one: the markers of issued tokens, the tokens,
// device codes, the registered secrets, and every credential that a caller
// presented. A
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
	grants    map[string]grant
	presented map[string]struct{}
}

func newMint() *mint {
	return &mint{key: []byte(rand.Text()), presented: map[string]struct{}{}, grants: map[string]grant{}}
}

// grant is what a token says.
type grant struct {
	issuer, clientID, tenant, scope string

	audience []string
	person   *Person // nil for the client itself
	actor    string  // who acts for the person

	issuedAt time.Time
	lifetime time.Duration
	opaque   bool
	entra    bool
}

func (g grant) subject() string {
	if g.person == nil {
		return g.clientID
	}
	return g.person.Subject
}

func (g grant) expired(now time.Time) bool { return !now.Before(g.issuedAt.Add(g.lifetime)) }

func (m *mint) issue(g grant) string {
	token := OpaqueMarker + rand.Text()
	if !g.opaque {
		token = m.sign(g.claims())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.issued = append(m.issued, token)
	m.grants[token] = g
	return token
}

// find returns what an issued token says.
func (m *mint) find(token string) (grant, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g, found := m.grants[token]
	return g, found
}

func (g grant) claims() jwt.MapClaims {
	claims := jwt.MapClaims{
		"iss":   g.issuer,
		"aud":   g.audience,
		"iat":   g.issuedAt.Unix(),
		"nbf":   g.issuedAt.Unix(),
		"exp":   g.issuedAt.Add(g.lifetime).Unix(),
		"appid": g.clientID,
		"sub":   g.subject(),
		"tid":   g.tenant,
		"jti":   rand.Text(),
	}
	if len(g.audience) == 1 {
		claims["aud"] = g.audience[0]
	}
	scopeClaim := "scope" // RFC 8693, section 4.2
	if g.entra {
		scopeClaim = "scp"
	}
	if g.scope != "" {
		claims[scopeClaim] = g.scope
	}
	if g.person != nil {
		g.person.addTo(claims)
	}
	if g.actor != "" {
		claims["act"] = map[string]any{"sub": g.actor} // RFC 8693, section 4.1
	}
	return claims
}

func (p Person) addTo(claims jwt.MapClaims) {
	for name, value := range map[string]string{"oid": p.ObjectID, "preferred_username": p.PreferredUsername} {
		if value != "" {
			claims[name] = value
		}
	}
}

// identity is what an ID token says (OpenID Connect Core, section 2).
type identity struct {
	issuer, clientID, tenant string

	person   Person
	issuedAt time.Time
}

// idTokenLifetime says nothing of the access token beside it.
const idTokenLifetime = time.Hour

// identify makes an ID token, which is no less a canary than an access token.
func (m *mint) identify(i identity) string {
	claims := jwt.MapClaims{
		"iss": i.issuer, "aud": i.clientID, "sub": i.person.Subject, "tid": i.tenant,
		"iat": i.issuedAt.Unix(), "exp": i.issuedAt.Add(idTokenLifetime).Unix(),
	}
	i.person.addTo(claims)
	token := m.sign(claims)
	m.remember([]string{token})
	return token
}

func (m *mint) sign(claims jwt.MapClaims) string {
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
