// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr_test

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"tokenrequest.dev/operator/internal/oautherr"
)

func TestDecodeClaims(t *testing.T) {
	object := `{"access_token":{"nbf":{"essential":true,"value":"1700000000>?"}}}`
	for _, c := range []struct {
		name, claims, want string
		ok                 bool
	}{
		{"none", "", "", true},
		{"JSON goes through byte for byte", `{ "a" : 1 }`, `{ "a" : 1 }`, true},
		{"base64", base64.StdEncoding.EncodeToString([]byte(object)), object, true},
		{"base64 without padding", base64.RawStdEncoding.EncodeToString([]byte(object)), object, true},
		{"base64url", base64.URLEncoding.EncodeToString([]byte(object)), object, true},
		{"base64url without padding", base64.RawURLEncoding.EncodeToString([]byte(object)), object, true},
		{"JSON that breaks off", `{"a":`, "", false},
		{"base64 of a list", base64.StdEncoding.EncodeToString([]byte(`[]`)), "", false},
		{"base64 of null", base64.StdEncoding.EncodeToString([]byte(`null`)), "", false},
		{"base64 of an object that isn't UTF-8", base64.StdEncoding.EncodeToString([]byte("{\"a\":\"\xff\"}")), "", false},
		{"neither", "nonsense!", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := oautherr.DecodeClaims(c.claims)
			if got != c.want || ok != c.ok {
				t.Errorf("%q, %t; want %q, %t", got, ok, c.want, c.ok)
			}
		})
	}
}

func FuzzDecodeClaims(f *testing.F) {
	for _, claims := range []string{"", "{}", `{"access_token":{"nbf":{"essential":true}}}`, "e30=", "e30", "eyJhIjoiPz4ifQ", "eyJhIjoiPz4_In0=", "null", "{", "===="} {
		f.Add(claims)
	}
	f.Fuzz(func(t *testing.T, claims string) {
		decoded, ok := oautherr.DecodeClaims(claims)
		if !ok || claims == "" {
			if decoded != "" {
				t.Fatalf("%q is refused and yet decoded to %q", claims, decoded)
			}
			return
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(decoded), &object); err != nil || object == nil {
			t.Fatalf("%q decodes to %q, which is no JSON object", claims, decoded)
		}
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			if again, ok := oautherr.DecodeClaims(encoding.EncodeToString([]byte(decoded))); !ok || decoded[0] == '{' && again != decoded {
				t.Fatalf("%q does not survive base64: %q, %t", decoded, again, ok)
			}
		}
	})
}
