// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// DecodeClaims returns a claims challenge as the JSON object that the claims
// parameter takes. An object is returned byte for byte; the base64 or base64url
// of one, padded or not, as a WWW-Authenticate field carries it, is decoded.
// Whoever pastes a challenge has it in one of these forms, depending on whether
// it came from a token service or from the resource. The second value is false
// for anything else; the empty string is no claims, and fine.
func DecodeClaims(claims string) (string, bool) {
	if claims == "" {
		return "", true
	}
	if !strings.HasPrefix(claims, "{") {
		standard := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(claims, "="))
		decoded, err := base64.RawStdEncoding.DecodeString(standard)
		if err != nil {
			return "", false
		}
		claims = string(decoded)
	}
	var object map[string]json.RawMessage
	if !utf8.ValidString(claims) || json.Unmarshal([]byte(claims), &object) != nil || object == nil {
		return "", false
	}
	return claims, true
}
