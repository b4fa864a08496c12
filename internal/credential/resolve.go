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
	"tokenrequest.dev/operator/internal/sts"
)

// Credential is a client's identity at an STS, ready for use. Its secret redacts itself.
type Credential struct {
	// ClientID is the client identifier.
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
	// AllowedHosts are the hosts that the credential may be sent to; nil when its owner didn't say.
	AllowedHosts []string
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
	// RequireAllowedHosts refuses a credential Secret whose owner didn't say where it may go.
	RequireAllowedHosts bool
}

// Resolve reads the credential of an issuer whose references are local to the namespace. At most
// one of the results is set; the error is the Kubernetes API's alone.
func (r Resolver) Resolve(ctx context.Context, namespace string, issuer *stsv1alpha1.IssuerSpec) (*Credential, *Problem, error) {
	read := &reading{reader: r.Reader, namespace: namespace}
	c := &Credential{ClientID: issuer.ClientID}
	steps := []func(context.Context, *Credential, *stsv1alpha1.IssuerSpec) (*Problem, error){
		read.clientID, read.secret, read.transport,
	}
	for _, step := range steps {
		if problem, err := step(ctx, c, issuer); problem != nil || err != nil {
			return nil, problem, err
		}
	}
	if problem := r.consent(c, issuer); problem != nil {
		return nil, problem, nil
	}
	c.Identity = strings.Join(read.versions, ",")
	return c, nil, nil
}

func (r Resolver) consent(c *Credential, issuer *stsv1alpha1.IssuerSpec) *Problem {
	if !r.RequireAllowedHosts || c.AllowedHosts != nil || issuer.Credential == nil {
		return nil
	}
	return &Problem{Reason: stsv1alpha1.ReasonCredentialNotAllowed, Message: fmt.Sprintf(
		"%s doesn't say where it may be sent, and this operator requires it. Annotate that Secret with %s and the STS's host.",
		c.Description, stsv1alpha1.AnnotationAllowedHosts)}
}

// Permits says why the credential may not be sent to a host, or nil when it may.
func (c *Credential) Permits(host string) *Problem {
	if c.AllowedHosts == nil {
		return nil
	}
	for _, allowed := range c.AllowedHosts {
		if strings.EqualFold(allowed, host) {
			return nil
		}
	}
	return &Problem{Reason: stsv1alpha1.ReasonCredentialNotAllowed, Message: fmt.Sprintf(
		"%s may not be sent to %s. Add that host to its annotation %s if its owner agrees.",
		c.Description, host, stsv1alpha1.AnnotationAllowedHosts)}
}

// reading is one resolution: it remembers the version of each object that it read.
type reading struct {
	reader    client.Reader
	namespace string
	versions  []string
}

func (r *reading) clientID(ctx context.Context, c *Credential, issuer *stsv1alpha1.IssuerSpec) (*Problem, error) {
	if issuer.ClientIDRef == nil {
		return nil, nil
	}
	value, _, problem, err := r.secretKey(ctx, *issuer.ClientIDRef)
	if problem != nil || err != nil {
		return problem, err
	}
	c.ClientID = value
	return nil, nil
}

func (r *reading) secret(ctx context.Context, c *Credential, issuer *stsv1alpha1.IssuerSpec) (*Problem, error) {
	if issuer.Credential == nil || issuer.Credential.ClientSecret == nil {
		return nil, nil
	}
	ref := issuer.Credential.ClientSecret.SecretRef
	value, from, problem, err := r.secretKey(ctx, ref)
	if problem != nil || err != nil {
		return problem, err
	}
	c.Secret = sts.Sensitive(value)
	c.Method = sts.AuthMethod(issuer.Credential.ClientSecret.Method)
	c.Description = r.describe(ref)
	if hosts, said := from.Annotations[stsv1alpha1.AnnotationAllowedHosts]; said {
		c.AllowedHosts = splitList(hosts)
	}
	return nil, nil
}

func (r *reading) describe(ref stsv1alpha1.SecretKeyRef) string {
	return fmt.Sprintf("Secret %s/%s key %s", r.namespace, ref.Name, ref.Key)
}

// secretKey reads a key that holds printable ASCII, which is all that RFC 6749 appendix A allows
// in a client identifier and a client secret. The usual offender is a line feed at the end, from
// echo where printf was meant; the STS would only say that the secret is wrong.
func (r *reading) secretKey(ctx context.Context, ref stsv1alpha1.SecretKeyRef) (string, *corev1.Secret, *Problem, error) {
	s := &corev1.Secret{}
	if problem, err := r.get(ctx, "Secret", string(ref.Name), s); problem != nil || err != nil {
		return "", nil, problem, err
	}
	value, there := s.Data[string(ref.Key)]
	switch {
	case !there:
		return "", nil, r.missingKey("Secret", string(ref.Name), string(ref.Key)), nil
	case len(value) == 0:
		return "", nil, invalid("%s is empty. Put the value there.", r.describe(ref)), nil
	case strings.TrimRight(string(value), "\r\n") != string(value):
		return "", nil, invalid("%s ends in a line feed, which isn't part of the value. Write it without one, as printf does and echo doesn't.", r.describe(ref)), nil
	case !printable(value):
		return "", nil, invalid("%s holds bytes that are no printable ASCII (RFC 6749 appendix A). Put the value there as the STS showed it.", r.describe(ref)), nil
	}
	return string(value), s, nil, nil
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
		s := &corev1.Secret{}
		if problem, err := r.get(ctx, "Secret", name, s); problem != nil || err != nil {
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

// splitList reads a list in an annotation. An empty annotation allows nothing, unlike none at all.
func splitList(s string) []string {
	list := []string{}
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}
