// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// FieldManager is the server-side-apply field manager of every Secret that the operator writes.
const FieldManager = "tokenrequest-operator"

// Labels that the operator puts on the Secrets it writes.
const (
	// LabelManaged marks every Secret that the operator writes. The operator's cache selects on
	// it, so that its memory doesn't grow with other people's Secrets (cert-manager#4722).
	LabelManaged = Group + "/managed"

	// LabelManagedBy is the recommended Kubernetes label; its value is FieldManager. A Secret that
	// only consents to our keys keeps its maker's.
	LabelManagedBy = "app.kubernetes.io/managed-by"
)

// LabelManagedValue is the value of LabelManaged.
const LabelManagedValue = "true"

// Annotations that a person sets.
const (
	// AnnotationRefreshRequestedAt on a TokenRequest asks for a new token now. Any new value will
	// do; status.lastHandledRefreshAt acknowledges it. It passes over backoff and the memory of
	// refusals, never over a Retry-After.
	AnnotationRefreshRequestedAt = Group + "/refresh-requested-at"

	// AnnotationAdoptableBy on a Secret that we did not make names the one TokenRequest that may
	// write its keys there. Without it such a Secret is never touched.
	AnnotationAdoptableBy = Group + "/adoptable-by"

	// AnnotationAllowedHosts on a Secret lists the hosts, separated by commas, that a client secret
	// or client identifier in it may be sent to. Where it is present it is enforced, for the proxy
	// too when an issuer names both a proxy and a trust root of its own.
	AnnotationAllowedHosts = Group + "/allowed-hosts"

	// AnnotationAllowedAudiences on a ServiceAccount lists the audiences, separated by commas,
	// that the operator may mint tokens for. Without it the ServiceAccount serves nobody.
	AnnotationAllowedAudiences = Group + "/allowed-audiences"
)

// Annotations that the operator writes on the token Secret, in the same write as the token. They
// are the record: a crash between the Secret and the status, a lost status or a restored backup
// costs no call to the STS.
const (
	// AnnotationIssuedAt is when the token was asked for: RFC 3339, UTC, whole seconds.
	AnnotationIssuedAt = Group + "/issued-at"

	// AnnotationExpiresAt is when the token dies: RFC 3339, UTC. Absent when the STS didn't say.
	AnnotationExpiresAt = Group + "/expires-at"

	// AnnotationRefreshAt is when the token is due to be replaced: RFC 3339, UTC.
	AnnotationRefreshAt = Group + "/refresh-at"

	// AnnotationRefreshBefore is the spec.refreshBefore that refresh-at was planned by, as a Go
	// duration. Absent when there was none.
	AnnotationRefreshBefore = Group + "/refresh-before"

	// AnnotationInputs is "v1:" and a hash of what the token was asked for.
	AnnotationInputs = Group + "/inputs"

	// AnnotationPresented is "v1:" and a hash of the UIDs and resourceVersions of the credential and
	// trust root that the token was asked with, none of their content. A credential that has brought
	// a token and is refused later was taken away; a refusal of one that hasn't may be a change on
	// its way through the STS's directory.
	AnnotationPresented = Group + "/presented"

	// AnnotationContent is "v1:" and a hash of the Secret's data and of the record's instants as they
	// were written.
	AnnotationContent = Group + "/content"

	// AnnotationKeys lists the keys of the Secret that the operator has written, separated by commas.
	// Others are somebody else's.
	AnnotationKeys = Group + "/keys"

	// AnnotationTokenKey is the key that holds the token as it is. Absent when none does.
	AnnotationTokenKey = Group + "/token-key"

	// AnnotationShape is "v1:" and a hash of the templates that the keys were made with. Absent for the
	// default keys.
	AnnotationShape = Group + "/shape"

	// AnnotationMetadata is "v1:" and a hash of the labels and annotations that the TokenRequest
	// wants on the Secret, so that one which it no longer wants is taken away.
	AnnotationMetadata = Group + "/metadata"

	// AnnotationTokenType is the token_type of the STS's answer (RFC 6749 section 5.1), kept so
	// that a lost status can be written again.
	AnnotationTokenType = Group + "/token-type"

	// AnnotationIssuedTokenType is the issued_token_type of the STS's answer (RFC 8693 section 2.2.1),
	// kept likewise. Absent when the STS named none.
	AnnotationIssuedTokenType = Group + "/issued-token-type"

	// AnnotationScope is the scope of the STS's answer. Absent when the STS named none.
	AnnotationScope = Group + "/scope"
)
