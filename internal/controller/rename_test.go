// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

var _ = Describe("Renaming the Secret", func() {
	var t tenant

	BeforeEach(func(ctx SpecContext) { t = newTenant(ctx) })

	to := func(name stsv1alpha1.ObjectName) func(*stsv1alpha1.TokenRequest) {
		return func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret = &stsv1alpha1.TokenSecret{Name: name} }
	}
	awaitGone := func(ctx SpecContext, name string) {
		GinkgoHelper()
		Eventually(func() bool {
			return apierrors.IsNotFound(api.Get(ctx, types.NamespacedName{Namespace: t.namespace, Name: name}, &corev1.Secret{}))
		}).Should(BeTrue())
	}

	It("moves the token without a call: the new one holds it before the old one goes", func(ctx SpecContext) {
		now := create(ctx, t.request("graph"))
		awaitReady(now)
		before := secretOf(ctx, Default, t.namespace, "graph")
		watcher, err := client.NewWithWatch(cluster, client.Options{})
		Expect(err).NotTo(HaveOccurred())
		events, err := watcher.Watch(ctx, &corev1.SecretList{}, client.InNamespace(t.namespace),
			&client.ListOptions{Raw: sinceVersion(before.ResourceVersion)})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(events.Stop)

		edit(ctx, t.request("graph"), to("renamed"))
		var seen []string
		for len(seen) < 2 {
			var e watch.Event
			Eventually(events.ResultChan()).Should(Receive(&e))
			s := e.Object.(*corev1.Secret)
			seen = append(seen, string(e.Type)+" "+s.Name)
			Expect(s.Annotations[stsv1alpha1.AnnotationContent]).To(Equal(before.Annotations[stsv1alpha1.AnnotationContent]), "%s %s has another token", e.Type, s.Name)
		}
		Expect(seen).To(Equal([]string{"ADDED renamed", "DELETED graph"}))
		Expect(awaitReady(now).Status.Token.SecretName).To(Equal("renamed"))
		Expect(t.calls()).To(HaveLen(1))
	})

	It("succeeds while the STS is down, back and forth", func(ctx SpecContext) {
		now := create(ctx, t.request("graph"))
		awaitReady(now)
		content := secretOf(ctx, Default, t.namespace, "graph").Annotations[stsv1alpha1.AnnotationContent]
		t.rule(0, stssim.Action{Status: 503})
		for _, name := range []stsv1alpha1.ObjectName{"second", "graph", "second", "third", "graph"} {
			edit(ctx, t.request("graph"), to(name))
		}
		Eventually(func(g Gomega) { g.Expect(now(g).Status.Token.SecretName).To(Equal("graph")) }).Should(Succeed())
		awaitReady(now)
		Expect(secretOf(ctx, Default, t.namespace, "graph").Annotations).To(HaveKeyWithValue(stsv1alpha1.AnnotationContent, content))
		awaitGone(ctx, "second")
		awaitGone(ctx, "third")
		Expect(t.calls()).To(HaveLen(1))
	})

	It("with a changed spec keeps the old Secret until the STS has answered", func(ctx SpecContext) {
		now := create(ctx, t.request("graph"))
		awaitReady(now)
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) {
			to("renamed")(r)
			r.Spec.Scopes = []stsv1alpha1.Scope{"not-a-default-scope"}
		})
		Eventually(func(g Gomega) {
			g.Expect(messageOf(now(g), "Ready")).To(HaveSuffix("Until then Secret graph stays as it is, and its token isn't renewed."))
		}).Should(Succeed())
		Expect(secretOf(ctx, Default, t.namespace, "graph").Data).To(HaveKey("access_token"))
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) { r.Spec.Scopes = []stsv1alpha1.Scope{scope} })
		Expect(awaitReady(now).Status.Token.SecretName).To(Equal("renamed"))
		awaitGone(ctx, "graph")
	})

	It("to a stranger's name is refused, and the old one stays", func(ctx SpecContext) {
		theirs := &corev1.Secret{ObjectMeta: t.meta("theirs"), Data: map[string][]byte{"access_token": []byte("theirs")}}
		Expect(api.Create(ctx, theirs)).To(Succeed())
		now := create(ctx, t.request("graph"))
		awaitReady(now)
		mine := secretOf(ctx, Default, t.namespace, "graph")
		edit(ctx, t.request("graph"), to("theirs"))
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "Ready")).To(Equal("False/SecretConflict"))
			g.Expect(messageOf(r, "Ready")).To(And(ContainSubstring("Secret theirs belongs to somebody else."), HaveSuffix("Secret graph stays as it is, and its token isn't renewed.")))
		}).Should(Succeed())
		Expect(secretOf(ctx, Default, t.namespace, "theirs").ResourceVersion).To(Equal(theirs.ResourceVersion))
		Expect(secretOf(ctx, Default, t.namespace, "graph").ResourceVersion).To(Equal(mine.ResourceVersion))
		Expect(api.Delete(ctx, theirs)).To(Succeed())
		Expect(awaitReady(now).Status.Token.SecretName).To(Equal("theirs"))
		awaitGone(ctx, "graph")
		Expect(t.calls()).To(HaveLen(1))
	})

	It("leaves the old one alone when somebody has taken it over meanwhile", func(ctx SpecContext) {
		now := create(ctx, t.request("graph"))
		awaitReady(now)
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) { r.Spec.Suspend = true; to("renamed")(r) })
		Eventually(func(g Gomega) { g.Expect(reasonOf(now(g), "Ready")).To(Equal("False/Suspended")) }).Should(Succeed())
		taken := secretOf(ctx, Default, t.namespace, "graph")
		taken.OwnerReferences = nil
		Expect(api.Update(ctx, taken)).To(Succeed())
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) { r.Spec.Suspend = false })
		awaitReady(now)
		Consistently(func(g Gomega) {
			g.Expect(secretOf(ctx, g, t.namespace, "graph").ResourceVersion).To(Equal(taken.ResourceVersion))
		}, inSync).Should(Succeed())
	})

	It("of two requests that swap names says at both what to do, and goes on when that is done", func(ctx SpecContext) {
		first, second := create(ctx, t.request("first")), create(ctx, t.request("second"))
		awaitReady(first)
		awaitReady(second)
		edit(ctx, t.request("first"), to("second"))
		edit(ctx, t.request("second"), to("first"))
		for other, now := range map[string]func(Gomega) *stsv1alpha1.TokenRequest{"second": first, "first": second} {
			Eventually(func(g Gomega) {
				g.Expect(messageOf(now(g), "Ready")).To(ContainSubstring("have TokenRequest %s give it up: delete that, or have it name a Secret that is free.", other))
				g.Expect(reasonOf(now(g), "Stalled")).To(Equal("True/SecretConflict"))
			}).Should(Succeed())
		}
		edit(ctx, t.request("second"), to("third"))
		awaitReady(first)
		awaitReady(second)
		edit(ctx, t.request("second"), to("first"))
		awaitReady(second)
		awaitReady(first)
	})
})

// sinceVersion has a watch begin behind what is there.
func sinceVersion(version string) *metav1.ListOptions {
	return &metav1.ListOptions{ResourceVersion: version}
}
