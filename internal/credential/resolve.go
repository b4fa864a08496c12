// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package credential turns a reference in the API into a credential and its identity.
//
// Secrets, ConfigMaps and ServiceAccounts are read when a token is due, straight from the API
// server, and never kept: the operator's memory doesn't grow with other people's Secrets. Every
// reference is local to a namespace that the caller names. Resolving asks nobody for a token; a
// service account's is minted just before the call that needs it.
package credential

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

// Resolver reads what issuers and grants refer to.
type Resolver struct {
	// Reader reads from the API server itself, not from a cache: what it reads is as new as the
	// event that asked for it.
	Reader client.Reader
	// Now tells which certificates and assertions have expired. It must be set.
	Now func() time.Time
	// Bundles remembers which CA bundles can be used; nil has each looked at anew.
	Bundles *Bundles
	// RequireAllowedHosts refuses a Secret whose owner didn't say where its content may go.
	RequireAllowedHosts bool
}

// Resolve reads the credential of an issuer, and what a grant trades; a nil grant is that of client
// credentials, which trades nothing. One of the three results is set; the error is the Kubernetes
// API's alone.
func (r Resolver) Resolve(ctx context.Context, site Site, issuer *stsv1alpha1.IssuerSpec, grant *stsv1alpha1.Grant) (*Credential, *Problem, error) {
	read := &reading{
		reader:   r.Reader,
		now:      r.Now,
		bundles:  r.Bundles,
		secrets:  map[types.NamespacedName]*corev1.Secret{},
		accounts: map[types.NamespacedName]*corev1.ServiceAccount{},
	}
	c := &Credential{ClientID: issuer.ClientID}
	issuers, requests := place{read, site.IssuerNamespace}, place{read, site.Namespace}
	for _, step := range []func() (*Problem, error){
		func() (*Problem, error) { return issuers.clientID(ctx, c, issuer) },
		func() (*Problem, error) { return issuers.proof(ctx, c, issuer.Credential, site.Issuer+".credential") },
		func() (*Problem, error) { return issuers.transport(ctx, c, issuer, site.Issuer+".tls.caBundle") },
		func() (*Problem, error) { return requests.trade(ctx, c, grant) },
	} {
		if problem, err := step(); problem != nil || err != nil {
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
	reader   client.Reader
	now      func() time.Time
	bundles  *Bundles
	versions []string
	secrets  map[types.NamespacedName]*corev1.Secret
	accounts map[types.NamespacedName]*corev1.ServiceAccount
}

// place is a namespace in which references are looked up.
type place struct {
	*reading

	namespace string
}

// maxClientID is what the schema allows in spec.issuer.clientID: an identifier stands in conditions
// and in the throttle ConfigMap, which has to have room for everybody's.
const maxClientID = 256

func (p place) clientID(ctx context.Context, c *Credential, issuer *stsv1alpha1.IssuerSpec) (*Problem, error) {
	if issuer.ClientIDRef == nil {
		return nil, nil
	}
	value, problem, err := p.consented(ctx, c, *issuer.ClientIDRef)
	switch {
	case problem != nil || err != nil:
		return problem, err
	case len(value) > maxClientID:
		return invalid("%s is longer than %d characters. Put the client identifier there.", p.describe(*issuer.ClientIDRef), maxClientID), nil
	}
	c.ClientID = value
	c.Hidden = append(c.Hidden, unsaid(value, issuer)...)
	return nil, nil
}

// unsaid is what a client identifier has beyond the issuer's own addresses: the runs that would give it
// away and that don't stand there. What does, such as a realm of the client's name, stands in the STS's
// metadata and on its pages too, and would count as quoting a secret. A client secret is never taken apart.
func unsaid(value string, issuer *stsv1alpha1.IssuerSpec) []sts.Sensitive {
	said := fmt.Sprintln(issuer.Authority, issuer.TokenEndpoint, issuer.DeviceAuthorizationEndpoint)
	size := min(oautherr.Fragment, len(value))
	var hidden []sts.Sensitive
	end := 0 // of the last of them
	for i := 0; i+size <= len(value); i++ {
		run := value[i : i+size]
		switch last := len(hidden) - 1; {
		case strings.Contains(said, run):
			continue
		case last >= 0 && end == i+size-1:
			hidden[last] += sts.Sensitive(run[size-1:])
		default:
			hidden = append(hidden, sts.Sensitive(run))
		}
		end = i + size
	}
	return hidden
}

// proof reads what the client proves itself with. The field names it in the spec.
func (p place) proof(ctx context.Context, c *Credential, held *stsv1alpha1.Credential, field string) (*Problem, error) {
	switch {
	case held == nil:
		return nil, nil
	case held.ClientSecret != nil:
		return p.clientSecret(ctx, c, held.ClientSecret)
	case held.PrivateKeyJWT != nil:
		return p.privateKeyJWT(ctx, c, held.PrivateKeyJWT, field+".privateKeyJWT")
	case held.TLSClientAuth != nil:
		return p.tlsClientAuth(ctx, c, held.TLSClientAuth)
	case held.Federated != nil:
		return p.federated(ctx, c, held.Federated, field+".federated.audience")
	}
	return nil, nil
}

func (p place) clientSecret(ctx context.Context, c *Credential, held *stsv1alpha1.ClientSecretCredential) (*Problem, error) {
	value, problem, err := p.sent(ctx, c, held.SecretRef)
	if problem != nil || err != nil {
		return problem, err
	}
	c.Secret = sts.Sensitive(value)
	c.Method = sts.AuthMethod(held.Method)
	c.Description = p.describe(held.SecretRef)
	return nil, nil
}

// sent reads a value that goes to the STS and is shown nowhere.
func (p place) sent(ctx context.Context, c *Credential, ref stsv1alpha1.SecretKeyRef) (string, *Problem, error) {
	value, problem, err := p.consented(ctx, c, ref)
	if problem == nil && err == nil {
		c.Hidden = append(c.Hidden, sts.Sensitive(value))
	}
	return value, problem, err
}

// consented reads a value that goes to the STS, and what its owner says of that.
func (p place) consented(ctx context.Context, c *Credential, ref stsv1alpha1.SecretKeyRef) (string, *Problem, error) {
	s, problem, err := p.secret(ctx, ref.Name)
	if problem != nil || err != nil {
		return "", problem, err
	}
	c.consents = append(c.consents, consentOf(p.describe(ref), sentTo, s))
	value, problem := p.text(s, ref)
	return value, problem, nil
}

func (p place) describe(ref stsv1alpha1.SecretKeyRef) string { return describe(p.namespace, ref) }

// text is a key's value, which has to be printable ASCII: RFC 6749 appendix A allows no more in a
// client identifier, a client secret and a token. The usual offender is a line feed at the end, from
// echo where printf was meant; the STS would only say that the secret is wrong.
func (p place) text(s *corev1.Secret, ref stsv1alpha1.SecretKeyRef) (string, *Problem) {
	value, there := s.Data[string(ref.Key)]
	switch {
	case !there:
		return "", p.missingKey("Secret", string(ref.Name), string(ref.Key))
	case len(value) == 0:
		return "", invalid("%s is empty. Put the value there.", p.describe(ref))
	case strings.TrimRight(string(value), "\r\n") != string(value):
		return "", invalid("%s ends in a line feed, which isn't part of the value. Write it without one, as printf does and echo doesn't.", p.describe(ref))
	case !printable(value):
		return "", invalid("%s holds bytes that are no printable ASCII (RFC 6749 appendix A). Put the value there as the STS showed it.", p.describe(ref))
	}
	return string(value), nil
}

// transport reads how the STS is reached. The field names a trust root that stands in the spec.
func (p place) transport(ctx context.Context, c *Credential, issuer *stsv1alpha1.IssuerSpec, field string) (*Problem, error) {
	c.Transport.ProxyURL = string(issuer.ProxyURL)
	if issuer.TLS == nil {
		return nil, nil
	}
	bundle, from := issuer.TLS.CABundle, field
	if ref := issuer.TLS.CABundleRef; ref != nil {
		var problem *Problem
		var err error
		bundle, problem, err = p.bundle(ctx, *ref)
		if problem != nil || err != nil {
			return problem, err
		}
		from = fmt.Sprintf("%s %s/%s key %s", ref.Kind, p.namespace, ref.Name, ref.Key)
	}
	// A pool that swallowed nothing would silently trust nobody, and one that fell back to the
	// system's roots would trust more than was asked for.
	if !p.bundles.hold(bundle) {
		return invalid("%s holds no PEM certificate. Put the CA's certificate there, from -----BEGIN CERTIFICATE----- on.", from), nil
	}
	c.Transport.RootCAs = bundle
	return nil, nil
}

func (p place) bundle(ctx context.Context, ref stsv1alpha1.CABundleRef) ([]byte, *Problem, error) {
	name, key := string(ref.Name), string(ref.Key)
	if ref.Kind == stsv1alpha1.CABundleSecret {
		s, problem, err := p.secret(ctx, ref.Name)
		if problem != nil || err != nil {
			return nil, problem, err
		}
		if value, there := s.Data[key]; there {
			return value, nil, nil
		}
		return nil, p.missingKey("Secret", name, key), nil
	}
	m := &corev1.ConfigMap{}
	if problem, err := p.get(ctx, "ConfigMap", p.key(ref.Name), m); problem != nil || err != nil {
		return nil, problem, err
	}
	p.versions = append(p.versions, version(m))
	if value, there := m.Data[key]; there {
		return []byte(value), nil, nil
	}
	if value, there := m.BinaryData[key]; there {
		return value, nil, nil
	}
	return nil, p.missingKey("ConfigMap", name, key), nil
}

func (p place) secret(ctx context.Context, name stsv1alpha1.ObjectName) (*corev1.Secret, *Problem, error) {
	key := p.key(name)
	if s, read := p.secrets[key]; read {
		return s, nil, nil
	}
	s := &corev1.Secret{}
	if problem, err := p.get(ctx, "Secret", key, s); problem != nil || err != nil {
		return nil, problem, err
	}
	p.secrets[key] = s
	p.versions = append(p.versions, version(s))
	return s, nil, nil
}

func (p place) key(name stsv1alpha1.ObjectName) types.NamespacedName {
	return types.NamespacedName{Namespace: p.namespace, Name: string(name)}
}

func (p place) missingKey(kind, name, key string) *Problem {
	return notFound("%s %s/%s has no key %s. Add it; the request goes on by itself.", kind, p.namespace, name, key)
}

func (r *reading) get(ctx context.Context, kind string, key types.NamespacedName, into client.Object) (*Problem, error) {
	err := r.reader.Get(ctx, key, into)
	switch {
	case apierrors.IsNotFound(err):
		return missing(kind, key), nil
	case err != nil:
		return nil, fmt.Errorf("reading %s %s: %w", kind, key, err)
	}
	return nil, nil
}

func missing(kind string, key types.NamespacedName) *Problem {
	return notFound("%s %s doesn't exist. Create it; the request goes on by itself.", kind, key)
}

func version(o client.Object) string { return fmt.Sprintf("%s/%s", o.GetUID(), o.GetResourceVersion()) }

func printable(value []byte) bool {
	for _, b := range value {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return true
}
