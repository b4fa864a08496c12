// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package restart_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

var _ = Describe("Killing the operator", func() {
	It("while a person signs in costs neither the code that was shown nor the refresh token that follows", func(ctx SpecContext) {
		const realm = "signing-in"
		tenant := newTenant(ctx, realm)
		Expect(sim.PutClient(stssim.Client{Tenant: realm, ID: realm, Public: true, RefreshRotation: stssim.RotationStrict,
			DeviceInterval: stssim.Duration(time.Second)})).To(Succeed())
		request := tenant.Request("chat")
		request.Spec.Issuer.Credential = nil
		request.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantDeviceCode, DeviceCode: &stsv1alpha1.DeviceCodeGrant{}}
		first := cluster.Run()
		Expect(cluster.API.Create(ctx, request)).To(Succeed())
		shown := cluster.Await(ctx, request, "InteractionRequired", "AuthorizationPending").Status.DeviceAuthorization
		first.Kill()

		Expect(sim.ApproveDevice(shown.UserCode, stssim.Person{Subject: "sub-of-adele"})).To(Succeed())
		second := cluster.Run()
		cluster.Await(ctx, request, "Ready", "TokenValid")
		Expect(sim.DeviceCodes()).To(HaveLen(1), "another code was asked for")
		before := refreshToken(ctx, request)
		second.Kill()

		third := cluster.Run()
		now := cluster.Await(ctx, request, "Ready", "TokenValid")
		now.Annotations = map[string]string{stsv1alpha1.AnnotationRefreshRequestedAt: "after the kill"}
		Expect(cluster.API.Update(ctx, now)).To(Succeed())
		Eventually(func() string { return refreshToken(ctx, request) }).ShouldNot(Equal(before))
		cluster.Await(ctx, request, "Issued", "TokenIssued")
		third.Stop()
	}, SpecTimeout(3*time.Minute))
})

func refreshToken(ctx SpecContext, request *stsv1alpha1.TokenRequest) string {
	GinkgoHelper()
	store := &corev1.Secret{}
	Expect(cluster.API.Get(ctx, client.ObjectKey{Namespace: request.Namespace, Name: request.Name + "-refresh"}, store)).To(Succeed())
	return string(store.Data["refresh_token"])
}
