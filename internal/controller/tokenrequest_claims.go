// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// decodeClaims turns spec.claims into the JSON that the claims parameter takes: an object is passed
// on byte for byte; the base64 or base64url of one, padded or not, as a WWW-Authenticate header
// carries it, is decoded. The second value is false for anything else. No claims are fine.
func decodeClaims(claims string) (string, bool) {
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
	if err := json.Unmarshal([]byte(claims), &object); err != nil || object == nil {
		return "", false
	}
	return claims, true
}
