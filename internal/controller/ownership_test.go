// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

var _ = Describe("The Secret", func() {
	It("is made anew at once when somebody deletes it", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph"))
		awaitReady(now)
		s := secretOf(ctx, Default, t.namespace, "graph")
		Expect(api.Delete(ctx, s)).To(Succeed())
		Eventually(func(g Gomega) {
			again := secretOf(ctx, g, t.namespace, "graph")
			g.Expect(again.UID).NotTo(Equal(s.UID))
			g.Expect(again.Data).To(HaveKey("access_token"))
		}).Should(Succeed())
		awaitReady(now)
		Expect(t.calls()).To(HaveLen(2))
	})

	It("is repaired at once when somebody edits our keys, and other keys are theirs", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph"))
		awaitReady(now)
		s := secretOf(ctx, Default, t.namespace, "graph")
		s.Data["theirs"] = []byte("kept")
		Expect(api.Update(ctx, s)).To(Succeed())
		Consistently(t.calls, inSync).Should(HaveLen(1))
		s.Data["access_token"] = []byte("edited")
		Expect(api.Update(ctx, s)).To(Succeed())
		Eventually(func(g Gomega) {
			s := secretOf(ctx, g, t.namespace, "graph")
			g.Expect(sim.Issued()).To(ContainElement(string(s.Data["access_token"])))
			g.Expect(s.Data).To(HaveKeyWithValue("theirs", []byte("kept")))
		}).Should(Succeed())
		awaitReady(now)
		Expect(t.calls()).To(HaveLen(2))
	})

	It("gets its labels back without a call when somebody takes them away, even the one that our cache selects on", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph"))
		awaitReady(now)
		s := secretOf(ctx, Default, t.namespace, "graph")
		s.Labels = nil
		Expect(api.Update(ctx, s)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(secretOf(ctx, g, t.namespace, "graph").Labels).To(HaveKey(stsv1alpha1.LabelManaged))
		}).Should(Succeed())
		awaitReady(now)
		Expect(t.calls()).To(HaveLen(1))
	})

	It("is the record: a lost status comes back from it without a call", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph"))
		before := awaitReady(now)
		lost := before.DeepCopy()
		lost.Status = stsv1alpha1.TokenRequestStatus{ObservedGeneration: -1}
		Expect(api.Status().Update(ctx, lost)).To(Succeed())
		after := awaitReady(now)
		Expect(after.Status.Token).To(Equal(before.Status.Token))
		Expect(t.calls()).To(HaveLen(1))
	})

	It("is never touched when it is somebody else's, and no token is asked for while that lasts", func(ctx SpecContext) {
		t := newTenant(ctx)
		theirs := &corev1.Secret{ObjectMeta: t.meta("graph"), Data: map[string][]byte{"access_token": []byte("theirs")}}
		Expect(api.Create(ctx, theirs)).To(Succeed())
		now := create(ctx, t.request("graph"))
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(conditionsOf(r)).To(Equal(map[string]string{"Ready": "False/SecretConflict", "Issued": "False/SecretConflict", "Stalled": "True/SecretConflict"}))
			g.Expect(messageOf(r, "Ready")).To(ContainSubstring("adoptable-by: graph"))
		}).Should(Succeed())
		Consistently(func(g Gomega) {
			s := secretOf(ctx, g, t.namespace, "graph")
			g.Expect(s.ResourceVersion).To(Equal(theirs.ResourceVersion))
			// The first write is what found the stranger; nobody asks a second time for nothing.
			g.Expect(len(t.calls())).To(BeNumerically("<=", 1))
		}, inSync).Should(Succeed())
		Expect(api.Delete(ctx, theirs)).To(Succeed())
		awaitReady(now)
	})

	It("takes our keys when its maker consents, and stays its maker's", func(ctx SpecContext) {
		t := newTenant(ctx)
		theirs := &corev1.Secret{ObjectMeta: t.meta("graph"), Type: "example.com/theirs", Data: map[string][]byte{"other": []byte("theirs")}}
		Expect(api.Create(ctx, theirs)).To(Succeed())
		now := create(ctx, t.request("graph"))
		Eventually(func(g Gomega) { g.Expect(reasonOf(now(g), "Ready")).To(Equal("False/SecretConflict")) }).Should(Succeed())
		theirs.Annotations = map[string]string{stsv1alpha1.AnnotationAdoptableBy: "graph"}
		Expect(api.Update(ctx, theirs)).To(Succeed())
		awaitReady(now)
		s := secretOf(ctx, Default, t.namespace, "graph")
		Expect(s.Data).To(And(HaveKeyWithValue("other", []byte("theirs")), HaveKey("access_token")))
		Expect(s.OwnerReferences).To(BeEmpty())
		Expect(s.Type).To(Equal(corev1.SecretType("example.com/theirs")))
	})

	It("of a request that was deleted and made again passes on to the new one, without an API server's help", func(ctx SpecContext) {
		t := newTenant(ctx)
		orphan := &corev1.Secret{ObjectMeta: t.meta("graph"), Data: map[string][]byte{"access_token": []byte("old")}}
		orphan.OwnerReferences = []metav1.OwnerReference{{APIVersion: "sts.tokenrequest.dev/v1alpha1", Kind: "TokenRequest",
			Name: "graph", UID: types.UID("6a8a4d6a-0000-4000-8000-000000000000"), Controller: new(true)}}
		Expect(api.Create(ctx, orphan)).To(Succeed())
		r := awaitReady(create(ctx, t.request("graph")))
		s := secretOf(ctx, Default, t.namespace, "graph")
		Expect(s.UID).To(Equal(orphan.UID))
		Expect(metav1.GetControllerOf(s).UID).To(Equal(r.UID))
		Expect(sim.Issued()).To(ContainElement(string(s.Data["access_token"])))
	})

	It("of two requests for one name stays with its holder, and the other says who has it", func(ctx SpecContext) {
		t := newTenant(ctx)
		shared := func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret = &stsv1alpha1.TokenSecret{Name: "shared"} }
		first := create(ctx, t.request("first", shared))
		awaitReady(first)
		second := create(ctx, t.request("second", shared))
		Eventually(func(g Gomega) {
			r := second(g)
			g.Expect(reasonOf(r, "Ready")).To(Equal("False/SecretConflict"))
			g.Expect(messageOf(r, "Ready")).To(ContainSubstring("TokenRequest first"))
		}).Should(Succeed())
		awaitReady(first)
		edit(ctx, t.request("first"), func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret.Name = "elsewhere" })
		awaitReady(second)
		awaitReady(first)
	})

	It("passes on at once when the elder request, which has written nothing yet, gives up its name", func(ctx SpecContext) {
		t := newTenant(ctx)
		shared := func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret = &stsv1alpha1.TokenSecret{Name: "shared"} }
		elder := create(ctx, t.request("elder", shared, func(r *stsv1alpha1.TokenRequest) { r.Spec.Suspend = true }))
		Eventually(func(g Gomega) {
			g.Expect(reasonOf(elder(g), "Ready")).To(Equal("False/Suspended"))
			// Within a second the smaller UID is the elder.
			g.Expect(time.Now()).To(BeTemporally(">=", elder(g).CreationTimestamp.Add(time.Second)))
		}).Should(Succeed())
		second, third := create(ctx, t.request("second", shared)), create(ctx, t.request("third", shared))
		for _, waiting := range []func(Gomega) *stsv1alpha1.TokenRequest{second, third} {
			Eventually(func(g Gomega) { g.Expect(messageOf(waiting(g), "Ready")).To(ContainSubstring("TokenRequest elder")) }).Should(Succeed())
		}
		Expect(api.Delete(ctx, t.request("elder"))).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect([]string{reasonOf(second(g), "Ready"), reasonOf(third(g), "Ready")}).To(ConsistOf("True/TokenValid", "False/SecretConflict"))
		}).Should(Succeed())
		edit(ctx, t.request("second"), func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret.Name = "elsewhere" })
		edit(ctx, t.request("third"), func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret.Name = "elsewhere-too" })
		awaitReady(second)
		awaitReady(third)
	})

	It("goes back to its holder when somebody deletes it, though an elder request waits for the name", func(ctx SpecContext) {
		t := newTenant(ctx)
		elder := create(ctx, t.request("elder"))
		awaitReady(elder)
		shared := func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret = &stsv1alpha1.TokenSecret{Name: "shared"} }
		holder := create(ctx, t.request("holder", shared))
		awaitReady(holder)
		edit(ctx, t.request("elder"), shared)
		Eventually(func(g Gomega) { g.Expect(reasonOf(elder(g), "Ready")).To(Equal("False/SecretConflict")) }).Should(Succeed())
		s := secretOf(ctx, Default, t.namespace, "shared")
		Expect(api.Delete(ctx, s)).To(Succeed())
		Eventually(func(g Gomega) {
			again := secretOf(ctx, g, t.namespace, "shared")
			g.Expect(again.UID).NotTo(Equal(s.UID))
			g.Expect(metav1.GetControllerOf(again).Name).To(Equal("holder"))
		}).Should(Succeed())
		Expect(reasonOf(elder(Default), "Ready")).To(Equal("False/SecretConflict"))
	})

	It("says what to do when its type can't change in place, and keeps the token", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph"))
		awaitReady(now)
		token := secretOf(ctx, Default, t.namespace, "graph").Data["access_token"]
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Secret = &stsv1alpha1.TokenSecret{Type: "example.com/token"}
			r.Spec.Scopes = []stsv1alpha1.Scope{"https://other.example/.default"}
		})
		Eventually(func(g Gomega) { g.Expect(reasonOf(now(g), "Ready")).To(Equal("False/SecretInvalid")) }).Should(Succeed())
		Expect(secretOf(ctx, Default, t.namespace, "graph").Data["access_token"]).To(Equal(token))
		Expect(t.calls()).To(HaveLen(1))
	})

	It("stays refused when the API server refuses it, in words that quote no value", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph", func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Secret = &stsv1alpha1.TokenSecret{
				Type: string(corev1.SecretTypeDockerConfigJson),
				Data: templates{corev1.DockerConfigJsonKey: "no JSON {{ .AccessToken }}"},
			}
		}))
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "Ready")).To(Equal("False/SecretInvalid"))
			g.Expect(messageOf(r, "Ready")).To(And(ContainSubstring("data[.dockerconfigjson]"), Not(ContainSubstring("no JSON"))))
		}).Should(Succeed())
	})
})
