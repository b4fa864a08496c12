// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/oautherr"
)

func TestParseChallenges(t *testing.T) {
	type parameters = map[string]string
	for _, c := range []struct {
		name   string
		fields []string
		want   []oautherr.Challenge
	}{
		{"no field", nil, nil},
		{"a bare scheme", []string{"Negotiate"}, []oautherr.Challenge{{Scheme: "Negotiate"}}},
		{"a realm", []string{`Basic realm="token endpoint, v2"`}, []oautherr.Challenge{{Scheme: "Basic", Parameters: parameters{"realm": "token endpoint, v2"}}}},
		{"the example of RFC 6750", []string{`Bearer realm="example", error="invalid_token", error_description="The access token expired"`},
			[]oautherr.Challenge{{Scheme: "Bearer", Parameters: parameters{"realm": "example", "error": "invalid_token", "error_description": "The access token expired"}}}},
		{"a claims challenge of Entra, whatever its order", []string{`Bearer claims="eyJhIjoxfQ==", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", realm="", error="insufficient_claims"`},
			[]oautherr.Challenge{{Scheme: "Bearer", Parameters: parameters{"claims": "eyJhIjoxfQ==", "authorization_uri": "https://login.microsoftonline.com/common/oauth2/authorize", "realm": "", "error": "insufficient_claims"}}}},
		{"spaces in place of commas", []string{`Bearer realm="a" error="invalid_token" claims=eyJhIjoxfQ==`},
			[]oautherr.Challenge{{Scheme: "Bearer", Parameters: parameters{"realm": "a", "error": "invalid_token", "claims": "eyJhIjoxfQ=="}}}},
		{"two challenges in one field", []string{`Basic realm="a", Bearer error="invalid_token"`},
			[]oautherr.Challenge{{Scheme: "Basic", Parameters: parameters{"realm": "a"}}, {Scheme: "Bearer", Parameters: parameters{"error": "invalid_token"}}}},
		{"two fields", []string{"Negotiate", `Bearer error=invalid_token`},
			[]oautherr.Challenge{{Scheme: "Negotiate"}, {Scheme: "Bearer", Parameters: parameters{"error": "invalid_token"}}}},
		{"a token68 is no challenge of its own", []string{`Negotiate YII/aa==, Bearer error="x"`},
			[]oautherr.Challenge{{Scheme: "Negotiate"}, {Scheme: "Bearer", Parameters: parameters{"error": "x"}}}},
		{"escaped quotes", []string{`Bearer error_description="a \"b\" \\ c"`}, []oautherr.Challenge{{Scheme: "Bearer", Parameters: parameters{"error_description": `a "b" \ c`}}}},
		{"white space around the equals sign, and names in capitals", []string{`Bearer ERROR = "x"`}, []oautherr.Challenge{{Scheme: "Bearer", Parameters: parameters{"error": "x"}}}},
		{"the first of two equal names", []string{`Bearer error="a", error="b"`}, []oautherr.Challenge{{Scheme: "Bearer", Parameters: parameters{"error": "a"}}}},
		{"a quote that never ends", []string{`Bearer error="invalid`}, []oautherr.Challenge{{Scheme: "Bearer", Parameters: parameters{"error": "invalid"}}}},
		{"parameters without a scheme", []string{`error="a"`}, nil},
		{"an unquoted value at the end", []string{`Bearer error=a`}, []oautherr.Challenge{{Scheme: "Bearer", Parameters: parameters{"error": "a"}}}},
		{"garbage", []string{"\x00\"=@(),;"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := oautherr.ParseChallenges(http.Header{"Www-Authenticate": c.fields})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestARefusalThatOnlyItsChallengeExplains(t *testing.T) {
	refusal := func(status int, body, challenge string) *oautherr.Error {
		return oautherr.FromResponse(oautherr.Response{Status: status, Body: []byte(body), Header: http.Header{"Www-Authenticate": {challenge}}}, arrival)
	}
	const claims = `Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="`

	e := refusal(401, "", claims)
	if e.Code != "insufficient_claims" || e.Claims != `{"access_token":{}}` || e.Class != oautherr.InteractionRequired || e.Detail != "" {
		t.Errorf("a claims challenge reads %#v", e)
	}
	e = refusal(401, "", `Bearer error="invalid_client", error_description="AADSTS7000222: expired. Trace ID: 11111111-aaaa", error_uri="https://sts.example/help"`)
	if e.Reason != oautherr.ReasonInvalidClient || e.Description != "AADSTS7000222: expired." || e.ErrorURI == "" || len(e.Codes) != 1 || e.TraceID == "" {
		t.Errorf("a described refusal reads %#v", e)
	}
	if e := refusal(401, `{"error":"invalid_grant"}`, claims); e.Code != "invalid_grant" || e.Claims != "" {
		t.Errorf("the body's own error gives way to the challenge: %#v", e)
	}
	if e := refusal(401, "", `Basic realm="sts"`); e.Code != "" || e.Reason != oautherr.ReasonMalformedResponse {
		t.Errorf("a challenge without error reads %#v", e)
	}
	for _, status := range []int{200, 302, 404, 500} {
		if e := refusal(status, "", claims); e.Code != "" {
			t.Errorf("HTTP %d is no answer that a challenge explains: %#v", status, e)
		}
	}
	if e := refusal(401, "", `Bearer error="insufficient_claims", claims="@"`); e.Claims != "" || e.Code == "" {
		t.Errorf("claims that are none read %#v", e)
	}
}

func FuzzParseChallenges(f *testing.F) {
	for _, field := range []string{"", "Negotiate", `Basic realm="a, b"`, `Bearer realm="", error="insufficient_claims", claims="eyJhIjoxfQ=="`,
		`Bearer error=invalid_token claims=e30=, DPoP algs="ES256 PS256"`, `Negotiate YII/aa==, Bearer error="x\"y"`, `error="a"`, "\x00=\"@"} {
		f.Add(field, "")
		f.Add("Basic", field)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		header := http.Header{"Www-Authenticate": {first, second}}
		challenges := oautherr.ParseChallenges(header)
		said := 0
		for _, c := range challenges {
			said += len(c.Scheme)
			for name, value := range c.Parameters {
				said += len(name) + len(value)
				if name != strings.ToLower(name) {
					t.Fatalf("the name %q isn't in lower case", name)
				}
			}
			if c.Scheme == "" || strings.ContainsAny(c.Scheme, " ,=\"") {
				t.Fatalf("the scheme %q is no token", c.Scheme)
			}
		}
		if said > len(first)+len(second) {
			t.Fatalf("%q and %q say less than %v", first, second, challenges)
		}
		if again := oautherr.ParseChallenges(http.Header{"Www-Authenticate": {written(challenges)}}); len(written(challenges)) < 4096 && cmp.Diff(challenges, again) != "" {
			t.Fatalf("written and read again (-want +got):\n%s", cmp.Diff(challenges, again))
		}
		e := oautherr.FromResponse(oautherr.Response{Status: 401, Header: header}, arrival)
		checkBounds(t, e)
		checkStored(t, e)
	})
}

// written is the field that says the challenges.
func written(challenges []oautherr.Challenge) string {
	var all []string
	for _, c := range challenges {
		var parameters []string
		for name, value := range c.Parameters {
			quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value)
			parameters = append(parameters, fmt.Sprintf(`%s="%s"`, name, quoted))
		}
		all = append(all, strings.TrimSpace(c.Scheme+" "+strings.Join(parameters, ", ")))
	}
	return strings.Join(all, ", ")
}
