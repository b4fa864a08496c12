// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

// issuer is a TokenIssuer of the tenant, named contoso, with the issuer of the tenant's requests.
func (t tenant) issuer(change ...func(*stsv1alpha1.IssuerSpec)) *stsv1alpha1.TokenIssuer {
	spec := t.request("").Spec.Issuer
	for _, c := range change {
		c(spec)
	}
	return &stsv1alpha1.TokenIssuer{ObjectMeta: t.meta("contoso"), Spec: *spec}
}

// refersToContoso has a request use the TokenIssuer contoso of its namespace.
func refersToContoso(r *stsv1alpha1.TokenRequest) {
	r.Spec.Issuer = nil
	r.Spec.IssuerRef = &stsv1alpha1.IssuerRef{Kind: stsv1alpha1.IssuerKindTokenIssuer, Name: "contoso"}
}

// refersToCluster has a request use a ClusterTokenIssuer.
func refersToCluster(name string) func(*stsv1alpha1.TokenRequest) {
	return func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Issuer = nil
		r.Spec.IssuerRef = &stsv1alpha1.IssuerRef{Kind: stsv1alpha1.IssuerKindClusterTokenIssuer, Name: stsv1alpha1.ObjectName(name)}
	}
}

// clusterIssuer is a ClusterTokenIssuer that serves the tenant's namespace. Its credential and trust
// root are in the operator's namespace, and the tenant has none.
func (t tenant) clusterIssuer(ctx SpecContext, change ...func(*stsv1alpha1.ClusterTokenIssuerSpec)) *stsv1alpha1.ClusterTokenIssuer {
	own := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: operatorNamespace, Name: name + "-of-" + t.namespace}
	}
	Expect(api.Create(ctx, &corev1.ConfigMap{ObjectMeta: own("sts-ca"), Data: map[string]string{"ca.crt": string(sim.CAPEM())}})).To(Succeed())
	Expect(api.Create(ctx, &corev1.Secret{ObjectMeta: own("app"), Data: map[string][]byte{"client_secret": []byte(goodSecret)}})).To(Succeed())
	Expect(api.Delete(ctx, &corev1.Secret{ObjectMeta: t.meta("app")})).To(Succeed())
	label(ctx, t.namespace, t.namespace)
	i := &stsv1alpha1.ClusterTokenIssuer{ObjectMeta: metav1.ObjectMeta{Name: "shared-" + t.namespace}, Spec: stsv1alpha1.ClusterTokenIssuerSpec{
		IssuerSpec:        *t.request("").Spec.Issuer,
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": t.namespace}},
		Allow:             &stsv1alpha1.Allowance{Scopes: []stsv1alpha1.Scope{scope}},
	}}
	i.Spec.Credential.ClientSecret.SecretRef.Name = stsv1alpha1.ObjectName(own("app").Name)
	i.Spec.TLS.CABundleRef.Name = stsv1alpha1.ObjectName(own("sts-ca").Name)
	for _, c := range change {
		c(&i.Spec)
	}
	Expect(api.Create(ctx, i)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(api.Delete(ctx, i))).To(Succeed()) })
	return i
}

// label sets the label team of a namespace, by which issuers select it, or takes it away.
func label(ctx SpecContext, namespace, value string) {
	GinkgoHelper()
	ns := &corev1.Namespace{}
	Expect(api.Get(ctx, client.ObjectKey{Name: namespace}, ns)).To(Succeed())
	before := ns.DeepCopy()
	if ns.Labels["team"] = value; value == "" {
		delete(ns.Labels, "team")
	}
	Expect(api.Patch(ctx, ns, client.MergeFrom(before))).To(Succeed())
}

// change edits an issuer as `kubectl edit` would.
func change[T client.Object](ctx context.Context, object T, edit func(T)) {
	GinkgoHelper()
	Expect(api.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
	before := object.DeepCopyObject().(client.Object)
	edit(object)
	Expect(api.Patch(ctx, object, client.MergeFrom(before))).To(Succeed())
}

// verdict are all conditions of an issuer as type=status/reason, of its present generation.
func verdict(ctx context.Context, g Gomega, object interface {
	client.Object
	State() *stsv1alpha1.IssuerStatus
}) map[string]string {
	g.Expect(api.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
	g.Expect(object.State().ObservedGeneration).To(Equal(object.GetGeneration()))
	all := map[string]string{}
	for _, c := range object.State().Conditions {
		all[c.Type] = string(c.Status) + "/" + c.Reason
	}
	return all
}

var verified = map[string]string{"Ready": "True/IssuerVerified"}

func stalled(reason string) map[string]string {
	return map[string]string{"Ready": "False/" + reason, "Stalled": "True/" + reason}
}

// denied waits until the request is told that the issuer doesn't serve it, and returns it.
func denied(now func(Gomega) *stsv1alpha1.TokenRequest, want map[string]string) *stsv1alpha1.TokenRequest {
	GinkgoHelper()
	var r *stsv1alpha1.TokenRequest
	Eventually(func(g Gomega) {
		r = now(g)
		g.Expect(conditionsOf(r)).To(Equal(want))
		g.Expect(r.Status.ObservedGeneration).To(Equal(r.Generation))
	}).Should(Succeed())
	return r
}

func refusedWith(reason string) map[string]string {
	return map[string]string{"Ready": "False/" + reason, "Issued": "False/" + reason, "Stalled": "True/" + reason}
}

func keptThough(reason string) map[string]string {
	return map[string]string{"Ready": "True/TokenValid", "Issued": "False/" + reason}
}

var _ = Describe("A TokenIssuer", func() {
	It("serves the requests of its namespace, which wait for none of its conditions", func(ctx SpecContext) {
		t := newTenant(ctx)
		Expect(api.Create(ctx, t.issuer())).To(Succeed())
		first, second := create(ctx, t.request("one", refersToContoso)), create(ctx, t.request("two", refersToContoso))
		awaitReady(first)
		awaitReady(second)
		Expect(t.calls()).NotTo(BeEmpty())
		Eventually(func(g Gomega) { g.Expect(verdict(ctx, g, t.issuer())).To(Equal(verified)) }).Should(Succeed())
	})

	It("reaches its requests at once when it is changed", func(ctx SpecContext) {
		t := newTenant(ctx)
		Expect(api.Create(ctx, t.issuer())).To(Succeed())
		now := create(ctx, t.request("graph", refersToContoso))
		awaitReady(now)
		change(ctx, t.issuer(), func(i *stsv1alpha1.TokenIssuer) { i.Spec.ClientID = "nobody" })
		Eventually(func(g Gomega) {
			r := now(g)
			g.Expect(reasonOf(r, "Ready")).To(HavePrefix("False/"))
			g.Expect(messageOf(r, "Ready")).To(And(ContainSubstring("client nobody"), ContainSubstring("still holds the token of the spec before")))
		}).Should(Succeed())
		change(ctx, t.issuer(), func(i *stsv1alpha1.TokenIssuer) { i.Spec.ClientID = t.clientID })
		awaitReady(now)
	})

	It("is waited for while it is missing, without a call", func(ctx SpecContext) {
		t := newTenant(ctx)
		now := create(ctx, t.request("graph", refersToContoso))
		r := denied(now, refusedWith("IssuerNotReady"))
		Expect(messageOf(r, "Ready")).To(Equal("TokenIssuer " + t.namespace + "/contoso doesn't exist. Create it, or correct spec.issuerRef; the request goes on by itself."))
		Expect(t.calls()).To(BeEmpty())
		Expect(api.Create(ctx, t.issuer())).To(Succeed())
		awaitReady(now)
	})

	It("leaves the token and Ready when it goes, and a changed spec doesn't count as the old one", func(ctx SpecContext) {
		t := newTenant(ctx)
		Expect(api.Create(ctx, t.issuer())).To(Succeed())
		now := create(ctx, t.request("graph", refersToContoso))
		awaitReady(now)
		Expect(api.Delete(ctx, t.issuer())).To(Succeed())
		r := denied(now, keptThough("IssuerNotReady"))
		Expect(secretOf(ctx, Default, t.namespace, "graph").Data).To(HaveKey("access_token"))
		edit(ctx, r, func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Scopes = []stsv1alpha1.Scope{"https://other.example/.default"}
		})
		denied(now, refusedWith("IssuerNotReady"))
		Consistently(func(g Gomega) { g.Expect(reasonOf(now(g), "Ready")).To(Equal("False/IssuerNotReady")) }, inSync).Should(Succeed())
		Expect(t.calls()).To(HaveLen(1))
	})

	It("serves no other namespace", func(ctx SpecContext) {
		t, other := newTenant(ctx), newTenant(ctx)
		Expect(api.Create(ctx, t.issuer())).To(Succeed())
		now := create(ctx, other.request("graph", refersToContoso))
		r := denied(now, refusedWith("IssuerNotReady"))
		Expect(messageOf(r, "Ready")).To(ContainSubstring("TokenIssuer " + other.namespace + "/contoso doesn't exist"))
		Expect(t.calls()).To(BeEmpty())
	})

	It("wakes its requests, and itself, by a change of its credential", func(ctx SpecContext) {
		t := newTenant(ctx)
		Expect(api.Delete(ctx, &corev1.Secret{ObjectMeta: t.meta("app")})).To(Succeed())
		Expect(api.Create(ctx, t.issuer())).To(Succeed())
		now := create(ctx, t.request("graph", refersToContoso))
		denied(now, refusedWith("CredentialNotFound"))
		Eventually(func(g Gomega) { g.Expect(verdict(ctx, g, t.issuer())).To(Equal(stalled("CredentialNotFound"))) }).Should(Succeed())
		t.putSecret(ctx, goodSecret)
		awaitReady(now)
		Eventually(func(g Gomega) { g.Expect(verdict(ctx, g, t.issuer())).To(Equal(verified)) }).Should(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(eventsAbout(ctx, g, t.namespace, "contoso")).To(ConsistOf("Warning/CredentialNotFound", "Normal/IssuerVerified"))
		}).Should(Succeed())
		Expect(api.Delete(ctx, &corev1.Secret{ObjectMeta: t.meta("app")})).To(Succeed())
		Eventually(func(g Gomega) { g.Expect(verdict(ctx, g, t.issuer())).To(Equal(stalled("CredentialNotFound"))) }).Should(Succeed())
		awaitReady(now) // the token is good
	})

	It("without a credential serves no grant that needs one, without a call", func(ctx SpecContext) {
		t := newTenant(ctx)
		Expect(api.Create(ctx, t.issuer(func(i *stsv1alpha1.IssuerSpec) { i.Credential = nil }))).To(Succeed())
		denied(create(ctx, t.request("graph", refersToContoso)), refusedWith("CredentialRequired"))
		Eventually(func(g Gomega) { g.Expect(verdict(ctx, g, t.issuer())).To(Equal(verified)) }).Should(Succeed())
		Expect(t.calls()).To(BeEmpty())
	})

	It("without an address for device codes begins no sign-in, without a call", func(ctx SpecContext) {
		t := newTenant(ctx)
		Expect(api.Create(ctx, t.issuer())).To(Succeed())
		r := denied(create(ctx, t.request("graph", refersToContoso, func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantDeviceCode, DeviceCode: &stsv1alpha1.DeviceCodeGrant{}}
		})), refusedWith("IssuerNotReady"))
		Expect(messageOf(r, "Ready")).To(ContainSubstring("has no deviceAuthorizationEndpoint"))
		Expect(t.calls()).To(BeEmpty())
	})

	DescribeTable("says what keeps requests from using it, and asks for no token",
		func(ctx SpecContext, want map[string]string, says string, prepare func(SpecContext, tenant), change func(tenant, *stsv1alpha1.IssuerSpec)) {
			t := newTenant(ctx)
			prepare(ctx, t)
			i := t.issuer(func(i *stsv1alpha1.IssuerSpec) { change(t, i) })
			Expect(api.Create(ctx, i)).To(Succeed())
			Eventually(func(g Gomega) {
				g.Expect(verdict(ctx, g, i)).To(Equal(want))
				g.Expect(meta.FindStatusCondition(i.Status.Conditions, "Ready").Message).To(ContainSubstring(says))
			}).Should(Succeed())
			version := i.ResourceVersion
			Consistently(func(g Gomega) {
				verdict(ctx, g, i)
				g.Expect(i.ResourceVersion).To(Equal(version))
			}, inSync).Should(Succeed())
			Expect(t.calls()).To(BeEmpty())
		},
		Entry("nothing", verified, "is known", func(SpecContext, tenant) {}, func(tenant, *stsv1alpha1.IssuerSpec) {}),
		Entry("nothing, as its metadata shows", verified, "is known", func(SpecContext, tenant) {}, func(t tenant, i *stsv1alpha1.IssuerSpec) {
			i.TokenEndpoint, i.Authority = "", stsv1alpha1.HTTPSURL(sim.PlainIssuer(t.directory))
		}),
		Entry("an empty secret", stalled("CredentialInvalid"), "is empty", func(ctx SpecContext, t tenant) { t.putSecret(ctx, "") }, func(tenant, *stsv1alpha1.IssuerSpec) {}),
		Entry("a missing key", stalled("CredentialNotFound"), "has no key password", func(SpecContext, tenant) {}, func(_ tenant, i *stsv1alpha1.IssuerSpec) {
			i.Credential.ClientSecret.SecretRef.Key = "password"
		}),
		Entry("a secret whose owner sends it elsewhere", stalled("CredentialNotAllowed"), "may not be sent to", func(ctx SpecContext, t tenant) {
			s := secretOf(ctx, Default, t.namespace, "app")
			s.Annotations = map[string]string{stsv1alpha1.AnnotationAllowedHosts: "login.microsoftonline.com"}
			Expect(api.Update(ctx, s)).To(Succeed())
		}, func(tenant, *stsv1alpha1.IssuerSpec) {}),
		Entry("an address that may not be called", stalled("EndpointRefused"), "TokenIssuer ", func(SpecContext, tenant) {}, func(_ tenant, i *stsv1alpha1.IssuerSpec) {
			i.TokenEndpoint = "https://169.254.169.254/token"
		}),
		Entry("an address for device codes that may not be called", stalled("EndpointRefused"), "TokenIssuer ", func(SpecContext, tenant) {}, func(_ tenant, i *stsv1alpha1.IssuerSpec) {
			i.DeviceAuthorizationEndpoint = "https://169.254.169.254/device"
		}),
		Entry("an authority where nobody answers", map[string]string{"Ready": "False/ConnectionFailed", "Reconciling": "True/RetryScheduled"}, "127.0.0.1:1",
			func(SpecContext, tenant) {}, func(_ tenant, i *stsv1alpha1.IssuerSpec) {
				i.TokenEndpoint, i.Authority = "", "https://127.0.0.1:1/realm"
			}),
		Entry("an authority without metadata", map[string]string{"Ready": "False/ServerError", "Reconciling": "True/RetryScheduled"}, "",
			func(_ SpecContext, t tenant) {
				Expect(sim.AddRules(stssim.Rule{Name: "dead-" + t.namespace, Action: stssim.Action{Status: 503},
					Match: stssim.Match{Kind: stssim.KindDiscovery, Tenant: t.directory}})).To(Succeed())
				DeferCleanup(func() { sim.ClearRule("dead-" + t.namespace) })
			}, func(t tenant, i *stsv1alpha1.IssuerSpec) {
				i.TokenEndpoint, i.Authority = "", stsv1alpha1.HTTPSURL(sim.PlainIssuer(t.directory))
			}),
	)
})

var _ = Describe("A ClusterTokenIssuer", func() {
	It("serves the namespaces that it selects with a credential that they can't see", func(ctx SpecContext) {
		t := newTenant(ctx)
		i := t.clusterIssuer(ctx)
		r := awaitReady(create(ctx, t.request("graph", refersToCluster(i.Name))))
		Expect(t.calls()).To(HaveLen(1))
		Expect(messageOf(r, "Issued")).To(ContainSubstring(t.clientID))
		Eventually(func(g Gomega) { g.Expect(verdict(ctx, g, i)).To(Equal(verified)) }).Should(Succeed())
	})

	It("serves a namespace no longer that lost its label, and again once it has it", func(ctx SpecContext) {
		t := newTenant(ctx)
		i := t.clusterIssuer(ctx)
		now := create(ctx, t.request("graph", refersToCluster(i.Name)))
		awaitReady(now)
		label(ctx, t.namespace, "")
		r := denied(now, keptThough("IssuerNotAllowed"))
		Expect(messageOf(r, "Issued")).To(ContainSubstring("ClusterTokenIssuer " + i.Name + " doesn't serve namespace " + t.namespace))
		late := create(ctx, t.request("late", refersToCluster(i.Name)))
		denied(late, refusedWith("IssuerNotAllowed"))
		Expect(t.calls()).To(HaveLen(1))
		label(ctx, t.namespace, t.namespace)
		awaitReady(now)
		awaitReady(late)
	})

	It("wakes its requests when what it allows changes, and when its credential does", func(ctx SpecContext) {
		t := newTenant(ctx)
		i := t.clusterIssuer(ctx)
		now := create(ctx, t.request("graph", refersToCluster(i.Name)))
		awaitReady(now)
		change(ctx, i, func(i *stsv1alpha1.ClusterTokenIssuer) { i.Spec.Allow.Scopes = []stsv1alpha1.Scope{"another"} })
		denied(now, keptThough("IssuerNotAllowed"))
		change(ctx, i, func(i *stsv1alpha1.ClusterTokenIssuer) { i.Spec.Allow.Scopes = []stsv1alpha1.Scope{scope} })
		awaitReady(now)

		key := client.ObjectKey{Namespace: operatorNamespace, Name: "app-of-" + t.namespace}
		s := secretOf(ctx, Default, key.Namespace, key.Name)
		Expect(api.Delete(ctx, s)).To(Succeed())
		Eventually(func(g Gomega) { g.Expect(verdict(ctx, g, i)).To(Equal(stalled("CredentialNotFound"))) }).Should(Succeed())
		late := create(ctx, t.request("late", refersToCluster(i.Name)))
		denied(late, refusedWith("CredentialNotFound"))
		Expect(api.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}, Data: s.Data})).To(Succeed())
		awaitReady(late)
		Eventually(func(g Gomega) { g.Expect(verdict(ctx, g, i)).To(Equal(verified)) }).Should(Succeed())
	})

	It("never reads a Secret of the request's namespace", func(ctx SpecContext) {
		t := newTenant(ctx)
		i := t.clusterIssuer(ctx, func(s *stsv1alpha1.ClusterTokenIssuerSpec) { s.Credential.ClientSecret.SecretRef.Name = "app" })
		t.putSecret(ctx, goodSecret)
		r := denied(create(ctx, t.request("graph", refersToCluster(i.Name))), refusedWith("CredentialNotFound"))
		Expect(messageOf(r, "Ready")).To(ContainSubstring("Secret " + operatorNamespace + "/app doesn't exist"))
		Expect(t.calls()).To(BeEmpty())
	})

	It("serves nobody while its selector can't be read", func(ctx SpecContext) {
		t := newTenant(ctx)
		i := t.clusterIssuer(ctx, func(s *stsv1alpha1.ClusterTokenIssuerSpec) {
			s.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "not a value"}}
		})
		denied(create(ctx, t.request("graph", refersToCluster(i.Name))), refusedWith("IssuerNotReady"))
		Eventually(func(g Gomega) { g.Expect(verdict(ctx, g, i)).To(Equal(stalled("SelectorInvalid"))) }).Should(Succeed())
		Expect(t.calls()).To(BeEmpty())
	})

	It("is waited for while it is missing", func(ctx SpecContext) {
		t := newTenant(ctx)
		r := denied(create(ctx, t.request("graph", refersToCluster("nowhere"))), refusedWith("IssuerNotReady"))
		Expect(messageOf(r, "Ready")).To(ContainSubstring("ClusterTokenIssuer nowhere doesn't exist"))
	})

	DescribeTable("makes no call for what it doesn't allow", func(ctx SpecContext, says string, change func(*stsv1alpha1.TokenRequestSpec)) {
		t := newTenant(ctx)
		i := t.clusterIssuer(ctx)
		ask := func(r *stsv1alpha1.TokenRequest) { change(&r.Spec) }
		r := denied(create(ctx, t.request("graph", refersToCluster(i.Name), ask)), refusedWith("IssuerNotAllowed"))
		Expect(messageOf(r, "Ready")).To(And(HavePrefix("ClusterTokenIssuer "+i.Name+" doesn't allow "), ContainSubstring(says)))
		Consistently(t.calls, inSync/3).Should(BeEmpty())
	},
		Entry("a scope", "spec.allow.scopes", func(s *stsv1alpha1.TokenRequestSpec) { s.Scopes = append(s.Scopes, "more") }),
		Entry("no scope", "spec.allow.defaultScopes", func(s *stsv1alpha1.TokenRequestSpec) { s.Scopes = nil }),
		Entry("a resource", "spec.allow.resources", func(s *stsv1alpha1.TokenRequestSpec) { s.Resources = []stsv1alpha1.Resource{"https://more.example"} }),
		Entry("a parameter", "spec.allow.parameters", func(s *stsv1alpha1.TokenRequestSpec) {
			s.Parameters = map[string]stsv1alpha1.ParameterValue{"audience": "more"}
		}),
		Entry("claims", "spec.allow.claims", func(s *stsv1alpha1.TokenRequestSpec) { s.Claims = `{"access_token":{"acrs":{"value":"c1"}}}` }),
		Entry("on behalf of", "OnBehalfOf", func(s *stsv1alpha1.TokenRequestSpec) {
			s.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantOnBehalfOf, OnBehalfOf: &stsv1alpha1.AssertionGrant{Assertion: source()}}
		}),
		Entry("an assertion", "JWTBearer", func(s *stsv1alpha1.TokenRequestSpec) {
			s.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantJWTBearer, JWTBearer: &stsv1alpha1.AssertionGrant{Assertion: source()}}
		}),
		Entry("a token exchange", "TokenExchange", func(s *stsv1alpha1.TokenRequestSpec) {
			s.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantTokenExchange, TokenExchange: &stsv1alpha1.TokenExchangeGrant{
				SubjectToken: source(), SubjectTokenType: "urn:ietf:params:oauth:token-type:jwt", Audiences: []string{"more"}}}
		}),
		Entry("a refresh token", "RefreshToken", func(s *stsv1alpha1.TokenRequestSpec) {
			s.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantRefreshToken, RefreshToken: &stsv1alpha1.RefreshTokenGrant{
				TokenRef: stsv1alpha1.SecretKeyRef{Name: "seed", Key: "refresh_token"}}}
		}),
		Entry("a device code", "DeviceCode", func(s *stsv1alpha1.TokenRequestSpec) {
			s.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantDeviceCode, DeviceCode: &stsv1alpha1.DeviceCodeGrant{}}
		}),
	)
})

// source is a token out of a Secret of the request's namespace.
func source() stsv1alpha1.TokenSource {
	return stsv1alpha1.TokenSource{SecretRef: &stsv1alpha1.SecretKeyRef{Name: "assertion", Key: "token"}}
}

// eventsAbout are the events of a namespace about objects of a name, as type/reason.
func eventsAbout(ctx context.Context, g Gomega, namespace, name string) []string {
	list := &corev1.EventList{}
	g.Expect(api.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
	var reasons []string
	for _, e := range list.Items {
		if e.InvolvedObject.Name == name {
			reasons = append(reasons, e.Type+"/"+e.Reason)
		}
	}
	return reasons
}
