// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// checkedKey stands among the annotations of a stripped Secret, with the record's instants: when it was
// issued, when it is due, and, where it is known, when it expires. So there are no more than the eight
// annotations that a small map of Go's has room for; one of nine takes twice the memory. The API server takes
// no annotation without a name, so nobody else can write it.
const checkedKey = ""

// Strip takes the data out of a token Secret that holds what its record says, and leaves word that it
// did: of the copy that is returned a Holding finds out the same as of the Secret itself, but for
// Holding.Body, which has no data. A cache of such copies keeps no token in memory, whatever its length.
// A Secret that holds anything else, or was edited, is returned as it is.
func Strip(s *corev1.Secret) *corev1.Secret {
	h := Holding{State: Ours, Secret: s}
	record, intact := h.record()
	if !intact || h.Stripped() {
		return s
	}
	stripped := *s
	stripped.Annotations = maps.Clone(s.Annotations)
	for _, known := range []string{
		stsv1alpha1.AnnotationContent, stsv1alpha1.AnnotationKeys,
		stsv1alpha1.AnnotationIssuedAt, stsv1alpha1.AnnotationRefreshAt, stsv1alpha1.AnnotationExpiresAt,
	} {
		delete(stripped.Annotations, known)
	}
	if !h.HasToken() {
		delete(stripped.Annotations, stsv1alpha1.AnnotationTokenKey)
	}
	if !record.ScopeSaid {
		delete(stripped.Annotations, stsv1alpha1.AnnotationScope) // the hash doesn't vouch for it, see Holding.record
	}
	stripped.Annotations[checkedKey] = record.instants()
	stripped.Data = nil
	return &stripped
}

// Stripped says that the Secret's data was taken out by Strip: who needs the token has to read the
// Secret itself.
func (h Holding) Stripped() bool {
	if h.Secret == nil {
		return false
	}
	_, checked := h.Secret.Annotations[checkedKey]
	return checked
}

// instants are those of a record in one text, of which the last may be missing.
func (r Record) instants() string {
	text := stamp(r.IssuedAt) + " " + stamp(r.RefreshAt)
	if !r.ExpiresAt.IsZero() {
		text += " " + stamp(r.ExpiresAt)
	}
	return text
}

// strippedRecord is the record of a stripped Secret.
func (h Holding) strippedRecord() Record {
	issued, others, _ := strings.Cut(h.Secret.Annotations[checkedKey], " ")
	refresh, expires, _ := strings.Cut(others, " ")
	r, _ := readRecord(h.Secret.Annotations, issued, refresh, expires)
	return r
}

// HasToken says that a key of the Secret, which must be intact, holds the token as it is.
func (h Holding) HasToken() bool {
	if h.Stripped() {
		return h.Secret.Annotations[stsv1alpha1.AnnotationTokenKey] != ""
	}
	return h.Body().TokenKey != ""
}
