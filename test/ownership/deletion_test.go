// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package ownership_test

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
)

var _ = Describe("Deleting", func() {
	var run *operator.Run

	BeforeEach(func() {
		run = cluster.Run()
		DeferCleanup(func() {
			if run.Running() {
				run.Stop()
			}
		})
	})

	for _, propagation := range []metav1.DeletionPropagation{metav1.DeletePropagationBackground, metav1.DeletePropagationForeground} {
		It("a request takes along its token and its refresh token, and nothing makes them anew: "+string(propagation), func(ctx SpecContext) {
			tenant := newTenant(ctx, strings.ToLower(string(propagation)))
			mail := chained(tenant, "mail")
			issue(ctx, mail)
			since, calls := secrets(ctx, tenant).ResourceVersion, tokens(tenant)
			Expect(cluster.API.Delete(ctx, mail, client.PropagationPolicy(propagation))).To(Succeed())
			for _, name := range []string{"mail", "mail-refresh"} {
				awaitGone(ctx, secretOf(tenant, name))
			}
			awaitGone(ctx, mail)
			Expect(happened(ctx, tenant, since)).To(ConsistOf("DELETED mail", "DELETED mail-refresh"))
			Expect(tokens(tenant)).To(HaveLen(len(calls)))
		}, SpecTimeout(3*time.Minute))
	}

	It("a request with orphans leaves both Secrets as they are, to nobody", func(ctx SpecContext) {
		tenant := newTenant(ctx, "orphans")
		mail := chained(tenant, "mail")
		issue(ctx, mail)
		Expect(cluster.API.Delete(ctx, mail, client.PropagationPolicy(metav1.DeletePropagationOrphan))).To(Succeed())
		awaitGone(ctx, mail)
		left := secrets(ctx, tenant)
		for name, key := range map[string]string{"mail": "access_token", "mail-refresh": "refresh_token"} {
			s := secretOf(tenant, name)
			Expect(cluster.API.Get(ctx, client.ObjectKeyFromObject(s), s)).To(Succeed())
			Expect(s.OwnerReferences).To(BeEmpty())
			Expect(s.Data).To(HaveKey(key))
		}

		By("not being taken over by a namesake either, which is told what to do")
		Expect(cluster.API.Create(ctx, chained(tenant, "mail"))).To(Succeed())
		cluster.Await(ctx, mail, "Ready", "SecretConflict")
		Expect(happened(ctx, tenant, left.ResourceVersion)).To(BeEmpty())
	}, SpecTimeout(3*time.Minute))

	It("in the foreground that something else holds up leaves the request alone meanwhile", func(ctx SpecContext) {
		tenant := newTenant(ctx, "held-up")
		graph := tenant.Request("graph")
		now := issue(ctx, graph)
		blocker := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: tenant.Namespace, Name: "blocker", Finalizers: []string{"example.com/hold"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: stsv1alpha1.GroupVersion.String(), Kind: "TokenRequest", Name: now.Name, UID: now.UID, BlockOwnerDeletion: new(true)}}}}
		Expect(cluster.API.Create(ctx, blocker)).To(Succeed())
		since := secrets(ctx, tenant).ResourceVersion
		Expect(cluster.API.Delete(ctx, graph, client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
		awaitGone(ctx, secretOf(tenant, "graph"))
		Expect(cluster.API.Get(ctx, client.ObjectKeyFromObject(graph), now)).To(Succeed())
		Expect(now.Finalizers).To(Equal([]string{metav1.FinalizerDeleteDependents}))

		By("asking for nothing when somebody wants another token")
		now.Annotations = map[string]string{stsv1alpha1.AnnotationRefreshRequestedAt: "while it goes"}
		Expect(cluster.API.Update(ctx, now)).To(Succeed())
		run.SettledAfter(ctx, 1)
		Expect(cluster.API.Patch(ctx, blocker, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`)))).To(Succeed())
		awaitGone(ctx, graph)
		Expect(happened(ctx, tenant, since)).To(Equal([]string{"DELETED graph"}))
	}, SpecTimeout(3*time.Minute))

	It("a namespace ends, with no call and no error for any of its 50 requests", func(ctx SpecContext) {
		const size = 50
		tenant := newTenant(ctx, "ending")
		for i := range size {
			Expect(cluster.API.Create(ctx, tenant.Request(fmt.Sprintf("r%02d", i)))).To(Succeed())
		}
		for i := range size {
			cluster.Await(ctx, tenant.Request(fmt.Sprintf("r%02d", i)), "Ready", "TokenValid")
		}
		since, calls := secrets(ctx, tenant).ResourceVersion, tokens(tenant)
		Expect(calls).To(HaveLen(size))
		logged := len(run.Logs())
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tenant.Namespace}}
		Expect(cluster.API.Delete(ctx, namespace)).To(Succeed())
		awaitGone(ctx, namespace)
		run.SettledAfter(ctx, size)
		Expect(tokens(tenant)).To(HaveLen(size))
		Expect(happened(ctx, tenant, since)).To(HaveEach(HavePrefix("DELETED ")))
		Expect(failuresIn(run.Logs()[logged:])).To(BeEmpty())
	}, SpecTimeout(4*time.Minute))

	It("a request leaves a Secret that consented, with its keys", func(ctx SpecContext) {
		tenant := newTenant(ctx, "consenting")
		theirs := secretOf(tenant, "theirs")
		theirs.Annotations = map[string]string{stsv1alpha1.AnnotationAdoptableBy: "graph"}
		Expect(cluster.API.Create(ctx, theirs)).To(Succeed())
		graph := tenant.Request("graph")
		graph.Spec.Secret = &stsv1alpha1.TokenSecret{Name: "theirs"}
		issue(ctx, graph)
		since := secrets(ctx, tenant).ResourceVersion
		Expect(cluster.API.Delete(ctx, graph, client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
		awaitGone(ctx, graph)
		Expect(happened(ctx, tenant, since)).To(BeEmpty())
		Expect(cluster.API.Get(ctx, client.ObjectKeyFromObject(theirs), theirs)).To(Succeed())
		Expect(theirs.Data).To(HaveKey("access_token"))
	}, SpecTimeout(3*time.Minute))

	It("a request and making it again at once, as often as one likes, ends with its Secret and touches no other", func(ctx SpecContext) {
		tenant := newTenant(ctx, "again")
		bystander := tenant.Request("bystander")
		issue(ctx, bystander)
		Expect(cluster.API.Create(ctx, secretOf(tenant, "theirs"))).To(Succeed())
		issue(ctx, tenant.Request("graph"))
		since, logged := secrets(ctx, tenant).ResourceVersion, len(run.Logs())
		for range 10 {
			Expect(cluster.API.Delete(ctx, tenant.Request("graph"), client.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
			Expect(cluster.API.Create(ctx, tenant.Request("graph"))).To(Succeed())
		}
		Eventually(func(g Gomega) {
			now, s := tenant.Request("graph"), secretOf(tenant, "graph")
			g.Expect(cluster.API.Get(ctx, client.ObjectKeyFromObject(now), now)).To(Succeed())
			g.Expect(cluster.API.Get(ctx, client.ObjectKeyFromObject(s), s)).To(Succeed())
			g.Expect(metav1.GetControllerOf(s).UID).To(Equal(now.UID))
			g.Expect(s.Data).To(HaveKey("access_token"))
		}).Should(Succeed())
		cluster.Await(ctx, tenant.Request("graph"), "Ready", "TokenValid")
		Expect(happened(ctx, tenant, since)).To(HaveEach(HaveSuffix(" graph")))
		Expect(failuresIn(run.Logs()[logged:])).To(BeEmpty())
	}, SpecTimeout(3*time.Minute))

	It("the operator first and the requests then hangs nowhere", func(ctx SpecContext) {
		tenant := newTenant(ctx, "uninstalled")
		issue(ctx, tenant.Request("graph"))
		run.Stop()
		Expect(cluster.API.Delete(ctx, tenant.Request("graph"), client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
		awaitGone(ctx, secretOf(tenant, "graph"))
		awaitGone(ctx, tenant.Request("graph"))
	}, SpecTimeout(3*time.Minute))

	It("the CRD takes all requests and their Secrets along", func(ctx SpecContext) {
		tenant := newTenant(ctx, "without-crd")
		issue(ctx, tenant.Request("graph"))
		run.Stop()
		crd := &unstructured.Unstructured{}
		crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
		crd.SetName("tokenrequests.sts.tokenrequest.dev")
		Expect(cluster.API.Get(ctx, client.ObjectKeyFromObject(crd), crd)).To(Succeed())
		again := crd.DeepCopy()
		DeferCleanup(func(ctx SpecContext) {
			again.SetResourceVersion("")
			Expect(cluster.API.Create(ctx, again)).To(Succeed())
			Eventually(func() error { return cluster.API.List(ctx, &stsv1alpha1.TokenRequestList{}) }).Should(Succeed())
		})
		Expect(cluster.API.Delete(ctx, crd)).To(Succeed())
		awaitGone(ctx, crd)
		awaitGone(ctx, secretOf(tenant, "graph"))
	}, SpecTimeout(3*time.Minute))
})
