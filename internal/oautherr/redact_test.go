// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr_test

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/oautherr"
)

// secret holds what each encoding writes differently.
const secret = "canary+/~ü?&<Q8>"

func TestRedactFindsASecretInEachEncoding(t *testing.T) {
	formed := url.QueryEscape(secret)
	tests := map[string]string{
		"as it is":                       secret,
		"in a form":                      formed,
		"in a form of .NET":              strings.ReplaceAll(strings.ToLower(formed), "q8", "Q8"),
		"in a path":                      url.PathEscape(secret),
		"in a page":                      html.EscapeString(secret),
		"in JSON":                        `canary+/~ü?\u0026\u003cQ8\u003e`,
		"in JSON of PHP":                 `canary+\/~ü?&<Q8>`,
		"in JSON of .NET":                `canary\u002B/~ü?\u0026\u003CQ8\u003E`,
		"in base64":                      base64.StdEncoding.EncodeToString([]byte(secret)),
		"in base64 without padding":      base64.RawStdEncoding.EncodeToString([]byte(secret)),
		"in base64url":                   base64.URLEncoding.EncodeToString([]byte(secret)),
		"in Basic after a client of 1":   basic("a", secret),
		"in Basic after a client of 2":   basic("ab", secret),
		"in Basic after a client of 3":   basic("abc", secret),
		"in Basic after RFC 6749's form": basic("abc", formed),
	}
	for name, echo := range tests {
		t.Run(name, func(t *testing.T) {
			e := &oautherr.Error{Description: "you sent " + echo + " to us", Code: "x " + echo}
			got := e.Redact(secret)
			for field, text := range map[string]string{"Description": got.Description, "Code": got.Code} {
				if !strings.Contains(text, "[redacted]") {
					t.Errorf("%s = %q, want the echo redacted", field, text)
				}
				// Six characters are the longest client id above with its colon.
				if left := longestCommon(text, echo); left > 6 {
					t.Errorf("%s = %q still holds %d characters of the echo in a row", field, text, left)
				}
			}
		})
	}
}

func basic(client, secret string) string {
	return base64.StdEncoding.EncodeToString([]byte(client + ":" + secret))
}

// longestCommon returns the length of the longest text that a and b share.
func longestCommon(a, b string) int {
	longest := 0
	for i := range b {
		for j := i + longest + 1; j <= len(b) && strings.Contains(a, b[i:j]); j++ {
			longest = j - i
		}
	}
	return longest
}

func TestRedact(t *testing.T) {
	const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl"
	tests := map[string]struct {
		secrets []string
		text    string
		want    string
	}{
		"every occurrence goes":                          {[]string{"hunter22"}, "hunter22, hunter22", "[redacted], [redacted]"},
		"the longer of two secrets goes first":           {[]string{"hunter22", "hunter22-and-more"}, "hunter22-and-more", "[redacted]"},
		"a secret below four bytes is ignored":           {[]string{"abc", ""}, "abc", "abc"},
		"a secret stored with a final newline is found":  {[]string{"hunter22\n"}, "got hunter22 here", "got [redacted] here"},
		"a secret of several lines is found on one":      {[]string{"hunter\n22-x"}, "got hunter22-x here", "got [redacted] here"},
		"a JWT goes without being named":                 {nil, "got " + jwt + " here", "got [redacted] here"},
		"an unsigned JWT goes":                           {nil, "got eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0. here", "got [redacted] here"},
		"a JWT within a form goes":                       {nil, "client_assertion%3D" + jwt, "client_assertion%3D[redacted]"},
		"an encrypted JWT goes":                          {nil, "got " + jwt + ".aaaa.bbbb", "got [redacted]"},
		"the header of a JWT goes alone":                 {nil, "got eyJhbGciOiJSUzI1NiJ9 here", "got [redacted] here"},
		"a word that holds eyJ stays":                    {nil, "keyJson and eyJ.x", "keyJson and eyJ.x"},
		"the beginning of a secret before a cut goes":    {[]string{"hunter22-and-more"}, "got hunter22-…", "got [redacted]…"},
		"the beginning of a secret without a cut stays":  {[]string{"hunter22-and-more"}, "got hunter", "got hunter"},
		"three bytes of a secret before a cut say a bit": {[]string{"hunter22"}, "got hun…", "got hun…"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := (&oautherr.Error{Description: test.text}).Redact(test.secrets...).Description
			if got != test.want {
				t.Errorf("Redact = %q, want %q", got, test.want)
			}
		})
	}
}

func TestRedactReachesEveryString(t *testing.T) {
	const canary = "c4nary"
	e := &oautherr.Error{
		Class: oautherr.Credential, Reason: oautherr.ReasonInvalidClient,
		Code: canary, Description: canary, Detail: canary, Suberror: canary, Claims: `{"a":"` + canary + `"}`,
		ErrorURI: "https://" + canary + ".example.com/" + canary, CorrelationID: canary, TraceID: canary, Timestamp: canary,
		Codes: []int64{7000215}, HTTPStatus: 401,
	}
	stored, err := json.Marshal(e.Redact(canary))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(stored), canary) {
		t.Errorf("Redact left the secret in %s", stored)
	}
	if e.Code != canary {
		t.Error("Redact changed the Error that it was called on")
	}
	const want = `{"a":"[redacted]"}`
	if got := e.Redact(canary).Claims; got != want {
		t.Errorf("Claims = %s, want %s", got, want)
	}
}

// A server may cut what it echoes, quote its end, or print it in two halves.
func TestRedactFindsPartsOfASecret(t *testing.T) {
	const long = "Xk8Q~9dKz2.Lm4Np6Rs8Tv0Wy-Ab3Cd5Ef7Gh9"
	for name, test := range map[string]struct{ text, want string }{
		"its beginning":                   {"you sent " + long[:14] + " to us", "you sent [redacted] to us"},
		"its end":                         {"you sent " + long[20:], "you sent [redacted]"},
		"its middle":                      {long[8:24] + " is wrong", "[redacted] is wrong"},
		"two halves":                      {long[:15] + " and " + long[20:], "[redacted] and [redacted]"},
		"two halves in the wrong order":   {long[20:] + long[:20], "[redacted]"},
		"fewer characters than betray it": {"you sent " + long[3:14], "you sent " + long[3:14]},
		"a part in base64":                {base64.StdEncoding.EncodeToString([]byte(long[6:27])), "[redacted]"},
		"nothing of it":                   {"the client secret is wrong", "the client secret is wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (&oautherr.Error{Description: test.text}).Redact(long).Description; got != test.want {
				t.Errorf("Redact = %q, want %q", got, test.want)
			}
			if got := oautherr.Quotes(long)(test.text); got != (test.text != test.want) {
				t.Errorf("Quotes = %t", got)
			}
		})
	}
}

// What is too short to hold a secret isn't looked through.
func TestQuotesFindsWhatIsShort(t *testing.T) {
	const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzaG9wIn0.c2lnbmF0dXJl"
	for _, test := range []struct {
		text   string
		secret string
		want   bool
	}{
		{"Bearer", token, false},
		{"", token, false},
		{"Bearer", "Bear", true},
		{"Bearer", "Bearer", true},
		{"Bearer x", " x  Bear ", false},
		{"Bearer", "  Bear     ", true}, // as it is once trimmed
		{"eyJabcdefgh", "of another kind", true},
		{"eyJabcdefg", "of another kind", false},
		{"x eyJh…", token, true},
	} {
		if got := oautherr.Quotes(test.secret)(test.text); got != test.want {
			t.Errorf("Quotes(%q)(%q) = %t", test.secret, test.text, got)
		}
	}
}

// However often a text looks like a secret, only what it shares with one counts.
func TestQuotesOfATextThatBeginsLikeAllOfASecret(t *testing.T) {
	const text = "ababababababababababababa, and at its end 0123456789ab"
	alike := strings.Repeat("abababac", 2000)
	for secret, want := range map[string]bool{
		alike:                         false,
		alike + "-0123456789ab":       true,
		alike + "-0123456789a":        false,
		"x0123456789ab" + alike:       true,
		alike + "abababababab" + "-x": true,
	} {
		if got := oautherr.Quotes(secret)(text); got != want {
			t.Errorf("Quotes of a secret of %d characters that ends in %q = %t", len(secret), secret[len(secret)-14:], got)
		}
	}
}

func TestRedactOfNilIsNil(t *testing.T) {
	var none *oautherr.Error
	if got := none.Redact("hunter22"); got != nil {
		t.Errorf("Redact of nil = %v, want nil", got)
	}
}

func TestRedactKeepsTheVerdict(t *testing.T) {
	e := oautherr.FromResponse(answer(401, `"error":"invalid_client","error_codes":[7000215]`), arrival)
	if diff := cmp.Diff(e, e.Redact("some secret")); diff != "" {
		t.Errorf("Redact changed (-before +after):\n%s", diff)
	}
}

// TestASecretThatEveryMemberEchoes is external-secrets#5884 from end to end:
// nothing that a user, a log or the stored state can show holds the secret.
func TestASecretThatEveryMemberEchoes(t *testing.T) {
	const canary = "c4nary-s3cret"
	bodies := map[string]string{
		"a refusal":   `{"error":"E","error_description":"E","suberror":"E","claims":"{\"E\":\"E\"}","error_uri":"https://E/E","correlation_id":"E","trace_id":"E","timestamp":"E","other":"E"}`,
		"a name":      `{"E":"E","error":"invalid_client"}`,
		"a text":      `E`,
		"a list":      `["E"]`,
		"half a body": `{"error_description":"E`,
	}
	for name, body := range bodies {
		for _, status := range []int{200, 302, 400, 401, 429, 503} {
			response := oautherr.Response{Status: status, Body: []byte(strings.ReplaceAll(body, "E", canary))}
			e := oautherr.FromResponse(response, arrival).Redact(canary)
			if e == nil { // an object without an error: the token parser's to judge
				continue
			}
			stored, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			for where, text := range map[string]string{
				"JSON": string(stored), "Error": e.Error(), "Message": e.Message(oautherr.Subject{}), "Remedy": e.Remedy(oautherr.Subject{}),
			} {
				if strings.Contains(text, canary) {
					t.Errorf("%s with %d: %s holds the secret: %s", name, status, where, text)
				}
			}
		}
	}
}

// An invisible character within a secret goes before the text is shown, and would leave the secret whole.
func TestRedactFindsWhatInvisibleCharactersTakeApart(t *testing.T) {
	const secret = "Xk8Q~9dKz2.Lm4Np6Rs8Tv0Wy"
	for name, text := range map[string]string{
		"a JWT, by a byte that is no UTF-8":     "eyJ\xe9hbGciOiJub25lIn0.eyJhIjoxfQ.c2ln",
		"a JWT, by a right-to-left override":    "eyJhbGci\u202eOiJub25lIn0.eyJhIjoxfQ.c2ln",
		"a secret, by a zero-width space":       secret[:9] + "\u200b" + secret[9:],
		"a secret, by one after each character": strings.Join(strings.Split(secret, ""), "\u200b"),
	} {
		e := &oautherr.Error{Class: oautherr.Credential, Reason: oautherr.ReasonInvalidClient, Description: "Refused " + text}
		if got := e.Redact(secret).Description; got != "Refused [redacted]" {
			t.Errorf("%s: %q", name, got)
		}
	}
}
