// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// claims are those of a JWT (RFC 7519), read without a look at its signature: they spare a call whose
// answer is known, or keep a token from being used, and open nothing.
type claims map[string]json.RawMessage

// readClaims reads a token that is a JWT in compact form (RFC 7515 section 7.1); others are opaque.
func readClaims(token string) (claims, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	var payload []byte
	for i, part := range parts {
		decoded, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			return nil, false
		}
		if i == 1 {
			payload = decoded
		}
	}
	var c claims
	err := json.Unmarshal(payload, &c)
	return c, err == nil && c != nil
}

// expired says that exp has come. Zero is how Keycloak writes that there is none.
func (c claims) expired(now time.Time) bool {
	var exp float64
	if err := json.Unmarshal(c["exp"], &exp); err != nil || exp <= 0 {
		return false
	}
	return exp <= float64(now.UnixMilli())/1000
}

// text is a claim that is a string.
func (c claims) text(name string) string {
	var text string
	if err := json.Unmarshal(c[name], &text); err != nil {
		return ""
	}
	return text
}

// audiences are aud, which is a list or a single string (RFC 7519 section 4.1.3).
func (c claims) audiences() []string {
	var list []string
	if err := json.Unmarshal(c["aud"], &list); err != nil {
		return []string{c.text("aud")}
	}
	return list
}

// serviceAccountUID is who a ServiceAccount's token is of, beyond its name.
func (c claims) serviceAccountUID() string {
	var bound struct {
		ServiceAccount struct {
			UID string `json:"uid"`
		} `json:"serviceaccount"`
	}
	if err := json.Unmarshal(c["kubernetes.io"], &bound); err != nil {
		return ""
	}
	return bound.ServiceAccount.UID
}
