// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// policyDelay is far longer than an API server takes to learn of a policy or its parameters.
const policyDelay = 30 * time.Second

// audiencesConfigMap lists the audiences of service-account tokens.
const audiencesConfigMap = "tokenrequest-audiences"

// Captured is a client with the operator's name and an administrator's rights: what it is refused, a
// policy refuses and no role.
func (c *Cluster) Captured() client.Client {
	ginkgo.GinkgoHelper()
	config := rest.CopyConfig(c.admin)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: account,
		Groups:   []string{"system:masters"},
	}
	captured, err := client.New(config, client.Options{Scheme: c.API.Scheme()})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return captured
}

// AllowAudience does what an administrator does so that service-account tokens for an audience may be
// made, and waits until they may.
func (c *Cluster) AllowAudience(ctx context.Context, key, audience string) {
	ginkgo.GinkgoHelper()
	list := &corev1.ConfigMap{}
	gomega.Expect(c.API.Get(ctx, client.ObjectKey{Namespace: Namespace, Name: audiencesConfigMap}, list)).To(gomega.Succeed())
	list.Data[key] = audience
	gomega.Expect(c.API.Update(ctx, list)).To(gomega.Succeed())
	captured := c.Captured()
	gomega.Eventually(func() error { return tryToken(ctx, captured, audience) }).WithContext(ctx).WithTimeout(policyDelay).Should(gomega.Succeed())
}

// awaitPolicies waits until the API server, which learns of policies by a watch, goes by all of them.
func (c *Cluster) awaitPolicies(ctx context.Context) {
	ginkgo.GinkgoHelper()
	captured := c.Captured()
	foreign := metav1.ObjectMeta{Namespace: Namespace, Name: "tried"}
	for policy, try := range map[string]func() error{
		"secrets": func() error { return captured.Create(ctx, &corev1.Secret{ObjectMeta: foreign}, client.DryRunAll) },
		"books":   func() error { return captured.Create(ctx, &corev1.ConfigMap{ObjectMeta: foreign}, client.DryRunAll) },
		"tokens":  func() error { return tryToken(ctx, captured, "nobody") },
	} {
		gomega.Eventually(try).WithContext(ctx).WithTimeout(policyDelay).Should(gomega.MatchError(gomega.ContainSubstring("tokenrequest-operator-" + policy)))
	}
	// The ConfigMap of a policy is learned of by another watch.
	gomega.Eventually(func() error { return tryToken(ctx, captured, "api://AzureADTokenExchange") }).WithContext(ctx).WithTimeout(policyDelay).Should(gomega.Succeed())
}

// tryToken says whether a token of the operator's own service account could be made for an audience.
func tryToken(ctx context.Context, captured client.Client, audience string) error {
	own := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: serviceAccount}}
	asked := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{audience}}}
	return captured.SubResource("token").Create(ctx, own, asked, client.DryRunAll)
}
