// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"fmt"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

// Credential is a client's identity at an STS and what it trades there, ready for use once it was
// minted. Its secrets redact themselves.
type Credential struct {
	// ClientID is the client identifier. It is to be sent, not shown: a clientIDRef may point at the
	// wrong key, and then this is a secret.
	ClientID string
	// Secret is the client secret; empty for a client that has none.
	Secret sts.Sensitive
	// Key signs the client's assertions; nil for a client that signs none.
	Key *sts.SigningKey
	// AudienceIssuer says that the audience of what Key signs is to be the issuer that the STS's
	// metadata names, which only the caller knows.
	AudienceIssuer bool
	// Assertion is the federated identity's assertion. It is empty until [Credential.Mint].
	Assertion sts.Sensitive
	// Method is how the client proves itself; empty for a public client, and where the spec leaves
	// it to the STS's metadata how a client secret travels.
	Method sts.AuthMethod
	// Transport is how the STS is reached: trust root, proxy and client certificate.
	Transport sts.Transport
	// Grant is what is traded for the token. Tokens of service accounts are missing there until
	// [Credential.Mint].
	Grant sts.Grant
	// Identity is UID and resourceVersion of every Secret and ConfigMap that was read, and UID and
	// audience of every ServiceAccount: Kubernetes' own controllers touch those. It changes when
	// any of them does, and says nothing of their content.
	Identity string
	// Description names the object of the credential, for a remedy: "Secret payments/graph-app key
	// client_secret", "Secret payments/graph-tls" or "ServiceAccount payments/graph".
	Description string
	// GrantDescription names likewise where what is traded comes from; empty when nothing is.
	GrantDescription string

	// Hidden are the values that are sent and shown nowhere: those that were read from Secrets, of a
	// client identifier what the issuer's addresses don't show, and those that were minted.
	Hidden []sts.Sensitive

	consents  []consent
	federated *account
	mintings  []minting
}

// Problem is why a reference can't be turned into a credential: a reason of api/v1alpha1 and a
// sentence that says what to do. It is an outcome for the user's eyes, not an error.
type Problem struct {
	Reason  string
	Message string
}

// Redact returns the error without the hidden values.
func (c *Credential) Redact(e *oautherr.Error) *oautherr.Error {
	return e.Redact(c.hidden()...)
}

// Quotes returns what says that a text holds one of the hidden values, or enough of one.
func (c *Credential) Quotes() func(text string) bool { return oautherr.Quotes(c.hidden()...) }

func (c *Credential) hidden() []string {
	values := make([]string, len(c.Hidden))
	for i, value := range c.Hidden {
		values[i] = value.Reveal()
	}
	return values
}

// ClientName is the client of an issuer as it may be shown: the identifier that stands in the spec, or
// the Secret and key that hold it, where a wrong key would have a secret shown.
func ClientName(namespace string, issuer *stsv1alpha1.IssuerSpec) string {
	if issuer.ClientIDRef == nil {
		return issuer.ClientID
	}
	return "in " + describe(namespace, *issuer.ClientIDRef)
}

func describe(namespace string, ref stsv1alpha1.SecretKeyRef) string {
	return fmt.Sprintf("Secret %s/%s key %s", namespace, ref.Name, ref.Key)
}

func problem(reason, format string, args ...any) *Problem {
	return &Problem{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) *Problem {
	return problem(stsv1alpha1.ReasonCredentialNotFound, format, args...)
}

func invalid(format string, args ...any) *Problem {
	return problem(stsv1alpha1.ReasonCredentialInvalid, format, args...)
}

func forbidden(format string, args ...any) *Problem {
	return problem(stsv1alpha1.ReasonCredentialNotAllowed, format, args...)
}
