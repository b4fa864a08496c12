// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/oautherr"
)

var sent = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// withMembers returns a success with further members.
func withMembers(members string) string {
	return `{"access_token":"at","token_type":"Bearer"` + members + `}`
}

// unsigned returns a JWT with this payload, and no signature to speak of.
func unsigned(payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256"}`)) + "." + encode([]byte(payload)) + ".c2ln"
}

// lasting returns the token of a success that ends after the lifetime.
func lasting(lifetime time.Duration) Token {
	t := Token{AccessToken: "at", TokenType: "Bearer", IssuedAt: sent, Lifetime: lifetime}
	if lifetime > 0 {
		t.ExpiresAt = sent.Add(lifetime)
	}
	return t
}

func TestParseTokenReadsWhatIsThere(t *testing.T) {
	said := func(scope string) Token {
		token := lasting(0)
		token.Scope, token.ScopeSaid = scope, true
		return token
	}
	exchanged := lasting(0)
	exchanged.IssuedTokenType = "urn:ietf:params:oauth:token-type:access_token"
	early := lasting(time.Hour)
	early.RefreshIn = 30 * time.Minute
	typed := lasting(0)
	typed.TokenType = "N_A" // RFC 8693 section 2.2.1
	longest := strings.Repeat("~", maxRefreshToken)
	refreshed := func(with string) Token {
		token := lasting(0)
		token.RefreshToken = Sensitive(with)
		return token
	}

	tests := map[string]struct {
		body string
		want Token
	}{
		"only what a response must have":                {withMembers(``), lasting(0)},
		"a byte order mark before the object":           {"\xef\xbb\xbf" + withMembers(``), lasting(0)},
		"white space around the object":                 {" \n" + withMembers(``) + "\r\n", lasting(0)},
		"members that nobody knows, even twice":         {withMembers(`,"x":[{}],"x":1,"":null`), lasting(0)},
		"members that are ours but for their case":      {withMembers(`,"Access_Token":"other","EXPIRES_IN":60`), lasting(0)},
		"another token type":                            {`{"access_token":"at","token_type":"N_A"}`, typed},
		"a scope":                                       {withMembers(`,"scope":"a b"`), said("a b")},
		"a scope that is empty":                         {withMembers(`,"scope":""`), said("")},
		"a scope that is null":                          {withMembers(`,"scope":null`), lasting(0)},
		"a scope that is a list":                        {withMembers(`,"scope":["a","b"]`), lasting(0)},
		"a scope with a line break":                     {withMembers(`,"scope":"a\nb"`), lasting(0)},
		"a scope that is too long":                      {withMembers(`,"scope":"` + strings.Repeat("a", maxScope+1) + `"`), lasting(0)},
		"an issued token type":                          {withMembers(`,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"`), exchanged},
		"an issued token type that is a number":         {withMembers(`,"issued_token_type":1`), lasting(0)},
		"an issued token type with a control character": {withMembers(`,"issued_token_type":"a\u0000"`), lasting(0)},
		"a time to refresh":                             {withMembers(`,"expires_in":3600,"refresh_in":"1800"`), early},
		"a time to refresh that is garbage":             {withMembers(`,"expires_in":3600,"refresh_in":[]`), lasting(time.Hour)},
		"a refresh token":                               {withMembers(`,"refresh_token":"r"`), refreshed("r")},
		"a refresh token of the longest":                {withMembers(`,"refresh_token":"` + longest + `"`), refreshed(longest)},
		"a refresh token that is too long":              {withMembers(`,"refresh_token":"` + longest + `~"`), lasting(0)},
		"a refresh token that is empty":                 {withMembers(`,"refresh_token":""`), lasting(0)},
		"a refresh token that is null":                  {withMembers(`,"refresh_token":null`), lasting(0)},
		"a refresh token with a line break":             {withMembers(`,"refresh_token":"r\n"`), lasting(0)},
		"a refresh token that isn't ASCII":              {withMembers(`,"refresh_token":"ř"`), lasting(0)},
		"extended and absolute expiries":                {withMembers(`,"ext_expires_in":60,"expires_on":"1893553445"`), lasting(0)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) { wantToken(t, tc.body, tc.want) })
	}
}

func TestParseTokenReadsExpiresIn(t *testing.T) {
	tests := map[string]struct {
		expiresIn string
		want      time.Duration
	}{
		"a number is seconds":                            {`3600`, time.Hour},
		"a string with a number is seconds":              {`"3600"`, time.Hour},
		"a float with a whole value is seconds":          {`3600.0`, time.Hour},
		"a number in scientific notation is seconds":     {`3.6e3`, time.Hour},
		"a fraction is cut off":                          {`3599.9`, 3599 * time.Second},
		"less than a second is unknown":                  {`0.9`, 0},
		"one second is one second":                       {`1`, time.Second},
		"zero is unknown":                                {`0`, 0},
		"a negative number is unknown":                   {`-1`, 0},
		"null is unknown":                                {`null`, 0},
		"an empty string is unknown":                     {`""`, 0},
		"a string with a unit is unknown":                {`"3600s"`, 0},
		"a hexadecimal string is unknown":                {`"0xe10"`, 0},
		"infinity in a string is unknown":                {`"Infinity"`, 0},
		"a boolean is unknown":                           {`true`, 0},
		"a list is unknown":                              {`[3600]`, 0},
		"an object is unknown":                           {`{"seconds":3600}`, 0},
		"ten years are ten years":                        {`315360000`, maxLifetime},
		"more than ten years are ten years":              {`315360001`, maxLifetime},
		"more than an int64 holds is ten years":          {`99999999999999999999`, maxLifetime},
		"more than a float64 holds is ten years":         {`1e999`, maxLifetime},
		"a string with more than that is ten years":      {`"1e999"`, maxLifetime},
		"less than a float64 holds is unknown":           {`-1e999`, 0},
		"a fraction too small for a float64 is unknown":  {`1e-999`, 0},
		"the milliseconds that some servers send are so": {`3600000`, 3600000 * time.Second},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			wantToken(t, withMembers(`,"expires_in":`+tc.expiresIn), lasting(tc.want))
		})
	}
}

func TestParseTokenFallsBackToTheJWT(t *testing.T) {
	in := func(d time.Duration) int64 { return sent.Add(d).Unix() }
	tests := map[string]struct {
		token   string
		members string
		want    time.Duration
	}{
		"its exp stands in for an absent expires_in":  {unsigned(fmt.Sprintf(`{"exp":%d}`, in(time.Hour))), ``, time.Hour},
		"its exp stands in for an unknown expires_in": {unsigned(fmt.Sprintf(`{"exp":%d}`, in(time.Hour))), `,"expires_in":0`, time.Hour},
		"expires_in counts where there is one":        {unsigned(fmt.Sprintf(`{"exp":%d}`, in(time.Hour))), `,"expires_in":60`, time.Minute},
		"its exp counts where expires_in is absurd":   {unsigned(fmt.Sprintf(`{"exp":%d}`, in(time.Hour))), `,"expires_in":1e400`, time.Hour},
		"an absurd expires_in is better than no exp":  {unsigned(`{}`), `,"expires_in":1e400`, maxLifetime},
		"and than one that has passed":                {unsigned(fmt.Sprintf(`{"exp":%d}`, in(-time.Hour))), `,"expires_in":1e400`, maxLifetime},
		"a fraction of its exp is cut off":            {unsigned(fmt.Sprintf(`{"exp":%d.9}`, in(time.Hour))), ``, time.Hour},
		"an exp that has passed is unknown":           {unsigned(fmt.Sprintf(`{"exp":%d}`, in(-time.Hour))), ``, 0},
		"an exp of this very second is unknown":       {unsigned(fmt.Sprintf(`{"exp":%d}`, in(0))), ``, 0},
		"an exp far away is ten years":                {unsigned(`{"exp":99999999999}`), ``, maxLifetime},
		"an exp of zero is unknown":                   {unsigned(`{"exp":0}`), ``, 0},
		"an exp that is a string is unknown":          {unsigned(`{"exp":"1893553445"}`), ``, 0},
		"no exp is unknown":                           {unsigned(`{}`), ``, 0},
		"a payload that is a list is unknown":         {unsigned(`[]`), ``, 0},
		"a payload that is garbage is unknown":        {"eyJhbGciOiJSUzI1NiJ9.!.x", ``, 0},
		"three words between dots are no JWT":         {"a.b.c", ``, 0},
		"an algorithm that nobody knows is no obstacle to the token": {
			base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"X"}`)) + ".e30.x", ``, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			want := lasting(tc.want)
			want.AccessToken = Sensitive(tc.token)
			wantToken(t, `{"token_type":"Bearer","access_token":"`+tc.token+`"`+tc.members+`}`, want)
		})
	}
}

func TestParseTokenRefuses(t *testing.T) {
	const (
		noToken  = "the body has no access_token of 1 to 262144 printable ASCII characters"
		noType   = "the body has no token_type that is a word of printable ASCII characters"
		noObject = "the body is not one JSON object"
	)
	tests := map[string]struct{ body, why string }{
		"nothing":                               {``, noObject},
		"a list":                                {`[]`, noObject},
		"null":                                  {`null`, noObject},
		"a web page":                            {`<html>canary</html>`, noObject},
		"an object that ends early":             {`{"access_token":"canary"`, noObject},
		"an object that ends within a name":     {`{"access_tok`, noObject},
		"an object that ends within a value":    {`{"access_token":"cana`, noObject},
		"a member without a value":              {`{"access_token"}`, noObject},
		"an object and then more":               {withMembers(``) + `{}`, noObject},
		"an object and then garbage":            {withMembers(``) + `canary`, noObject},
		"an empty object":                       {`{}`, noToken},
		"no token":                              {`{"token_type":"Bearer"}`, noToken},
		"a token that is null":                  {`{"access_token":null,"token_type":"Bearer"}`, noToken},
		"a token that is empty":                 {`{"access_token":"","token_type":"Bearer"}`, noToken},
		"a token that is a number":              {`{"access_token":1,"token_type":"Bearer"}`, noToken},
		"a token that is an object":             {`{"access_token":{"canary":1},"token_type":"Bearer"}`, noToken},
		"a token with a line break":             {`{"access_token":"canary\n","token_type":"Bearer"}`, noToken},
		"a token that isn't ASCII":              {`{"access_token":"canarÿ","token_type":"Bearer"}`, noToken},
		"a token that isn't UTF-8":              {"{\"access_token\":\"canary\xff\",\"token_type\":\"Bearer\"}", noToken},
		"a token under a name in another case":  {`{"Access_Token":"canary","token_type":"Bearer"}`, noToken},
		"a token that is too long":              {`{"access_token":"` + strings.Repeat("a", maxAccessToken+1) + `","token_type":"Bearer"}`, noToken},
		"a token without type":                  {`{"access_token":"canary"}`, noType},
		"a token whose type is null":            {`{"access_token":"canary","token_type":null}`, noType},
		"a token whose type is empty":           {`{"access_token":"canary","token_type":""}`, noType},
		"a token whose type is two words":       {`{"access_token":"canary","token_type":"Bearer Bearer"}`, noType},
		"a token whose type has a line break":   {`{"access_token":"canary","token_type":"Bearer\r\nX: y"}`, noType},
		"two tokens":                            {`{"access_token":"canary","access_token":"canary2","token_type":"Bearer"}`, "the body has the member access_token twice"},
		"two tokens, one under an escaped name": {`{"access_token":"canary","\u0061ccess_token":"canary2","token_type":"Bearer"}`, "the body has the member access_token twice"},
		"two lifetimes":                         {withMembers(`,"expires_in":1,"expires_in":2`), "the body has the member expires_in twice"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			token, err := parseToken([]byte(tc.body), sent, "")
			if token != nil || err == nil {
				t.Fatalf("got token %v and error %v, want an error alone", token, err)
			}
			if err.Reason != oautherr.ReasonMalformedResponse || err.Detail != tc.why {
				t.Errorf("got %s: %q, want %s: %q", err.Reason, err.Detail, oautherr.ReasonMalformedResponse, tc.why)
			}
			if strings.Contains(fmt.Sprintf("%+v", *err), "canary") {
				t.Errorf("the error quotes the body: %+v", *err)
			}
		})
	}
}

func TestParseTokenTakesTheLongestToken(t *testing.T) {
	longest := strings.Repeat("~", maxAccessToken)
	token, err := parseToken([]byte(`{"access_token":"`+longest+`","token_type":"Bearer"}`), sent, "")
	if err != nil || token.AccessToken.Reveal() != longest {
		t.Errorf("got error %v, want the token of %d characters", err, maxAccessToken)
	}
}

func wantToken(t *testing.T, body string, want Token) {
	t.Helper()
	got, err := parseToken([]byte(body), sent, "")
	if err != nil {
		t.Fatalf("parsing %s: %v", body, err)
	}
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Errorf("token (-want +got):\n%s", diff)
	}
}

// What the answer says of its token is shown, the token never.
func TestNothingSaidOfATokenQuotesASecret(t *testing.T) {
	const secret, token, refresh = "Xk8Q~9dKz2.Lm4Np6Rs8Tv0Wy", "opaque-access-token-0123456789", "opaque-refresh-token-0123456789"
	body := func(kind, scope, issued string) []byte {
		return fmt.Appendf(nil, `{"access_token":%q,"refresh_token":%q,"token_type":%q,"scope":%q,"issued_token_type":%q}`, token, refresh, kind, scope, issued)
	}
	for name, quoted := range map[string]string{"the client secret": secret, "half of it": secret[:14], "the token": token, "the refresh token": refresh} {
		t.Run(name, func(t *testing.T) {
			if got, err := parseToken(body(quoted, "a", "b"), sent, "", secret); err == nil || strings.Contains(err.Error(), quoted) {
				t.Errorf("as token_type it gives %v, %v", got, err)
			}
			got, err := parseToken(body("Bearer", "read "+quoted, "urn:"+quoted), sent, "", secret)
			if err != nil || got.Scope != "" || got.ScopeSaid || got.IssuedTokenType != "" {
				t.Errorf("as scope and issued_token_type it gives %+v, %v", got, err)
			}
		})
	}
	// What was asked for was no secret, whatever it looks like.
	if got, err := parseToken(body("Bearer", "read "+token, "urn:x"), sent, "read "+token, secret); err != nil || got.Scope != "read "+token {
		t.Errorf("the scope that was asked for gives %+v, %v", got, err)
	}
	if got, err := parseToken(body("Bearer", "read write", "urn:x"), sent, "", secret); err != nil || got.Scope != "read write" || got.IssuedTokenType != "urn:x" {
		t.Errorf("what quotes nothing gives %+v, %v", got, err)
	}
}

// FuzzToken holds parseToken to its promise: any body gives a usable Token or a
// Malformed error that quotes nothing.
func FuzzToken(f *testing.F) {
	for _, seed := range []string{
		withMembers(`,"expires_in":3600,"scope":"a b"`), withMembers(`,"expires_in":"3600"`), withMembers(`,"expires_in":1e999`),
		`{"access_token":"` + unsigned(`{"exp":1893553445}`) + `","token_type":"Bearer"}`,
		`{"access_token":"` + unsigned(`{"exp":1e300}`) + `","token_type":"Bearer"}`,
		withMembers(`,"refresh_token":"r","id_token":"` + unsigned(`{"sub":"s","oid":"o","preferred_username":"p"}`) + `"`),
		`{}`, `[]`, `null`, "\xef\xbb\xbf{}", `{"access_token":"a","access_token":"b"}`, `<html>`,
	} {
		f.Add([]byte(seed))
	}
	malformed := map[string]bool{}
	for _, body := range []string{``, `{}`, `{"access_token":"a"}`} {
		_, err := parseToken([]byte(body), sent, "")
		malformed[err.Detail] = true
	}
	for _, name := range []string{"access_token", "token_type", "expires_in", "refresh_in", "scope", "issued_token_type", "id_token", "refresh_token"} {
		malformed["the body has the member "+name+" twice"] = true
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		token, err := parseToken(body, sent, "")
		if err != nil {
			if token != nil || !malformed[err.Detail] {
				t.Fatalf("got token %v, error %+v", token, *err)
			}
			return
		}
		wantUsable(t, token)
	})
}

// wantUsable fails when a token isn't what Token documents.
func wantUsable(t *testing.T, token *Token) {
	t.Helper()
	if !isVSCHAR(token.AccessToken.Reveal(), 1, maxAccessToken) || token.TokenType == "" {
		t.Errorf("the token cannot be used: %q of type %q", token.AccessToken.Reveal(), token.TokenType)
	}
	if !isVSCHAR(token.RefreshToken.Reveal(), 0, maxRefreshToken) {
		t.Errorf("the refresh token cannot be used: %q", token.RefreshToken.Reveal())
	}
	if token.Identity != nil && *token.Identity == (Identity{}) {
		t.Error("the identity names nobody, want none")
	}
	for _, d := range []time.Duration{token.Lifetime, token.RefreshIn} {
		if d < 0 || d > maxLifetime || d%time.Second != 0 {
			t.Errorf("a duration is %v, want whole seconds of at most %v", d, maxLifetime)
		}
	}
	if token.Lifetime == 0 != token.ExpiresAt.IsZero() {
		t.Errorf("the lifetime is %v and the expiry %v, want both or neither", token.Lifetime, token.ExpiresAt)
	}
	if token.Lifetime > 0 && token.ExpiresAt.Sub(token.IssuedAt) != token.Lifetime {
		t.Errorf("issued at %v, expires at %v, lifetime %v", token.IssuedAt, token.ExpiresAt, token.Lifetime)
	}
}

// A hidden client identifier is often the beginning of its scopes' names, and servers add
// scopes of their own to those that were asked for, or leave some out.
func TestAScopeThatWasAskedForQuotesNothing(t *testing.T) {
	const asked = "payments.read payments.write"
	for scope, said := range map[string]bool{
		asked:                             true,
		"payments.write":                  true,
		"email payments.write profile":    true,
		"payments.all payments.read":      false,
		"payments.readpayments.write":     false,
		"payments.read payments":          false,
		"email payments.read cGF5bWVudHM": false,
	} {
		token, err := parseToken([]byte(`{"access_token":"t0ken~~~~~~~","token_type":"Bearer","scope":"`+scope+`"}`), sent, asked, "payments")
		if err != nil {
			t.Fatal(err)
		}
		if token.ScopeSaid != said {
			t.Errorf("scope %s: said %t, want %t", scope, token.ScopeSaid, said)
		}
	}
}

// A tenant's domain is in the names of its people and in scopes alike.
func TestAScopeMayHaveThePersonsDomainAndNotThePerson(t *testing.T) {
	idToken := unsigned(`{"preferred_username":"adele@contoso.onmicrosoft.com"}`)
	for scope, said := range map[string]bool{
		"https://graph.microsoft.com/Chat.Read":            true,
		"api://contoso.onmicrosoft.com/read":               true,
		"read:adele@contoso.onmicrosoft.com":               false,
		"mailto:adele@contoso.onmicrosoft.com.example/all": false,
	} {
		token, err := parseToken([]byte(`{"access_token":"t0ken~~~~~~~","token_type":"Bearer","scope":"`+scope+`","id_token":"`+idToken+`"}`), time.Time{}, "")
		if err != nil {
			t.Fatal(err)
		}
		if token.ScopeSaid != said {
			t.Errorf("scope %s: said %t, want %t", scope, token.ScopeSaid, said)
		}
	}
}
