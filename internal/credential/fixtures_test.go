// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
)

const (
	secretCanary = "canary~of a client secret"
	grantCanary  = "canary~of an assertion"
	actorCanary  = "canary~of an actor token"
	namespace    = "payments"
	entra        = "api://AzureADTokenExchange"
)

// noon is when these tests happen.
var noon = time.Date(2026, time.July, 1, 12, 0, 0, 0, time.UTC)

// certificate is a self-signed one. Nothing here looks at what it says.
const certificate = `-----BEGIN CERTIFICATE-----
MIIBgjCCASegAwIBAgIUTUbA0NfiaBTnGXg4mjjoW/IvjsUwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKZXhhbXBsZSBDQTAgFw0yNjExMjIwMDM2MjBaGA8yMTI2MTAy
OTAwMzYyMFowFTETMBEGA1UEAwwKZXhhbXBsZSBDQTBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABLr9bcfXaELFZA/j703dSqOJt3O2PDPjXshG5EYCY0gNu1YufJsU
bPZZ9DuyC0ZTQ6ic6KgjOOnTlC33yCAo+syjUzBRMB0GA1UdDgQWBBRzDIcDO+J/
ZDltolGm7wXEYoWJ3jAfBgNVHSMEGDAWgBRzDIcDO+J/ZDltolGm7wXEYoWJ3jAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQC3Gw6KzQjDL7UCnVEl
r/3jzC4f6L9G6qDYH3uJyEIvowIhAIV91S9ZMkb3b4wXEYTCEuKVsugYW1kaLIy/
wZlWZZjJ
-----END CERTIFICATE-----
`

// cluster is an API server that knows its objects by kind, namespace and name, and notes what is
// read. It is a client.Reader.
type cluster struct {
	objects []client.Object
	fails   error
	read    []string
}

// Get answers as the API server does.
func (c *cluster) Get(_ context.Context, key types.NamespacedName, into client.Object, _ ...client.GetOption) error {
	c.read = append(c.read, fmt.Sprintf("%s in %s", kindOf(into)+"/"+key.Name, key.Namespace))
	if c.fails != nil {
		return c.fails
	}
	for _, o := range c.objects {
		if kindOf(o) != kindOf(into) || client.ObjectKeyFromObject(o) != key {
			continue
		}
		switch into := into.(type) {
		case *corev1.Secret:
			o.(*corev1.Secret).DeepCopyInto(into)
		case *corev1.ConfigMap:
			o.(*corev1.ConfigMap).DeepCopyInto(into)
		case *corev1.ServiceAccount:
			o.(*corev1.ServiceAccount).DeepCopyInto(into)
		}
		return nil
	}
	return apierrors.NewNotFound(schema.GroupResource{Resource: kindOf(into)}, key.Name)
}

// List refuses: a list would be of more than what was referred to.
func (*cluster) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("nothing is to be listed")
}

func kindOf(o client.Object) string {
	switch o.(type) {
	case *corev1.Secret:
		return "Secret"
	case *corev1.ConfigMap:
		return "ConfigMap"
	case *corev1.ServiceAccount:
		return "ServiceAccount"
	default:
		return fmt.Sprintf("%T", o)
	}
}

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-of-" + name), ResourceVersion: "7"}
}

// app is the Secret of the client identifier and the client secret.
func app() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: meta("app"), Data: map[string][]byte{
		"client_id": []byte("orders"), "client_secret": []byte(secretCanary),
	}}
}

func allowing(s *corev1.Secret, hosts string) *corev1.Secret {
	s.Annotations = map[string]string{stsv1alpha1.AnnotationAllowedHosts: hosts}
	return s
}

// everything is a cluster with all that the issuers of these tests refer to.
func everything() *cluster {
	return &cluster{objects: []client.Object{
		app(),
		&corev1.Secret{ObjectMeta: meta("other"), Data: map[string][]byte{"appId": []byte("invoices")}},
		&corev1.Secret{ObjectMeta: meta("ca"), Data: map[string][]byte{
			"ca.crt": []byte(certificate), "client_id": []byte("receipts"),
		}},
		&corev1.ConfigMap{ObjectMeta: meta("ca"), Data: map[string]string{"ca.crt": certificate}},
		tlsSecret(newPair(noon.Add(-time.Hour), noon.Add(time.Hour))),
		serviceAccount(entra + ", https://sts.example.com"),
		&corev1.Secret{ObjectMeta: meta("user"), Data: map[string][]byte{
			"assertion": []byte(grantCanary), "actor": []byte(actorCanary), "client_id": []byte("refunds"),
		}},
	}}
}

// tlsSecret is the Secret "pair".
func tlsSecret(p pemPair) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: meta("pair"), Type: corev1.SecretTypeTLS, Data: map[string][]byte{
		corev1.TLSCertKey: p.certificates, corev1.TLSPrivateKeyKey: p.key,
	}}
}

// serviceAccount is the ServiceAccount "graph", which consents to the audiences.
func serviceAccount(audiences string) *corev1.ServiceAccount {
	a := &corev1.ServiceAccount{ObjectMeta: meta("graph")}
	a.Annotations = map[string]string{stsv1alpha1.AnnotationAllowedAudiences: audiences}
	return a
}

// pemPair is a key and its certificate as a kubernetes.io/tls Secret holds them.
type pemPair struct{ certificates, key []byte }

// newPair is a pair on P-256 whose certificate signs itself.
func newPair(from, until time.Time) pemPair {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return pemPair{selfSigned(key, from, until), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})}
}

func selfSigned(key crypto.Signer, from, until time.Time) []byte {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// newIssuer is an issuer with a client secret. Changes are made to it in order.
func newIssuer(changes ...func(*stsv1alpha1.IssuerSpec)) *stsv1alpha1.IssuerSpec {
	i := &stsv1alpha1.IssuerSpec{Authority: "https://sts.example.com", ClientID: "orders", Credential: clientSecret("app", "client_secret")}
	for _, change := range changes {
		change(i)
	}
	return i
}

func clientSecret(name stsv1alpha1.ObjectName, key stsv1alpha1.DataKey) *stsv1alpha1.Credential {
	return &stsv1alpha1.Credential{ClientSecret: &stsv1alpha1.ClientSecretCredential{
		SecretRef: stsv1alpha1.SecretKeyRef{Name: name, Key: key},
	}}
}

func withClientIDOf(name stsv1alpha1.ObjectName, key stsv1alpha1.DataKey) func(*stsv1alpha1.IssuerSpec) {
	return func(i *stsv1alpha1.IssuerSpec) {
		i.ClientID, i.ClientIDRef = "", &stsv1alpha1.SecretKeyRef{Name: name, Key: key}
	}
}

func withCA(kind stsv1alpha1.CABundleKind) func(*stsv1alpha1.IssuerSpec) {
	return func(i *stsv1alpha1.IssuerSpec) {
		i.TLS = &stsv1alpha1.IssuerTLS{CABundleRef: &stsv1alpha1.CABundleRef{Kind: kind, Name: "ca", Key: "ca.crt"}}
	}
}

func withInlineCA(bundle string) func(*stsv1alpha1.IssuerSpec) {
	return func(i *stsv1alpha1.IssuerSpec) { i.TLS = &stsv1alpha1.IssuerTLS{CABundle: []byte(bundle)} }
}

func withProxy(url stsv1alpha1.ProxyURL) func(*stsv1alpha1.IssuerSpec) {
	return func(i *stsv1alpha1.IssuerSpec) { i.ProxyURL = url }
}

func withoutCredential(i *stsv1alpha1.IssuerSpec) { i.Credential = nil }

func withCredential(c *stsv1alpha1.Credential) func(*stsv1alpha1.IssuerSpec) {
	return func(i *stsv1alpha1.IssuerSpec) { i.Credential = c }
}

// signing is a client that signs with the Secret "pair".
func signing() *stsv1alpha1.Credential {
	return &stsv1alpha1.Credential{PrivateKeyJWT: &stsv1alpha1.PrivateKeyJWTCredential{SecretRef: stsv1alpha1.SecretRef{Name: "pair"}}}
}

// presenting is a client that presents the Secret "pair".
func presenting() *stsv1alpha1.Credential {
	return &stsv1alpha1.Credential{TLSClientAuth: &stsv1alpha1.TLSClientAuthCredential{SecretRef: stsv1alpha1.SecretRef{Name: "pair"}}}
}

// federatedFor is a client whom the ServiceAccount "graph" vouches for.
func federatedFor(audience string) *stsv1alpha1.Credential {
	return &stsv1alpha1.Credential{Federated: &stsv1alpha1.FederatedCredential{
		ServiceAccountRef: stsv1alpha1.ServiceAccountRef{Name: "graph"}, Audience: audience,
	}}
}

// resolverOf reads from a cluster at noon.
func resolverOf(c *cluster) credential.Resolver {
	return credential.Resolver{Reader: c, Now: func() time.Time { return noon }}
}

// anyones is a grant which trades nothing, and which this client may use.
func anyones(issuer *stsv1alpha1.IssuerSpec) *stsv1alpha1.Grant {
	if issuer.Credential != nil {
		return nil
	}
	return &stsv1alpha1.Grant{Type: stsv1alpha1.GrantDeviceCode, DeviceCode: &stsv1alpha1.DeviceCodeGrant{}}
}

// resolve wants a credential.
func resolve(t *testing.T, c *cluster, issuer *stsv1alpha1.IssuerSpec) *credential.Credential {
	t.Helper()
	return resolveGrant(t, c, issuer, anyones(issuer))
}

func resolveGrant(t *testing.T, c *cluster, issuer *stsv1alpha1.IssuerSpec, grant *stsv1alpha1.Grant) *credential.Credential {
	t.Helper()
	got, problem, err := resolverOf(c).Resolve(t.Context(), credential.Inline(namespace), issuer, grant)
	if problem != nil || err != nil {
		t.Fatalf("Resolve = %v, %v; want a credential", problem, err)
	}
	return got
}

// refuse wants a problem.
func refuse(t *testing.T, r credential.Resolver, issuer *stsv1alpha1.IssuerSpec) credential.Problem {
	t.Helper()
	return refuseGrant(t, r, issuer, anyones(issuer))
}

func refuseGrant(t *testing.T, r credential.Resolver, issuer *stsv1alpha1.IssuerSpec, grant *stsv1alpha1.Grant) credential.Problem {
	t.Helper()
	got, problem, err := r.Resolve(t.Context(), credential.Inline(namespace), issuer, grant)
	if got != nil || problem == nil || err != nil {
		t.Fatalf("Resolve = %v, %v, %v; want a problem alone", got, problem, err)
	}
	return *problem
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}
