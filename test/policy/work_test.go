// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

var _ = Describe("Under the policies the operator", Ordered, func() {
	var run *operator.Run

	BeforeAll(func() { run = cluster.Run() })
	AfterAll(func() { run.Stop() })

	It("issues and rotates a token, renames its Secret and deletes the former", func(ctx SpecContext) {
		request := newTenant(ctx, "issue").Request("graph")
		Expect(cluster.API.Create(ctx, request)).To(Succeed())
		now := cluster.Await(ctx, request, "Ready", "TokenValid")
		first := shown(ctx, "issue", "graph", "access_token")

		now.Annotations = map[string]string{stsv1alpha1.AnnotationRefreshRequestedAt: "now"}
		Expect(cluster.API.Update(ctx, now)).To(Succeed())
		Eventually(shown).WithArguments(ctx, "issue", "graph", "access_token").ShouldNot(Equal(first))

		change(ctx, now, func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret = &stsv1alpha1.TokenSecret{Name: "renamed"} })
		Eventually(secretError).WithArguments(ctx, "issue", "graph").Should(MatchError(apierrors.IsNotFound, "IsNotFound"))
		Expect(shown(ctx, "issue", "renamed", "access_token")).NotTo(BeEmpty())
	}, SpecTimeout(2*time.Minute))

	It("writes into a Secret that consents, and none that doesn't", func(ctx SpecContext) {
		tenant := newTenant(ctx, "consent")
		theirs := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "consent", Name: "graph"}, Data: map[string][]byte{"theirs": []byte("kept")}}
		Expect(cluster.API.Create(ctx, theirs)).To(Succeed())
		request := tenant.Request("graph")
		Expect(cluster.API.Create(ctx, request)).To(Succeed())
		cluster.Await(ctx, request, "Ready", "SecretConflict")

		change(ctx, theirs, func(s *corev1.Secret) {
			s.Annotations = map[string]string{stsv1alpha1.AnnotationAdoptableBy: "graph"}
		})
		refreshNow(ctx, request)
		cluster.Await(ctx, request, "Ready", "TokenValid")
		Expect(cluster.API.Get(ctx, client.ObjectKeyFromObject(theirs), theirs)).To(Succeed())
		Expect(slices.Collect(maps.Keys(theirs.Data))).To(ContainElements("theirs", "access_token"))
	}, SpecTimeout(2*time.Minute))

	It("takes over the Secret of a request of the same name, even where its label is gone", func(ctx SpecContext) {
		tenant := newTenant(ctx, "successor")
		dead := tenant.Request("graph")
		Expect(cluster.API.Create(ctx, dead)).To(Succeed())
		cluster.Await(ctx, dead, "Ready", "TokenValid")
		Expect(cluster.API.Delete(ctx, dead)).To(Succeed()) // nobody collects garbage here
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "successor", Name: "graph"}}
		change(ctx, s, func(s *corev1.Secret) { s.Labels = nil })

		successor := tenant.Request("graph")
		Expect(cluster.API.Create(ctx, successor)).To(Succeed())
		cluster.Await(ctx, successor, "Ready", "TokenValid")
		Expect(cluster.API.Get(ctx, client.ObjectKeyFromObject(s), s)).To(Succeed())
		Expect(metav1.GetControllerOf(s).UID).To(Equal(successor.UID))
		Expect(s.Labels).To(HaveKeyWithValue(stsv1alpha1.LabelManaged, "true"))
	}, SpecTimeout(2*time.Minute))

	It("keeps the refresh tokens of a chain", func(ctx SpecContext) {
		tenant := newTenant(ctx, "chain")
		request := chain(ctx, tenant, "mail")
		cluster.Await(ctx, request, "Ready", "TokenValid")
		first := shown(ctx, "chain", "mail-refresh", "refresh_token")
		refreshNow(ctx, request)
		Eventually(shown).WithArguments(ctx, "chain", "mail-refresh", "refresh_token").ShouldNot(Equal(first))
	}, SpecTimeout(2*time.Minute))

	It("makes tokens of a ServiceAccount once an administrator has added the audience", func(ctx SpecContext) {
		tenant := newTenant(ctx, "accounts")
		request, audience := bearer(ctx, tenant, "reports")
		Expect(cluster.API.Create(ctx, request)).To(Succeed())
		refused := cluster.Await(ctx, request, "Ready", "CredentialNotAllowed")
		Expect(meta.FindStatusCondition(refused.Status.Conditions, "Ready").Message).To(And(
			ContainSubstring("for the audience "+audience), ContainSubstring("add it to the ConfigMap tokenrequest-audiences")))

		cluster.AllowAudience(ctx, "accounts", audience)
		refreshNow(ctx, request)
		cluster.Await(ctx, request, "Ready", "TokenValid")
	}, SpecTimeout(2*time.Minute))

	It("remembers a throttle", func(ctx SpecContext) {
		request := newTenant(ctx, "throttled").Request("graph")
		Expect(sim.SetThrottle(stssim.Throttle{ClientID: "throttled", For: stssim.Duration(5 * time.Second)})).To(Succeed())
		Expect(cluster.API.Create(ctx, request)).To(Succeed())
		cluster.Await(ctx, request, "Throttled", "Throttled")
		gates := &corev1.ConfigMap{}
		Expect(cluster.API.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: "tokenrequest-throttle"}, gates)).To(Succeed())
		Expect(gates.Data).NotTo(BeEmpty())
		cluster.Await(ctx, request, "Ready", "TokenValid")
	}, SpecTimeout(2*time.Minute))
})

func newTenant(ctx SpecContext, namespace string) operator.Tenant {
	GinkgoHelper()
	tenant := operator.Tenant{Namespace: namespace, STS: sim}
	cluster.Admit(ctx, tenant)
	return tenant
}

// bearer is a request that trades a token of a ServiceAccount, both of that name, and the audience.
func bearer(ctx SpecContext, tenant operator.Tenant, name string) (*stsv1alpha1.TokenRequest, string) {
	GinkgoHelper()
	audience := sim.PlainIssuer(tenant.Namespace)
	Expect(sim.PutClient(stssim.Client{Tenant: tenant.Namespace, ID: "public", Public: true,
		TrustedIssuers: []stssim.TrustedIssuer{cluster.TokenIssuer(ctx)}})).To(Succeed())
	Expect(cluster.API.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: tenant.Namespace, Name: name,
		Annotations: map[string]string{stsv1alpha1.AnnotationAllowedAudiences: audience}}})).To(Succeed())
	request := tenant.Request(name)
	request.Spec.Issuer.ClientID, request.Spec.Issuer.Credential = "public", nil
	request.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantJWTBearer, JWTBearer: &stsv1alpha1.AssertionGrant{
		Assertion: stsv1alpha1.TokenSource{ServiceAccount: &stsv1alpha1.ServiceAccountToken{Name: stsv1alpha1.ObjectName(name), Audience: audience}}}}
	return request, audience
}

// chain is a request that goes on by refresh tokens.
func chain(ctx SpecContext, tenant operator.Tenant, name string) *stsv1alpha1.TokenRequest {
	GinkgoHelper()
	Expect(sim.PutClient(stssim.Client{Tenant: tenant.Namespace, ID: "chained", Public: true, RefreshRotation: stssim.RotationStrict})).To(Succeed())
	Expect(cluster.API.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: tenant.Namespace, Name: name + "-seed"},
		Data: map[string][]byte{"refresh_token": []byte(sim.SeedRefreshToken(tenant.Namespace, "chained", "sub-of-adele"))}})).To(Succeed())
	request := tenant.Request(name)
	request.Spec.Issuer.ClientID, request.Spec.Issuer.Credential = "chained", nil
	request.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantRefreshToken, RefreshToken: &stsv1alpha1.RefreshTokenGrant{
		TokenRef: stsv1alpha1.SecretKeyRef{Name: stsv1alpha1.ObjectName(name + "-seed"), Key: "refresh_token"}}}
	Expect(cluster.API.Create(ctx, request)).To(Succeed())
	return request
}

// change changes an object as it is now.
func change[T client.Object](ctx SpecContext, object T, to func(T)) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(cluster.API.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
		to(object)
		g.Expect(cluster.API.Update(ctx, object)).To(Succeed())
	}).Should(Succeed())
}

func refreshNow(ctx SpecContext, request *stsv1alpha1.TokenRequest) {
	GinkgoHelper()
	change(ctx, request, func(r *stsv1alpha1.TokenRequest) {
		metav1.SetMetaDataAnnotation(&r.ObjectMeta, stsv1alpha1.AnnotationRefreshRequestedAt, time.Now().String())
	})
}

func secretError(ctx SpecContext, namespace, name string) error {
	return cluster.API.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &corev1.Secret{})
}

// shown is a digest of what a Secret holds, since a failure would show the rest.
func shown(ctx SpecContext, namespace, name, key string) string {
	GinkgoHelper()
	s := &corev1.Secret{}
	Expect(cluster.API.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, s)).To(Succeed())
	Expect(slices.Collect(maps.Keys(s.Data))).To(ContainElement(key))
	sum := sha256.Sum256(s.Data[key])
	return hex.EncodeToString(sum[:])
}
