// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

import "strings"

// Subject names what a remedy points at. A field that is empty is replaced by a
// general noun, so the zero Subject gives whole sentences too.
type Subject struct {
	// Host is the token service's host, such as "login.microsoftonline.com".
	Host string
	// ClientID is the OAuth client.
	ClientID string
	// Request is the object, such as "TokenRequest payments/graph".
	Request string
	// Credential is where the credential stands, such as "Secret
	// payments/graph-app key client_secret".
	Credential string
	// Traded is where what the request trades for a token comes from, such as
	// "Secret payments/alice key assertion"; empty when it trades nothing.
	Traded string
	// Issuer is where the issuer stands, such as "spec.issuer" or
	// "ClusterTokenIssuer contoso".
	Issuer string
	// Authority is the issuer's authority or token endpoint.
	Authority string
	// Scopes are the requested scopes, separated by spaces.
	Scopes string
	// Grant is what the request trades for a token; GrantClient, the zero value,
	// has no user who could sign in.
	Grant Grant
	// SignsIn says that the operator itself can begin a sign-in, when asked by the
	// annotation refresh-requested-at.
	SignsIn bool
	// Assertion is the refused federated assertion; nil when there was none.
	Assertion *Assertion
}

// Assertion holds the claims by which a token service recognises a federated
// assertion. They are compared exactly there, case included.
type Assertion struct {
	Issuer   string
	Subject  string
	Audience string
}

// maxNoun bounds what one field adds to a sentence: all nouns of one remedy must
// fit into it, so that a remedy is never cut.
const maxNoun = 160

const maxRemedy = 1024

// fill replaces the names in braces by nouns. The texts of the catalogue are
// short enough for the result to stay within maxRemedy.
func (s Subject) fill(template string) string {
	var a Assertion
	if s.Assertion != nil {
		a = *s.Assertion
	}
	return strings.NewReplacer(
		"{host}", noun(s.Host, "the token service"),
		"{client}", s.client(),
		"{request}", noun(s.Request, "the TokenRequest"),
		"{credential}", noun(s.Credential, "the client's credential"),
		"{traded}", noun(s.Traded, "the Secret that the grant names"),
		"{kept}", s.kept(),
		"{issuer}", noun(s.Issuer, "the issuer"),
		"{authority}", noun(s.Authority, "the authority"),
		"{tenant}", noun(s.tenant(), "the authority"),
		"{scopes}", quoted(s.Scopes, "the requested scopes"),
		"{assertion}", a.String(),
	).Replace(template)
}

// tenant is where the administrators are: the authority, or what a token
// endpoint says of it.
func (s Subject) tenant() string {
	tenant, isEntra := strings.CutSuffix(s.Authority, "/oauth2/v2.0/token")
	if !isEntra && strings.HasSuffix(tenant, "/token") {
		return s.Host
	}
	return tenant
}

// kept is what is left of a sign-in that has to be made again.
func (s Subject) kept() string {
	if s.Traded == "" {
		return "what " + noun(s.Request, "the TokenRequest") + " holds of that sign-in: its refresh token, its assertion or its device code"
	}
	return "what is in " + noun(s.Traded, "")
}

func (s Subject) client() string {
	if s.ClientID == "" {
		return "the client"
	}
	return "client " + noun(s.ClientID, "")
}

// String names the claims that are known, for a person to compare.
func (a Assertion) String() string {
	var claims []string
	for _, claim := range []struct{ name, value string }{
		{"issuer", a.Issuer}, {"subject", a.Subject}, {"audience", a.Audience},
	} {
		if claim.value != "" {
			claims = append(claims, claim.name+" "+quoted(claim.value, ""))
		}
	}
	if len(claims) == 0 {
		return "the service account's issuer, subject and audience"
	}
	return strings.Join(claims, ", ")
}

func noun(value, general string) string {
	if value = line(value, maxNoun); value == "" {
		return general
	}
	return value
}

func quoted(value, general string) string {
	if value = line(value, maxNoun); value == "" {
		return general
	}
	return `"` + value + `"`
}
