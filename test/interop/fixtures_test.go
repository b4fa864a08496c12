// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/interop/authserver"
)

const (
	goodSecret = "interop-spec-secret"
	badSecret  = "interop-wrong-secret"
)

var counter atomic.Int64

// world is what one spec has to itself: a namespace, and an authorization server with one client, so
// that every call can be counted and lifespans don't disturb the neighbours.
type world struct {
	*authserver.Server
	namespace string
	client    authserver.Client
}

// newWorld starts the server, and makes a namespace with the server's CA and the client's secret.
// What the client leaves empty is filled in; one that signs has no secret.
func newWorld(ctx SpecContext, options authserver.Options, c authserver.Client) world {
	GinkgoHelper()
	c.ID = cmp.Or(c.ID, "graph")
	if c.AuthMethod != authserver.PrivateKeyJWT {
		c.Secret = cmp.Or(c.Secret, goodSecret)
	}
	if c.Scopes == nil {
		c.Scopes = []string{"read", "write"}
	}
	w := world{namespace: fmt.Sprintf("interop-%d", counter.Add(1)), client: c}
	options.Clients = []authserver.Client{c}
	w.Server = startServer(options)
	Expect(api.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})).To(Succeed())
	w.put(ctx, &corev1.ConfigMap{ObjectMeta: w.meta("sts-ca"), Data: map[string]string{"ca.crt": string(w.CAPEM())}})
	if c.Secret != "" {
		w.putSecret(ctx, c.Secret)
	}
	return w
}

// startServer starts a server that ends with the spec.
func startServer(options authserver.Options) *authserver.Server {
	GinkgoHelper()
	server, err := authserver.Start(options)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(server.Close)
	return server
}

func (w world) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.namespace, Name: name}
}

// put stores an object, new or changed.
func (w world) put(ctx SpecContext, o client.Object) {
	GinkgoHelper()
	err := api.Create(ctx, o)
	if apierrors.IsAlreadyExists(err) {
		err = api.Update(ctx, o)
	}
	Expect(err).NotTo(HaveOccurred())
}

// putSecret stores the client secret, new or changed.
func (w world) putSecret(ctx SpecContext, value string) {
	GinkgoHelper()
	w.putValue(ctx, "app", "client_secret", value)
}

// putValue stores a Secret of one key, new or changed.
func (w world) putValue(ctx SpecContext, name, key, value string) {
	GinkgoHelper()
	w.put(ctx, &corev1.Secret{ObjectMeta: w.meta(name), Data: map[string][]byte{key: []byte(value)}})
}

// host is the server as conditions name it.
func (w world) host() string { return strings.TrimPrefix(w.URL(), "https://") }

// change is an edit of a request.
type change = func(*stsv1alpha1.TokenRequest)

// request is a TokenRequest as a person would write it: the server is found by its authority, and
// says itself how clients authenticate.
func (w world) request(name string, changes ...change) *stsv1alpha1.TokenRequest {
	r := &stsv1alpha1.TokenRequest{
		ObjectMeta: w.meta(name),
		Spec: stsv1alpha1.TokenRequestSpec{
			Issuer: &stsv1alpha1.IssuerSpec{
				Authority: stsv1alpha1.HTTPSURL(w.URL()),
				ClientID:  w.client.ID,
				Credential: &stsv1alpha1.Credential{ClientSecret: &stsv1alpha1.ClientSecretCredential{
					SecretRef: stsv1alpha1.SecretKeyRef{Name: "app", Key: "client_secret"}}},
				TLS: &stsv1alpha1.IssuerTLS{CABundleRef: &stsv1alpha1.CABundleRef{Kind: stsv1alpha1.CABundleConfigMap, Name: "sts-ca", Key: "ca.crt"}},
			},
			Scopes: []stsv1alpha1.Scope{"read", "write"},
		},
	}
	for _, c := range changes {
		c(r)
	}
	return r
}

// tokenPath is where the server issues tokens, as its metadata says.
const tokenPath = "/oauth2/token"

// byTokenEndpoint has the request name the token endpoint, and no authority.
func byTokenEndpoint(r *stsv1alpha1.TokenRequest) {
	r.Spec.Issuer.TokenEndpoint = r.Spec.Issuer.Authority + tokenPath
	r.Spec.Issuer.Authority = ""
}

// by says how the client secret travels.
func by(method stsv1alpha1.ClientSecretMethod) change {
	return func(r *stsv1alpha1.TokenRequest) { r.Spec.Issuer.Credential.ClientSecret.Method = method }
}

// scopes replaces the scopes that are asked for.
func scopes(wanted ...stsv1alpha1.Scope) change {
	return func(r *stsv1alpha1.TokenRequest) { r.Spec.Scopes = wanted }
}

// create applies a request and returns a getter of its latest version.
func create(ctx SpecContext, r *stsv1alpha1.TokenRequest) func(Gomega) *stsv1alpha1.TokenRequest {
	GinkgoHelper()
	Expect(api.Create(ctx, r)).To(Succeed())
	return latest(ctx, r)
}

func latest(ctx SpecContext, r *stsv1alpha1.TokenRequest) func(Gomega) *stsv1alpha1.TokenRequest {
	key := client.ObjectKeyFromObject(r)
	return func(g Gomega) *stsv1alpha1.TokenRequest {
		now := &stsv1alpha1.TokenRequest{}
		g.Expect(api.Get(ctx, key, now)).To(Succeed())
		return now
	}
}

// edit changes a request as `kubectl edit` would.
func edit(ctx SpecContext, r *stsv1alpha1.TokenRequest, c change) {
	GinkgoHelper()
	after := r.DeepCopy()
	c(after)
	Expect(api.Patch(ctx, after, client.MergeFrom(r))).To(Succeed())
}

// ask has a request refreshed now, as `kubectl annotate` would, and waits until it was tried.
func ask(ctx SpecContext, now func(Gomega) *stsv1alpha1.TokenRequest) {
	GinkgoHelper()
	asked := strconv.FormatInt(counter.Add(1), 10)
	edit(ctx, now(Default), func(r *stsv1alpha1.TokenRequest) {
		r.Annotations = map[string]string{stsv1alpha1.AnnotationRefreshRequestedAt: asked}
	})
	Eventually(func(g Gomega) { g.Expect(now(g).Status.LastHandledRefreshAt).To(Equal(asked)) }).Should(Succeed())
}

// tokenSecret reads the Secret that a request fills.
func (w world) tokenSecret(ctx SpecContext, g Gomega, name string) *corev1.Secret {
	s := &corev1.Secret{}
	g.Expect(api.Get(ctx, types.NamespacedName{Namespace: w.namespace, Name: name}, s)).To(Succeed())
	return s
}

// conditionsOf are all conditions of a request as type=status/reason.
func conditionsOf(r *stsv1alpha1.TokenRequest) map[string]string {
	all := map[string]string{}
	for _, c := range r.Status.Conditions {
		all[c.Type] = string(c.Status) + "/" + c.Reason
	}
	return all
}

// await waits until these are all conditions of the present spec.
func await(now func(Gomega) *stsv1alpha1.TokenRequest, conditions map[string]string) *stsv1alpha1.TokenRequest {
	GinkgoHelper()
	var r *stsv1alpha1.TokenRequest
	Eventually(func(g Gomega) {
		r = now(g)
		g.Expect(conditionsOf(r)).To(Equal(conditions))
		g.Expect(r.Status.ObservedGeneration).To(Equal(r.Generation))
	}).Should(Succeed())
	return r
}

// awaitReady waits until a request is well and has nothing owed.
func awaitReady(now func(Gomega) *stsv1alpha1.TokenRequest) *stsv1alpha1.TokenRequest {
	GinkgoHelper()
	return await(now, map[string]string{"Ready": "True/TokenValid", "Issued": "True/TokenIssued"})
}

// awaitRefusal waits until a request has no token, and only a person can help.
func awaitRefusal(now func(Gomega) *stsv1alpha1.TokenRequest, reason string) *stsv1alpha1.TokenRequest {
	GinkgoHelper()
	return await(now, map[string]string{"Ready": "False/" + reason, "Issued": "False/" + reason, "Stalled": "True/" + reason})
}

func messageOf(r *stsv1alpha1.TokenRequest, kind string) string {
	GinkgoHelper()
	c := meta.FindStatusCondition(r.Status.Conditions, kind)
	Expect(c).NotTo(BeNil(), kind)
	return c.Message
}

// readySince is when Ready last turned: equal before and after means that it never did, because
// nothing here turns it twice within the second that it was set in.
func readySince(r *stsv1alpha1.TokenRequest) metav1.Time {
	GinkgoHelper()
	c := meta.FindStatusCondition(r.Status.Conditions, stsv1alpha1.ConditionReady)
	Expect(c).NotTo(BeNil())
	return c.LastTransitionTime
}

// eventsOf are the events about a request, as type/reason.
func eventsOf(ctx SpecContext, g Gomega, r *stsv1alpha1.TokenRequest) []string {
	list := &corev1.EventList{}
	g.Expect(api.List(ctx, list, client.InNamespace(r.Namespace))).To(Succeed())
	var reasons []string
	for _, e := range list.Items {
		if e.InvolvedObject.Name == r.Name {
			reasons = append(reasons, e.Type+"/"+e.Reason)
		}
	}
	return reasons
}

// inSync is long enough for an informer to have delivered what it has to deliver; it only bounds how
// long a spec watches for something that must not happen.
const inSync = 1500 * time.Millisecond
