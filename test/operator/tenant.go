// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"cmp"
	"context"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

// The objects of a tenant's namespace.
const (
	// CredentialSecret is the Secret that holds the tenant's client secret, under CredentialKey.
	CredentialSecret = "app"
	CredentialKey    = "client_secret"

	trustConfigMap = "sts-ca"
	trustKey       = "ca.crt"
)

// Tenant is a namespace with a client of its own at a simulated STS, hence a tenancy domain.
type Tenant struct {
	// Namespace is also the name of the STS's realm or Entra tenant, and the client's identifier.
	Namespace string
	// Secret is the client's secret; empty stands for one that names the namespace.
	Secret string
	// STS is where the client is registered.
	STS *stssim.Server
}

func (t Tenant) secret() string { return cmp.Or(t.Secret, "stssim-secret-of-"+t.Namespace) }

// Admit registers the tenant's client and makes its namespace, with what Tenant.Request refers to.
func (c *Cluster) Admit(ctx context.Context, t Tenant) {
	ginkgo.GinkgoHelper()
	gomega.Expect(t.STS.PutClient(stssim.Client{
		Tenant: t.Namespace, ID: t.Namespace, Secrets: []stssim.Secret{{Value: t.secret()}},
	})).To(gomega.Succeed())
	c.create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: t.Namespace}},
		&corev1.ConfigMap{ObjectMeta: t.meta(trustConfigMap), Data: map[string]string{trustKey: string(t.STS.CAPEM())}},
		t.Credential(),
	)
}

// Credential is the Secret that Admit makes.
func (t Tenant) Credential() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: t.meta(CredentialSecret), Data: map[string][]byte{CredentialKey: []byte(t.secret())}}
}

// Request asks for a token by way of discovery. Its one scope names the request, so that no two of a
// tenant share a call.
func (t Tenant) Request(name string) *stsv1alpha1.TokenRequest {
	return &stsv1alpha1.TokenRequest{
		ObjectMeta: t.meta(name),
		Spec: stsv1alpha1.TokenRequestSpec{
			Issuer: &stsv1alpha1.IssuerSpec{
				Authority: stsv1alpha1.HTTPSURL(t.STS.PlainIssuer(t.Namespace)),
				ClientID:  t.Namespace,
				Credential: &stsv1alpha1.Credential{ClientSecret: &stsv1alpha1.ClientSecretCredential{
					SecretRef: stsv1alpha1.SecretKeyRef{Name: CredentialSecret, Key: CredentialKey}}},
				TLS: &stsv1alpha1.IssuerTLS{CABundleRef: &stsv1alpha1.CABundleRef{
					Kind: stsv1alpha1.CABundleConfigMap, Name: trustConfigMap, Key: trustKey}},
			},
			Scopes: []stsv1alpha1.Scope{stsv1alpha1.Scope("scope-of-" + name)},
		},
	}
}

func (t Tenant) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: t.Namespace, Name: name}
}

// Await waits until a condition of a request has the reason, and returns the request as it is then.
func (c *Cluster) Await(ctx context.Context, r *stsv1alpha1.TokenRequest, condition, reason string) *stsv1alpha1.TokenRequest {
	ginkgo.GinkgoHelper()
	now := &stsv1alpha1.TokenRequest{}
	gomega.Eventually(func(g gomega.Gomega) {
		g.Expect(c.API.Get(ctx, client.ObjectKeyFromObject(r), now)).To(gomega.Succeed())
		found := meta.FindStatusCondition(now.Status.Conditions, condition)
		g.Expect(found).NotTo(gomega.BeNil())
		g.Expect(found.Reason).To(gomega.Equal(reason))
	}).WithContext(ctx).Should(gomega.Succeed())
	return now
}
