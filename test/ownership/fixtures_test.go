// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package ownership_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

func secretOf(t operator.Tenant, name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: name}}
}

// chained is a request that trades the refresh token of the tenant's Secret.
func chained(t operator.Tenant, name string) *stsv1alpha1.TokenRequest {
	r := t.Request(name)
	r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantRefreshToken, RefreshToken: &stsv1alpha1.RefreshTokenGrant{
		TokenRef: stsv1alpha1.SecretKeyRef{Name: "seed", Key: "refresh_token"}}}
	return r
}

// issue makes a request and waits for its token. One that trades a refresh token is given one.
func issue(ctx SpecContext, r *stsv1alpha1.TokenRequest) *stsv1alpha1.TokenRequest {
	GinkgoHelper()
	if r.Spec.Grant != nil {
		seed := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: "seed"},
			Data: map[string][]byte{"refresh_token": []byte(sim.SeedRefreshToken(r.Namespace, r.Namespace, "sub-of-adele"))}}
		Expect(cluster.API.Create(ctx, seed)).To(Succeed())
	}
	Expect(cluster.API.Create(ctx, r)).To(Succeed())
	return cluster.Await(ctx, r, "Ready", "TokenValid")
}

func awaitGone(ctx SpecContext, o client.Object) {
	GinkgoHelper()
	Eventually(func() bool { return apierrors.IsNotFound(cluster.API.Get(ctx, client.ObjectKeyFromObject(o), o)) }).
		Should(BeTrue(), "%T %s is still there", o, o.GetName())
}

// secrets lists a tenant's Secrets as metadata; its version is where happened begins.
func secrets(ctx SpecContext, t operator.Tenant) *metav1.PartialObjectMetadataList {
	GinkgoHelper()
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	Expect(cluster.API.List(ctx, list, client.InNamespace(t.Namespace))).To(Succeed())
	return list
}

// happened is what became of a tenant's Secrets since a version, in order, as "DELETED graph".
func happened(ctx SpecContext, t operator.Tenant, since string) []string {
	GinkgoHelper()
	mark := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, GenerateName: "mark-"}}
	Expect(cluster.API.Create(ctx, mark)).To(Succeed())
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	events, err := cluster.API.Watch(ctx, list, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: since}})
	Expect(err).NotTo(HaveOccurred())
	defer events.Stop()
	var changes []string
	for {
		var e watch.Event
		Eventually(events.ResultChan()).Should(Receive(&e))
		s, ok := e.Object.(*metav1.PartialObjectMetadata)
		Expect(ok).To(BeTrue(), "the watch says %v", e.Object)
		switch {
		case s.UID == mark.UID:
			return changes
		case s.Namespace == t.Namespace:
			changes = append(changes, string(e.Type)+" "+s.Name)
		}
	}
}

// tokens are the calls for a token that the simulator got from a tenant's client.
func tokens(t operator.Tenant) []stssim.Call {
	return sim.Calls(stssim.Filter{Kind: stssim.KindToken, ClientID: t.Namespace})
}

// failuresIn are the lines of a log that ask somebody to look into something.
func failuresIn(log string) []string {
	var lines []string
	for line := range strings.Lines(log) {
		if strings.Contains(line, `"level":"error"`) {
			lines = append(lines, line)
		}
	}
	return lines
}
