// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
)

// Request identifies what is about to be asked. Gates are keyed by stable inputs and never by the form that is sent: a
// client assertion is new in each call, and a key that holds it never matches. Two requests that differ in one of the
// fields that a gate is keyed by, and in nothing else, have different gates.
type Request struct {
	// Domain is the tenancy domain: ns/<namespace> or cluster/<issuer>. It begins every key.
	Domain string
	// Endpoint is the URL of the token endpoint, ClientID the client, Scopes the scopes in any order. The three, with the
	// domain, are the rate gate's key: a server that throttles a client doesn't care with which credential it comes.
	Endpoint, ClientID string
	Scopes             []string
	// Trust identifies the trust root, Credential the credential by the UID and resourceVersion of what was read, Account
	// on whose behalf it is, empty for the application itself, and Claims is the claims challenge. They are the error
	// gate's key, with the rate gate's: one user's 500 must not stop all others (msal-java#1019), nor a CA bundle that
	// fails in one place those that work, and a new credential is worth a try.
	Trust, Credential, Account, Claims string
	// Inputs is a hash of the rest of the request. With everything above it is the negative cache's key.
	Inputs string
}

// newEntry returns the entry of kind k that r belongs to, without times.
func newEntry[E any](k Kind, r Request) Entry[E] {
	e := Entry[E]{
		Kind: k, Domain: clean(r.Domain), Endpoint: clean(r.Endpoint), Client: clean(r.ClientID), Scopes: canonical(r.Scopes),
	}
	switch k {
	case Rate:
	case Unavailable:
		e.Context = digest(r.Trust, r.Credential, r.Account, r.Claims)
	case Refused:
		e.Context = digest(r.Trust, r.Credential, r.Account, r.Claims, r.Inputs)
	}
	return e
}

// clean makes s survive a trip through JSON, which has no place for invalid UTF-8: a client ID may come out of a Secret, and
// an entry that changes while it is stored isn't found again.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// canonical returns the scopes as a set: cleaned, sorted, each once, in a slice of its own. Nil for none.
func canonical(scopes []string) []string {
	if len(scopes) == 0 {
		return nil
	}
	set := make([]string, 0, len(scopes))
	for _, scope := range scopes {
		set = append(set, clean(scope))
	}
	slices.Sort(set)
	return slices.Compact(set)
}

// digest returns 32 hexadecimal digits, 128 bits, that depend on every field and on where it ends: each is preceded by its
// length, so no choice of bytes in one field imitates another. 128 bits and not 64, since a tenant chooses most fields
// freely and could search for another's shorter digest.
func digest(fields ...string) string {
	hash := sha256.New()
	for _, field := range fields {
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
		hash.Write([]byte(field))
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}
