// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

// templates are spec.secret.data.
type templates = map[string]stsv1alpha1.SecretTemplate

// shapedAs has a request ask for keys by templates.
func shapedAs(data templates) func(*stsv1alpha1.TokenRequest) {
	return func(r *stsv1alpha1.TokenRequest) {
		if r.Spec.Secret == nil {
			r.Spec.Secret = &stsv1alpha1.TokenSecret{}
		}
		r.Spec.Secret.Data = data
	}
}

var _ = Describe("The shape of a Secret", func() {
	header := templates{"authorization": "Bearer {{ .AccessToken }}"}
	alone := templates{"token": "{{ .AccessToken }}"}

	It("is that of the templates, for each new token", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph", shapedAs(header)))
		awaitReady(now)
		first := secretOf(ctx, Default, t.namespace, "graph").Data
		Expect(first).To(And(HaveLen(1), HaveKeyWithValue("authorization", HavePrefix("Bearer ey"))))
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) {
			metav1.SetMetaDataAnnotation(&r.ObjectMeta, stsv1alpha1.AnnotationRefreshRequestedAt, "now")
		})
		Eventually(func(g Gomega) {
			g.Expect(secretOf(ctx, g, t.namespace, "graph").Data).To(And(HaveLen(1), HaveKey("authorization"), Not(Equal(first))))
		}).Should(Succeed())
		Expect(t.calls()).To(HaveLen(2))
	})

	It("changes without a call where a key holds the token as it is, and the keys of before go", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph"))
		awaitReady(now)
		token := secretOf(ctx, Default, t.namespace, "graph").Data["access_token"]
		for _, step := range []struct {
			data templates
			want map[string][]byte
		}{
			{templates{"token": "{{ .AccessToken }}", "type": "{{ .TokenType }}"}, map[string][]byte{"token": token, "type": []byte("Bearer")}},
			{alone, map[string][]byte{"token": token}},
			{header, map[string][]byte{"authorization": append([]byte("Bearer "), token...)}},
		} {
			edit(ctx, t.request("graph"), shapedAs(step.data))
			Eventually(func(g Gomega) { g.Expect(secretOf(ctx, g, t.namespace, "graph").Data).To(Equal(step.want)) }).Should(Succeed())
			awaitReady(now)
		}
		Expect(t.calls()).To(HaveLen(1))
	})

	It("changes with a new token where no key holds it as it is, and stays whole until then", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph", shapedAs(header)))
		awaitReady(now)
		before := secretOf(ctx, Default, t.namespace, "graph").Data
		t.rule(2, stssim.Action{Status: http.StatusServiceUnavailable})
		edit(ctx, t.request("graph"), shapedAs(templates{"token": "Token {{ .AccessToken }}"}))
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "Ready")).To(Equal("False/ServerError"))
			g.Expect(messageOf(r, "Ready")).To(ContainSubstring("still holds the token of the spec before"))
		}).Should(Succeed())
		By("being looked at once more while a retry is waited for")
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Secret.Labels = map[string]stsv1alpha1.LabelValue{"team": "shop"}
		})
		Eventually(func(g Gomega) { g.Expect(now(g).Status.ObservedGeneration).To(BeEquivalentTo(3)) }).Should(Succeed())
		Expect(secretOf(ctx, Default, t.namespace, "graph").Data).To(Equal(before))
		awaitReady(now)
		Expect(secretOf(ctx, Default, t.namespace, "graph").Data).To(And(HaveLen(1), HaveKey("token")))
	})

	It("changes during an outage too, as labels do", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph"))
		awaitReady(now)
		token := secretOf(ctx, Default, t.namespace, "graph").Data["access_token"]
		t.rule(0, stssim.Action{Status: http.StatusServiceUnavailable})
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) {
			metav1.SetMetaDataAnnotation(&r.ObjectMeta, stsv1alpha1.AnnotationRefreshRequestedAt, "now")
		})
		Eventually(func(g Gomega) {
			g.Expect(conditionsOf(now(g))).To(Equal(map[string]string{"Ready": "True/TokenValid", "Issued": "False/ServerError"}))
		}).Should(Succeed())
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) {
			shapedAs(alone)(r)
			r.Spec.Secret.Labels = map[string]stsv1alpha1.LabelValue{"team": "shop"}
		})
		Eventually(func(g Gomega) {
			s := secretOf(ctx, g, t.namespace, "graph")
			g.Expect(s.Data).To(Equal(map[string][]byte{"token": token}))
			g.Expect(s.Labels).To(HaveKeyWithValue("team", "shop"))
			g.Expect(conditionsOf(now(g))).To(Equal(map[string]string{"Ready": "True/TokenValid", "Issued": "False/ServerError"}))
		}).Should(Succeed())
	})

	It("isn't one that can't be read: that is a condition without a call, and the token stays", func(ctx SpecContext) {
		t := newTenant(ctx)
		fresh := create(ctx, t.request("fresh", shapedAs(templates{"k": "{{ range .AccessToken }}{{ end }}"})))
		Eventually(func(g Gomega) {
			r := fresh(g)
			g.Expect(conditionsOf(r)).To(Equal(map[string]string{
				"Ready": "False/TemplateInvalid", "Issued": "False/TemplateInvalid", "Stalled": "True/TemplateInvalid"}))
			g.Expect(messageOf(r, "Ready")).To(HavePrefix("In spec.secret.data the template of key k has range, which isn't allowed"))
		}).Should(Succeed())
		Expect(t.calls()).To(BeEmpty())

		now := create(ctx, t.request("graph"))
		awaitReady(now)
		before := secretOf(ctx, Default, t.namespace, "graph").Data
		edit(ctx, t.request("graph"), shapedAs(templates{"k": "{{ .AccessToken"}))
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "Ready")).To(Equal("False/TemplateInvalid"))
			g.Expect(messageOf(r, "Ready")).To(ContainSubstring("still holds the token of the spec before"))
			g.Expect(r.Status.Token).NotTo(BeNil())
			g.Expect(eventsOf(ctx, g, r)).To(Equal([]string{"Warning/TemplateInvalid"}))
		}).Should(Succeed())
		Expect(secretOf(ctx, Default, t.namespace, "graph").Data).To(Equal(before))
		edit(ctx, t.request("graph"), shapedAs(nil))
		awaitReady(now)
		Expect(t.calls()).To(HaveLen(1))
	})

	It("refuses a token that its format has no spelling for, and another shape takes that very token", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.rule(0, stssim.Action{Status: http.StatusOK, Body: `{"access_token": "two words", "token_type": "Bearer", "expires_in": 3600}`})
		now := create(ctx, t.request("graph", shapedAs(templates{".netrc": "machine git.example.com login oauth2 password {{ netrc .AccessToken }}"})))
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "Ready")).To(Equal("False/TemplateFailed"))
			g.Expect(messageOf(r, "Ready")).To(And(ContainSubstring("the template of key .netrc can't write what netrc is given"), Not(ContainSubstring("two words"))))
		}).Should(Succeed())
		edit(ctx, t.request("graph"), shapedAs(alone))
		awaitReady(now)
		Expect(secretOf(ctx, Default, t.namespace, "graph").Data).To(Equal(map[string][]byte{"token": []byte("two words")}))
		Expect(t.calls()).To(HaveLen(1))
	})

	It("changes with name and type in one step, without a call, where a key holds the token as it is", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph"))
		awaitReady(now)
		token := secretOf(ctx, Default, t.namespace, "graph").Data["access_token"]
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Secret = &stsv1alpha1.TokenSecret{Name: "git", Type: string(corev1.SecretTypeBasicAuth),
				Data: templates{"username": "oauth2", "password": "{{ .AccessToken }}"}}
		})
		Eventually(func(g Gomega) {
			g.Expect(now(g).Status.Token).To(HaveField("SecretName", "git"))
			s := secretOf(ctx, g, t.namespace, "git")
			g.Expect(s.Type).To(Equal(corev1.SecretTypeBasicAuth))
			g.Expect(s.Data).To(Equal(map[string][]byte{"username": []byte("oauth2"), "password": token}))
			g.Expect(api.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: "graph"}, &corev1.Secret{})).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
		}).Should(Succeed())
		awaitReady(now)
		Expect(t.calls()).To(HaveLen(1))
	})

	It("waits while the request is suspended, and the token of before stays", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph"))
		awaitReady(now)
		before := secretOf(ctx, Default, t.namespace, "graph").Data
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) {
			shapedAs(alone)(r)
			r.Spec.Suspend = true
		})
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "Ready")).To(Equal("False/Suspended"))
			g.Expect(messageOf(r, "Ready")).To(ContainSubstring("still holds the token of the spec before"))
		}).Should(Succeed())
		Expect(secretOf(ctx, Default, t.namespace, "graph").Data).To(Equal(before))
		edit(ctx, t.request("graph"), func(r *stsv1alpha1.TokenRequest) { r.Spec.Suspend = false })
		awaitReady(now)
		Expect(secretOf(ctx, Default, t.namespace, "graph").Data).To(Equal(map[string][]byte{"token": before["access_token"]}))
		Expect(t.calls()).To(HaveLen(1))
	})

	It("is repaired when somebody edits it", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph", shapedAs(header)))
		awaitReady(now)
		s := secretOf(ctx, Default, t.namespace, "graph")
		s.Data["authorization"], s.Data["theirs"] = []byte("Bearer edited"), []byte("1")
		Expect(api.Update(ctx, s)).To(Succeed())
		Eventually(func(g Gomega) {
			data := secretOf(ctx, g, t.namespace, "graph").Data
			g.Expect(data).To(HaveKeyWithValue("authorization", And(HavePrefix("Bearer ey"))))
			g.Expect(data).To(HaveKeyWithValue("theirs", []byte("1")))
		}).Should(Succeed())
	})

	It("in a Secret that consents is our keys alone, whatever its type", func(ctx SpecContext) {
		t := newTenant(ctx)
		Expect(api.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "config", Annotations: map[string]string{stsv1alpha1.AnnotationAdoptableBy: "graph"}},
			Type:       "example.com/config", StringData: map[string]string{"region": "eu", "token": "of old"},
		})).To(Succeed())
		now := create(ctx, t.request("graph", func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret = &stsv1alpha1.TokenSecret{Name: "config"} }, shapedAs(alone)))
		awaitReady(now)
		token := secretOf(ctx, Default, t.namespace, "config").Data["token"]
		Expect(token).To(HavePrefix("ey"))
		edit(ctx, t.request("graph"), shapedAs(templates{"other": "{{ .AccessToken }}"}))
		Eventually(func(g Gomega) {
			g.Expect(secretOf(ctx, g, t.namespace, "config").Data).To(And(HaveKeyWithValue("region", []byte("eu")), HaveKeyWithValue("other", token)))
		}).Should(Succeed())
	})
})
