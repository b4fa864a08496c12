// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"slices"
	"strings"
	"time"

	"tokenrequest.dev/operator/internal/oautherr"
)

// What a token response may hold at most. A Secret takes 1 MiB in all.
const (
	maxAccessToken  = 256 << 10
	maxRefreshToken = 64 << 10
	maxScope        = 16 << 10
	maxTypeName     = 1 << 10
)

// parseToken reads the body of a success (RFC 6749 section 5.1). It is total:
// every body becomes a Token or an Error, and neither the Error nor a log of it
// contains anything of the body.
//
// What a token can't be used without has to be right: access_token, and
// token_type, since a client must not use a token whose type it doesn't
// understand (section 7.1). A member of these names that stands twice makes the
// response malformed, for one of the two values is a lie.
//
// Everything else is optional, and counts as absent when it isn't what the
// specification says: a token isn't thrown away for its decoration, because the
// next one would be no different and cost another call.
//
//   - expires_in and refresh_in are a number of seconds, or a string with one
//     (Entra v1). Fractions are cut off. More than ten years count as ten years.
//     Zero, a negative number, null and anything else count as absent: that is
//     how servers say "never" or "unknown", and a token that its issuer calls
//     dead at birth would be asked for again at once, for ever.
//   - An absent expires_in, and one of ten years, is replaced with the JWT's own exp. Entra v1's
//     expires_on, which is by the server's clock, and ext_expires_in, which
//     holds in an outage only, are ignored.
//   - scope is a string, which may be empty.
//   - refresh_token is 1 to 65536 characters, each of VSCHAR.
//   - id_token is a JWT, of which the names of who signed in are taken.
//
// What the answer says of the token is shown to people, so it is held against
// the tokens of the answer and the secrets of the request: a token_type that
// quotes one makes the response malformed, a scope or issued_token_type that
// does counts as absent. The scopes that were asked for are no secrets, and to be
// given just those is what happens nearly always.
func parseToken(body []byte, sent time.Time, asked string, secrets ...string) (*Token, *oautherr.Error) {
	answer, err := readObject(body,
		"access_token", "token_type", "expires_in", "refresh_in", "scope", "issued_token_type", "id_token", "refresh_token")
	if err != nil {
		return nil, oautherr.Malformed(err.Error())
	}
	access, ok := answer.text("access_token")
	if !ok || !isVSCHAR(access, 1, maxAccessToken) {
		return nil, oautherr.Malformed("the body has no access_token of 1 to 262144 printable ASCII characters")
	}
	kind, ok := answer.text("token_type")
	quotes := oautherr.Quotes(append(slices.Clone(secrets), answer.tokens()...)...)
	if !ok || !isVSCHAR(kind, 1, maxTypeName) || strings.Contains(kind, " ") || quotes(kind) {
		return nil, oautherr.Malformed("the body has no token_type that is a word of printable ASCII characters")
	}
	token := &Token{
		AccessToken: Sensitive(access),
		TokenType:   kind,
		IssuedAt:    sent,
		RefreshIn:   answer.seconds("refresh_in"),
	}
	if refresh, ok := answer.text("refresh_token"); ok && isVSCHAR(refresh, 1, maxRefreshToken) {
		token.RefreshToken = Sensitive(refresh)
	}
	if idToken, ok := answer.text("id_token"); ok {
		token.Identity = readIdentity(idToken)
	}
	token.describe(answer, asked, quotes)
	token.expire(answer.seconds("expires_in"))
	return token, nil
}

// describe takes over what the answer says of the token beside its type.
func (t *Token) describe(answer object, asked string, quotes func(string) bool) {
	if scope, said := answer.text("scope"); said && isVSCHAR(scope, 0, maxScope) && !quotes(unasked(scope, asked)) {
		t.Scope, t.ScopeSaid = scope, true
	}
	if issued, said := answer.text("issued_token_type"); said && isVSCHAR(issued, 1, maxTypeName) && !quotes(issued) {
		t.IssuedTokenType = issued
	}
}

// unasked is a scope without what was asked for.
func unasked(scope, asked string) string {
	known := strings.Fields(asked)
	others := slices.DeleteFunc(strings.Split(scope, " "), func(one string) bool { return slices.Contains(known, one) })
	return strings.Join(others, " ")
}

// tokens are the answer's own secrets: its tokens, and the names of who signed in.
func (o object) tokens() []string {
	var found []string
	for _, name := range []string{"access_token", "id_token", "refresh_token"} {
		if token, ok := o.text(name); ok {
			found = append(found, token)
		}
	}
	if token, ok := o.text("id_token"); ok {
		found = append(found, namesIn(token)...)
	}
	return found
}

// isVSCHAR reports that s has from least to most characters, each of VSCHAR
// (RFC 6749 appendix A).
func isVSCHAR(s string, least, most int) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e })
}
