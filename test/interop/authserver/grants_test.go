// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package authserver_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/go-jose/go-jose/v3/jwt"
	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/test/interop/authserver"
)

const (
	jwtBearer     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// answer is a token response, or an error.
type answer struct {
	Status       int
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"`
	Error        string `json:"error"`
}

// post sends a form to the token endpoint as it stands.
func post(t *testing.T, server *authserver.Server, form url.Values) answer {
	t.Helper()
	response, err := trusting(t, server).PostForm(server.URL()+"/oauth2/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got := answer{Status: response.StatusCode}
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

// byPost is a form of the client post, with its secret.
func byPost(fields url.Values) url.Values {
	form := url.Values{"client_id": {"post"}, "client_secret": {oddSecret}}
	maps.Copy(form, fields)
	return form
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes a JWT, with a kid unless it is empty.
func sign(t *testing.T, key *ecdsa.PrivateKey, keyID string, claims jwt.Claims) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: keyID}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := jwt.Signed(signer).Claims(claims).CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// claimsOf are good claims of an issuer about a subject, new ones each time.
func claimsOf(server *authserver.Server, issuer, subject string) jwt.Claims {
	now := time.Now()
	return jwt.Claims{
		Issuer: issuer, Subject: subject, Audience: jwt.Audience{server.URL() + "/oauth2/token"}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Minute)),
	}
}

func wantAnswer(t *testing.T, got answer, status int, code string) {
	t.Helper()
	if got.Status != status || got.Error != code || (got.AccessToken != "") != (status == http.StatusOK) {
		t.Errorf("answered %d %q, want %d %q", got.Status, got.Error, status, code)
	}
}

func TestPrivateKeyJWT(t *testing.T) {
	key, stranger := newKey(t), newKey(t)
	server := start(t, authserver.Options{Clients: []authserver.Client{{
		ID: "signing", AuthMethod: authserver.PrivateKeyJWT, JWKS: authserver.KeySet("k1", key.Public()), SigningAlgorithm: "ES256",
		Scopes: []string{"read"},
	}}})
	used := claimsOf(server, "signing", "signing")
	tests := []struct {
		name   string
		key    *ecdsa.PrivateKey
		keyID  string
		change func(*jwt.Claims)
		status int
	}{
		{"with the kid of its key it is accepted", key, "k1", func(c *jwt.Claims) { *c = used }, http.StatusOK},
		{"a second time it is refused", key, "k1", func(c *jwt.Claims) { *c = used }, http.StatusBadRequest},
		{"without a kid it is accepted", key, "", func(*jwt.Claims) {}, http.StatusOK},
		{"with another kid it is refused", key, "k2", func(*jwt.Claims) {}, http.StatusBadRequest},
		{"signed by another key it is refused", stranger, "k1", func(*jwt.Claims) {}, http.StatusUnauthorized},
		{"of another issuer it is refused", key, "k1", func(c *jwt.Claims) { c.Issuer = "other" }, http.StatusUnauthorized},
		{"for another server it is refused", key, "k1", func(c *jwt.Claims) { c.Audience = jwt.Audience{"https://elsewhere.example"} }, http.StatusUnauthorized},
		{"for the issuer in place of the endpoint it is refused", key, "k1", func(c *jwt.Claims) { c.Audience = jwt.Audience{server.URL()} }, http.StatusUnauthorized},
		{"without a jti it is refused", key, "k1", func(c *jwt.Claims) { c.ID = "" }, http.StatusUnauthorized},
		// fosite has no code for it: the status is that of any error without one.
		{"expired it is refused, as if the server had failed", key, "k1", func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(time.Now().Add(-time.Minute)) }, http.StatusInternalServerError},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			claims := claimsOf(server, "signing", "signing")
			test.change(&claims)
			got := post(t, server, url.Values{
				"grant_type": {"client_credentials"}, "client_id": {"signing"}, "scope": {"read"},
				"client_assertion_type": {assertionType}, "client_assertion": {sign(t, test.key, test.keyID, claims)},
			})
			if got.Status != test.status || (got.AccessToken != "") != (test.status == http.StatusOK) {
				t.Errorf("answered %d %q, want %d", got.Status, got.Error, test.status)
			}
		})
	}
}

func TestKeysThatWereReplacedAreRefused(t *testing.T) {
	former, next := newKey(t), newKey(t)
	server := start(t, authserver.Options{Clients: []authserver.Client{
		{ID: "signing", AuthMethod: authserver.PrivateKeyJWT, JWKS: authserver.KeySet("", former.Public()), SigningAlgorithm: "ES256"},
		{ID: "basic", Secret: oddSecret},
	}})
	by := func(key *ecdsa.PrivateKey) answer {
		return post(t, server, url.Values{
			"grant_type": {"client_credentials"}, "client_id": {"signing"}, "client_assertion_type": {assertionType},
			"client_assertion": {sign(t, key, "", claimsOf(server, "signing", "signing"))},
		})
	}
	wantAnswer(t, by(former), http.StatusOK, "")
	if err := server.SetKeys("signing", authserver.KeySet("", next.Public())); err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, by(former), http.StatusUnauthorized, "invalid_client")
	wantAnswer(t, by(next), http.StatusOK, "")

	wantError(t, server.SetKeys("stranger", authserver.KeySet("", next.Public())), "no such client")
	wantError(t, server.SetKeys("basic", authserver.KeySet("", next.Public())), "client_secret_basic")
	wantError(t, server.SetKeys("signing", nil), "public keys are needed")
	wantError(t, server.SetKeys("signing", authserver.KeySet("", next)), "no public key")
}

func TestAClientThatSignsHasNoSecret(t *testing.T) {
	server := start(t, authserver.Options{Clients: []authserver.Client{
		{ID: "signing", AuthMethod: authserver.PrivateKeyJWT, JWKS: authserver.KeySet("", newKey(t).Public())},
	}})
	got := post(t, server, url.Values{"grant_type": {"client_credentials"}, "client_id": {"signing"}, "client_secret": {"s"}})
	wantAnswer(t, got, http.StatusUnauthorized, "invalid_client")
	got = post(t, server, url.Values{"grant_type": {"client_credentials"}, "client_id": {"signing"}})
	wantAnswer(t, got, http.StatusUnauthorized, "invalid_client")
}

func TestJWTBearer(t *testing.T) {
	const issuer = "https://users.example"
	key, stranger := newKey(t), newKey(t)
	server := start(t, authserver.Options{Clients: clients})
	if err := server.TrustKey(authserver.TrustedKey{Issuer: issuer, Subject: "alice", KeyID: "k1", Key: key.Public(), Scopes: []string{"read"}}); err != nil {
		t.Fatal(err)
	}
	if err := server.TrustKey(authserver.TrustedKey{Issuer: issuer, Subject: "bob", Key: key.Public()}); err != nil {
		t.Fatal(err)
	}
	used := claimsOf(server, issuer, "alice")
	tests := []struct {
		name   string
		key    *ecdsa.PrivateKey
		keyID  string
		change func(*jwt.Claims)
		scope  string
		code   string
	}{
		{"of a trusted issuer it is accepted", key, "k1", func(c *jwt.Claims) { *c = used }, "read", ""},
		{"a second time it is refused", key, "k1", func(c *jwt.Claims) { *c = used }, "read", "jti_known"},
		{"without a kid it is accepted when one of the keys fits", key, "", func(c *jwt.Claims) { c.Subject = "bob" }, "", ""},
		{"signed by another key it is refused", stranger, "k1", func(*jwt.Claims) {}, "", "invalid_grant"},
		{"of another issuer it is refused", key, "k1", func(c *jwt.Claims) { c.Issuer = "other" }, "", "invalid_grant"},
		{"about somebody else it is refused", key, "", func(c *jwt.Claims) { c.Subject = "mallory" }, "", "invalid_grant"},
		{"for another server it is refused", key, "k1", func(c *jwt.Claims) { c.Audience = jwt.Audience{"https://elsewhere.example"} }, "", "invalid_grant"},
		{"expired it is refused", key, "k1", func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(time.Now().Add(-time.Minute)) }, "", "invalid_grant"},
		{"for a scope that the key isn't good for it is refused", key, "k1", func(*jwt.Claims) {}, "write", "invalid_scope"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			claims := claimsOf(server, issuer, "alice")
			test.change(&claims)
			got := post(t, server, byPost(url.Values{"grant_type": {jwtBearer}, "assertion": {sign(t, test.key, test.keyID, claims)}, "scope": {test.scope}}))
			status := http.StatusOK
			if test.code != "" {
				status = http.StatusBadRequest
			}
			wantAnswer(t, got, status, test.code)
			if test.code != "" {
				return
			}
			issued := server.IssuedTokens()
			if last := issued[len(issued)-1]; last.Subject != claims.Subject || last.GrantType != jwtBearer || last.RefreshToken != "" {
				t.Errorf("issued %+v", last)
			}
		})
	}
}

func TestTrustKeyRefusesWhatIsIncomplete(t *testing.T) {
	key := newKey(t)
	server := start(t, authserver.Options{})
	for name, trusted := range map[string]authserver.TrustedKey{
		"no issuer":     {Subject: "s", Key: key.Public()},
		"no subject":    {Issuer: "i", Key: key.Public()},
		"no key":        {Issuer: "i", Subject: "s"},
		"a private key": {Issuer: "i", Subject: "s", Key: key},
	} {
		t.Run(name, func(t *testing.T) { wantError(t, server.TrustKey(trusted), "are needed") })
	}
}

// seed is the first refresh token of a person who signed in.
func seed(t *testing.T, server *authserver.Server) string {
	t.Helper()
	token, err := server.SeedRefreshToken("post", "alice", "read")
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// refreshing has a client that may ask for refresh tokens.
var refreshing = []authserver.Client{
	{ID: "post", Secret: oddSecret, AuthMethod: authserver.ClientSecretPost, Scopes: []string{"read", "offline_access"}},
	{ID: "other", Secret: oddSecret, AuthMethod: authserver.ClientSecretPost, Scopes: []string{"read", "offline_access"}},
}

func TestRefreshTokensRotate(t *testing.T) {
	for _, format := range []authserver.TokenFormat{authserver.JWT, authserver.Opaque} {
		t.Run(string(format), func(t *testing.T) {
			server := start(t, authserver.Options{Clients: refreshing, TokenFormat: format})
			seeded := seed(t, server)
			refresh := func(token string) answer {
				return post(t, server, byPost(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}))
			}
			first := refresh(seeded)
			wantAnswer(t, first, http.StatusOK, "")
			second := refresh(first.RefreshToken)
			wantAnswer(t, second, http.StatusOK, "")
			third := refresh(second.RefreshToken)
			wantAnswer(t, third, http.StatusOK, "")
			if third.Scope != "read offline_access" {
				t.Errorf("scope = %q, want what was granted at first", third.Scope)
			}
			want := []authserver.IssuedToken{
				{ClientID: "post", Subject: "alice", GrantType: "refresh_token", AccessToken: first.AccessToken, RefreshToken: first.RefreshToken},
				{ClientID: "post", Subject: "alice", GrantType: "refresh_token", AccessToken: second.AccessToken, RefreshToken: second.RefreshToken},
				{ClientID: "post", Subject: "alice", GrantType: "refresh_token", AccessToken: third.AccessToken, RefreshToken: third.RefreshToken},
			}
			issued := server.IssuedTokens()
			for i := range issued {
				issued[i].Scopes, issued[i].RequestedAt, issued[i].ExpiresAt = nil, time.Time{}, time.Time{}
			}
			if diff := cmp.Diff(want, issued); diff != "" {
				t.Errorf("IssuedTokens() (-want +got):\n%s", diff)
			}

			wantAnswer(t, refresh(first.RefreshToken), http.StatusBadRequest, "invalid_grant")
			// Somebody has a token that was spent: the latest one ends too.
			wantAnswer(t, refresh(third.RefreshToken), http.StatusBadRequest, "invalid_grant")
			wantAnswer(t, refresh(seed(t, server)), http.StatusOK, "")
		})
	}
}

func TestARefreshedJWTIsNew(t *testing.T) {
	server := start(t, authserver.Options{Clients: refreshing})
	first := post(t, server, byPost(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {seed(t, server)}}))
	second := post(t, server, byPost(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.RefreshToken}}))
	read := func(text string) (claims struct {
		jwt.Claims
		ClientID string `json:"client_id"`
	}) {
		token, err := jwt.ParseSigned(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := token.UnsafeClaimsWithoutVerification(&claims); err != nil {
			t.Fatal(err)
		}
		return claims
	}
	before, after := read(first.AccessToken), read(second.AccessToken)
	if after.Subject != "alice" || after.ClientID != "post" || after.ID == before.ID {
		t.Errorf("first %+v, then %+v", before, after)
	}
}

func TestRefreshIsRefused(t *testing.T) {
	server := start(t, authserver.Options{Clients: refreshing})
	token := seed(t, server)
	tests := []struct {
		name   string
		change url.Values
		status int
		code   string
	}{
		{"for a token that was never issued", url.Values{"refresh_token": {"x.y"}}, http.StatusBadRequest, "invalid_grant"},
		{"for a token of another client", url.Values{"client_id": {"other"}}, http.StatusBadRequest, "invalid_grant"},
		{"for a wrong secret", url.Values{"client_secret": {"wrong"}}, http.StatusUnauthorized, "invalid_client"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			form := byPost(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
			maps.Copy(form, test.change)
			wantAnswer(t, post(t, server, form), test.status, test.code)
		})
	}
	wantAnswer(t, post(t, server, byPost(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})), http.StatusOK, "")
}

func TestSeedRefreshTokenRefusesAnUnknownClient(t *testing.T) {
	_, err := start(t, authserver.Options{}).SeedRefreshToken("stranger", "alice")
	wantError(t, err, `client "stranger"`)
}

// The race detector judges this one: fosite's store alone doesn't pass.
func TestRefreshTokensAreTradedAtOnce(t *testing.T) {
	server := start(t, authserver.Options{Clients: refreshing})
	var group sync.WaitGroup
	for range 8 {
		token := seed(t, server)
		group.Go(func() {
			for range 3 {
				got := post(t, server, byPost(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}))
				if token = got.RefreshToken; got.Status != http.StatusOK {
					t.Errorf("answered %d %q", got.Status, got.Error)
					return
				}
			}
		})
	}
	group.Wait()
}
