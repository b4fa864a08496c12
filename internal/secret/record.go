// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// Default keys of the token Secret.
const (
	// KeyAccessToken holds the token itself.
	KeyAccessToken = "access_token"
	// KeyTokenType holds the token_type of the STS's answer.
	KeyTokenType = "token_type"
	// KeyScope holds the scope of the STS's answer; absent when it named none.
	KeyScope = "scope"
	// KeyExpiresAt holds the expiry, RFC 3339 in UTC, so that an application can reload in time;
	// absent when the STS didn't say.
	KeyExpiresAt = "expires_at"
)

// Record is what a token Secret says, in its annotations, of the token that it holds. The zero
// value is the record of no token.
type Record struct {
	// IssuedAt is when the token was asked for; ExpiresAt when it dies, zero when the STS didn't
	// say; RefreshAt when it is due to be replaced. Whole seconds, UTC.
	IssuedAt, ExpiresAt, RefreshAt time.Time
	// RefreshBefore is the wish of the spec that RefreshAt was planned by, zero for none.
	RefreshBefore time.Duration
	// Inputs is the hash of what the token was asked for, see Inputs.
	Inputs string
	// Presented is a versioned hash of which credential the token was asked with, empty where that
	// isn't known.
	Presented string
	// TokenType is the token_type of the STS's answer.
	TokenType string
	// IssuedTokenType is the issued_token_type of the STS's answer, empty when it named none.
	IssuedTokenType string
	// Scope is the scope of the STS's answer, and ScopeSaid whether it named one.
	Scope     string
	ScopeSaid bool
}

// ReadRecord reads the record of a Secret. The second value is false when the inputs are missing, or
// when issued-at or refresh-at is missing or isn't an instant: the Secret then tells nothing.
//
// An expires-at that isn't an instant after issued-at counts as absent.
func ReadRecord(s *corev1.Secret) (Record, bool) {
	a := s.Annotations
	return readRecord(a, a[stsv1alpha1.AnnotationIssuedAt], a[stsv1alpha1.AnnotationRefreshAt], a[stsv1alpha1.AnnotationExpiresAt])
}

// readRecord is ReadRecord of annotations whose instants may stand elsewhere.
func readRecord(a map[string]string, issued, refresh, expires string) (Record, bool) {
	issuedAt, okIssued := instant(issued)
	refreshAt, okRefresh := instant(refresh)
	r := Record{
		IssuedAt:        issuedAt,
		RefreshAt:       refreshAt,
		Inputs:          a[stsv1alpha1.AnnotationInputs],
		Presented:       a[stsv1alpha1.AnnotationPresented],
		TokenType:       a[stsv1alpha1.AnnotationTokenType],
		IssuedTokenType: a[stsv1alpha1.AnnotationIssuedTokenType],
	}
	r.Scope, r.ScopeSaid = a[stsv1alpha1.AnnotationScope]
	// What isn't a duration is another than the spec's, and has the refresh planned anew.
	r.RefreshBefore, _ = time.ParseDuration(a[stsv1alpha1.AnnotationRefreshBefore])
	if at, ok := instant(expires); ok && at.After(issuedAt) {
		r.ExpiresAt = at
	}
	return r, okIssued && okRefresh && r.Inputs != ""
}

// annotations is the inverse of ReadRecord.
func (r Record) annotations() map[string]string {
	a := map[string]string{
		stsv1alpha1.AnnotationIssuedAt:  stamp(r.IssuedAt),
		stsv1alpha1.AnnotationRefreshAt: stamp(r.RefreshAt),
		stsv1alpha1.AnnotationInputs:    r.Inputs,
		stsv1alpha1.AnnotationTokenType: r.TokenType,
	}
	if !r.ExpiresAt.IsZero() {
		a[stsv1alpha1.AnnotationExpiresAt] = stamp(r.ExpiresAt)
	}
	if r.RefreshBefore != 0 {
		a[stsv1alpha1.AnnotationRefreshBefore] = r.RefreshBefore.String()
	}
	if r.Presented != "" {
		a[stsv1alpha1.AnnotationPresented] = r.Presented
	}
	if r.IssuedTokenType != "" {
		a[stsv1alpha1.AnnotationIssuedTokenType] = r.IssuedTokenType
	}
	if r.ScopeSaid {
		a[stsv1alpha1.AnnotationScope] = r.Scope
	}
	return a
}

// sealed hashes what a Secret holds for a record: its data, the instants that the operator goes by, and
// the scope, which a template may write anew.
// Other keys of the Secret are somebody else's and never make it look edited (external-secrets#2033).
func (r Record) sealed(data map[string][]byte) string {
	all := maps.Clone(data)
	// No key of a Secret has a space.
	all["at issued"], all["at refresh"] = []byte(stamp(r.IssuedAt)), []byte(stamp(r.RefreshAt))
	if !r.ExpiresAt.IsZero() {
		all["at expires"] = []byte(stamp(r.ExpiresAt))
	}
	if r.ScopeSaid {
		all["of scope"] = []byte(r.Scope)
	}
	return contentHash(all)
}

// without is the record as it would be if some of what an STS need not say hadn't been said.
func (r Record) without(expiry, scope bool) Record {
	if expiry {
		r.ExpiresAt = time.Time{}
	}
	if scope {
		r.Scope, r.ScopeSaid = "", false
	}
	return r
}

func instant(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, s)
	return t.UTC(), err == nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// hashVersion stands before every hash that is written down, so that a later version of the
// operator can hash differently without taking all tokens for changed.
const hashVersion = "v1:"

// SameHash reports whether two versioned hashes agree. A hash of a version that this operator
// doesn't know counts as equal: an upgrade or a downgrade mints nothing anew.
func SameHash(recorded, wanted string) bool {
	return recorded == wanted || recorded != "" && !strings.HasPrefix(recorded, hashVersion)
}

// metadataHash hashes the labels and annotations that a request wants on its Secret.
func metadataHash(wanted *stsv1alpha1.TokenSecret) string {
	data := map[string][]byte{}
	for k, v := range wanted.Labels {
		data["label "+k] = []byte(v)
	}
	for k, v := range wanted.Annotations {
		data["annotation "+k] = []byte(v)
	}
	return contentHash(data)
}

// contentHash hashes data by length-prefixed keys and values, so that no two contents share an
// encoding. The token has far more entropy than can be guessed from its hash.
func contentHash(data map[string][]byte) string {
	h := sha256.New()
	write := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	for _, k := range slices.Sorted(maps.Keys(data)) {
		write([]byte(k))
		write(data[k])
	}
	return hashVersion + hex.EncodeToString(h.Sum(nil))
}
