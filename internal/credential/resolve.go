// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package credential turns a reference in the API into a credential and its identity.
//
// Secrets and ConfigMaps are read when a token is due, straight from the API server, and never
// kept: the operator's memory doesn't grow with other people's Secrets. Every reference is local
// to the namespace that the caller names.
package credential

import (
	"context"
	"crypto/x509"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

// Credential is a client's identity at an STS, ready for use. Its secret redacts itself.
type Credential struct {
	// ClientID is the client identifier. It is to be sent, not shown: a clientIDRef may point at the
	// wrong key, and then this is a secret.
	ClientID string
	// Secret is the client secret; empty for a public client.
	Secret sts.Sensitive
	// Method is how the secret travels; empty when the spec leaves it to the STS's metadata.
	Method sts.AuthMethod
	// Transport is how the STS is reached: trust root and proxy.
	Transport sts.Transport
	// Identity is UID and resourceVersion of every object that was read. It changes when any of
	// them does, and says nothing of their content.
	Identity string
	// Description names the object and key of the secret, for a remedy: "Secret payments/graph-app
	// key client_secret".
	Description string

	// Hidden are the values that were read from Secrets, the client identifier among them where it
	// was. They are sent, and shown nowhere.
	Hidden []sts.Sensitive

	consents []consent
}

// Problem is why a reference can't be turned into a credential: a reason of api/v1alpha1 and a
// sentence that says what to do. It is an outcome for the user's eyes, not an error.
type Problem struct {
	Reason  string
	Message string
}

// Resolver reads what issuers refer to.
type Resolver struct {
	// Reader reads from the API server itself, not from a cache: what it reads is as new as the
	// event that asked for it.
	Reader client.Reader
	// RequireAllowedHosts refuses a Secret whose owner didn't say where its content may go.
	RequireAllowedHosts bool
}

// Resolve reads the credential of an issuer, and what a grant trades; a nil grant is that of client
// credentials, which trades nothing. One of the three results is set; the error is the Kubernetes
// API's alone.
func (r Resolver) Resolve(ctx context.Context, site Site, issuer *stsv1alpha1.IssuerSpec, _ *stsv1alpha1.Grant) (*Credential, *Problem, error) {
	read := &reading{reader: r.Reader, namespace: site.IssuerNamespace, secrets: map[stsv1alpha1.ObjectName]*corev1.Secret{}}
	c := &Credential{ClientID: issuer.ClientID}
	steps := []func(context.Context, *Credential, *stsv1alpha1.IssuerSpec) (*Problem, error){
		read.clientID, read.clientSecret, read.transport,
	}
	for _, step := range steps {
		if problem, err := step(ctx, c, issuer); problem != nil || err != nil {
			return nil, problem, err
		}
	}
	if r.RequireAllowedHosts {
		if problem := c.undeclared(); problem != nil {
			return nil, problem, nil
		}
	}
	c.Identity = strings.Join(read.versions, ",")
	return c, nil, nil
}

// reading is one resolution. It reads each object once, so that client identifier and secret out of
// one Secret belong together, and remembers the version of each.
type reading struct {
	reader    client.Reader
	namespace string
	versions  []string
	secrets   map[stsv1alpha1.ObjectName]*corev1.Secret
}

// maxClientID is what the schema allows in spec.issuer.clientID: an identifier stands in conditions
// and in the throttle ConfigMap, which has to have room for everybody's.
const maxClientID = 256

func (r *reading) clientID(ctx context.Context, c *Credential, issuer *stsv1alpha1.IssuerSpec) (*Problem, error) {
	if issuer.ClientIDRef == nil {
		return nil, nil
	}
	value, problem, err := r.sent(ctx, c, *issuer.ClientIDRef)
	switch {
	case problem != nil || err != nil:
		return problem, err
	case len(value) > maxClientID:
		return invalid("%s is longer than %d characters. Put the client identifier there.", r.describe(*issuer.ClientIDRef), maxClientID), nil
	}
	c.ClientID = value
	return nil, nil
}

func (r *reading) clientSecret(ctx context.Context, c *Credential, issuer *stsv1alpha1.IssuerSpec) (*Problem, error) {
	if issuer.Credential == nil || issuer.Credential.ClientSecret == nil {
		return nil, nil
	}
	ref := issuer.Credential.ClientSecret.SecretRef
	value, problem, err := r.sent(ctx, c, ref)
	if problem != nil || err != nil {
		return problem, err
	}
	c.Secret = sts.Sensitive(value)
	c.Method = sts.AuthMethod(issuer.Credential.ClientSecret.Method)
	c.Description = r.describe(ref)
	return nil, nil
}

// sent reads a value that goes to the STS, and what its owner says of that.
func (r *reading) sent(ctx context.Context, c *Credential, ref stsv1alpha1.SecretKeyRef) (string, *Problem, error) {
	s, problem, err := r.secret(ctx, ref.Name)
	if problem != nil || err != nil {
		return "", problem, err
	}
	c.consents = append(c.consents, consentOf(r.describe(ref), s))
	value, problem := r.text(s, ref)
	if problem == nil {
		c.Hidden = append(c.Hidden, sts.Sensitive(value))
	}
	return value, problem, nil
}

// Redact returns the error without the hidden values.
func (c *Credential) Redact(e *oautherr.Error) *oautherr.Error {
	values := make([]string, len(c.Hidden))
	for i, value := range c.Hidden {
		values[i] = value.Reveal()
	}
	return e.Redact(values...)
}

func (r *reading) describe(ref stsv1alpha1.SecretKeyRef) string { return describe(r.namespace, ref) }

func describe(namespace string, ref stsv1alpha1.SecretKeyRef) string {
	return fmt.Sprintf("Secret %s/%s key %s", namespace, ref.Name, ref.Key)
}

// ClientName is the client of an issuer as it may be shown: the identifier that stands in the spec, or
// the Secret and key that hold it, where a wrong key would have a secret shown.
func ClientName(namespace string, issuer *stsv1alpha1.IssuerSpec) string {
	if issuer.ClientIDRef == nil {
		return issuer.ClientID
	}
	return "in " + describe(namespace, *issuer.ClientIDRef)
}

// text is a key's value, which has to be printable ASCII: RFC 6749 appendix A allows no more in a
// client identifier and a client secret. The usual offender is a line feed at the end, from echo
// where printf was meant; the STS would only say that the secret is wrong.
func (r *reading) text(s *corev1.Secret, ref stsv1alpha1.SecretKeyRef) (string, *Problem) {
	value, there := s.Data[string(ref.Key)]
	switch {
	case !there:
		return "", r.missingKey("Secret", string(ref.Name), string(ref.Key))
	case len(value) == 0:
		return "", invalid("%s is empty. Put the value there.", r.describe(ref))
	case strings.TrimRight(string(value), "\r\n") != string(value):
		return "", invalid("%s ends in a line feed, which isn't part of the value. Write it without one, as printf does and echo doesn't.", r.describe(ref))
	case !printable(value):
		return "", invalid("%s holds bytes that are no printable ASCII (RFC 6749 appendix A). Put the value there as the STS showed it.", r.describe(ref))
	}
	return string(value), nil
}

func (r *reading) transport(ctx context.Context, c *Credential, issuer *stsv1alpha1.IssuerSpec) (*Problem, error) {
	c.Transport.ProxyURL = string(issuer.ProxyURL)
	if issuer.TLS == nil {
		return nil, nil
	}
	bundle, from := issuer.TLS.CABundle, "spec.issuer.tls.caBundle"
	if ref := issuer.TLS.CABundleRef; ref != nil {
		var problem *Problem
		var err error
		bundle, problem, err = r.bundle(ctx, *ref)
		if problem != nil || err != nil {
			return problem, err
		}
		from = fmt.Sprintf("%s %s/%s key %s", ref.Kind, r.namespace, ref.Name, ref.Key)
	}
	// A pool that swallowed nothing would silently trust nobody, and one that fell back to the
	// system's roots would trust more than was asked for.
	if !x509.NewCertPool().AppendCertsFromPEM(bundle) {
		return invalid("%s holds no PEM certificate. Put the CA's certificate there, from -----BEGIN CERTIFICATE----- on.", from), nil
	}
	c.Transport.RootCAs = bundle
	return nil, nil
}

func (r *reading) bundle(ctx context.Context, ref stsv1alpha1.CABundleRef) ([]byte, *Problem, error) {
	name, key := string(ref.Name), string(ref.Key)
	if ref.Kind == stsv1alpha1.CABundleSecret {
		s, problem, err := r.secret(ctx, ref.Name)
		if problem != nil || err != nil {
			return nil, problem, err
		}
		if value, there := s.Data[key]; there {
			return value, nil, nil
		}
		return nil, r.missingKey("Secret", name, key), nil
	}
	m := &corev1.ConfigMap{}
	if problem, err := r.get(ctx, "ConfigMap", name, m); problem != nil || err != nil {
		return nil, problem, err
	}
	if value, there := m.Data[key]; there {
		return []byte(value), nil, nil
	}
	if value, there := m.BinaryData[key]; there {
		return value, nil, nil
	}
	return nil, r.missingKey("ConfigMap", name, key), nil
}

func (r *reading) secret(ctx context.Context, name stsv1alpha1.ObjectName) (*corev1.Secret, *Problem, error) {
	if s, read := r.secrets[name]; read {
		return s, nil, nil
	}
	s := &corev1.Secret{}
	if problem, err := r.get(ctx, "Secret", string(name), s); problem != nil || err != nil {
		return nil, problem, err
	}
	r.secrets[name] = s
	return s, nil, nil
}

func (r *reading) get(ctx context.Context, kind, name string, into client.Object) (*Problem, error) {
	err := r.reader.Get(ctx, types.NamespacedName{Namespace: r.namespace, Name: name}, into)
	switch {
	case apierrors.IsNotFound(err):
		return notFound("%s %s/%s doesn't exist. Create it; the request goes on by itself.", kind, r.namespace, name), nil
	case err != nil:
		return nil, fmt.Errorf("reading %s %s/%s: %w", kind, r.namespace, name, err)
	}
	r.versions = append(r.versions, fmt.Sprintf("%s/%s", into.GetUID(), into.GetResourceVersion()))
	return nil, nil
}

func (r *reading) missingKey(kind, name, key string) *Problem {
	return notFound("%s %s/%s has no key %s. Add it; the request goes on by itself.", kind, r.namespace, name, key)
}

func notFound(format string, args ...any) *Problem {
	return &Problem{Reason: stsv1alpha1.ReasonCredentialNotFound, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *Problem {
	return &Problem{Reason: stsv1alpha1.ReasonCredentialInvalid, Message: fmt.Sprintf(format, args...)}
}

func printable(value []byte) bool {
	for _, b := range value {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return true
}
