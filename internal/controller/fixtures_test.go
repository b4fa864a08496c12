// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
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
	"tokenrequest.dev/operator/test/stssim"
)

const (
	scope      = "https://graph.example/.default"
	goodSecret = "stssim-spec-secret"
	badSecret  = "stssim-wrong-secret"
)

var counter atomic.Int64

// tenant is a world of one spec: a namespace, and a client of its own at the simulator, so that
// calls can be counted.
type tenant struct {
	namespace string
	directory string // the Entra tenant
	clientID  string
}

// newTenant makes a namespace with the simulator's CA and a client secret, and registers the client.
func newTenant(ctx SpecContext) tenant {
	n := counter.Add(1)
	t := tenant{
		namespace: fmt.Sprintf("spec-%d", n),
		directory: fmt.Sprintf("tenant-%d.example", n),
		clientID:  fmt.Sprintf("client-%d", n),
	}
	Expect(sim.PutClient(stssim.Client{Tenant: t.directory, ID: t.clientID, Secrets: []stssim.Secret{{Value: goodSecret}}})).To(Succeed())
	Expect(api.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: t.namespace}})).To(Succeed())
	Expect(api.Create(ctx, &corev1.ConfigMap{ObjectMeta: t.meta("sts-ca"), Data: map[string]string{"ca.crt": string(sim.CAPEM())}})).To(Succeed())
	t.putSecret(ctx, goodSecret)
	return t
}

func (t tenant) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: t.namespace, Name: name}
}

// putSecret stores the client secret, new or changed.
func (t tenant) putSecret(ctx SpecContext, value string) {
	s := &corev1.Secret{ObjectMeta: t.meta("app"), Data: map[string][]byte{"client_secret": []byte(value)}}
	err := api.Create(ctx, s)
	if apierrors.IsAlreadyExists(err) {
		err = api.Update(ctx, s)
	}
	Expect(err).NotTo(HaveOccurred())
}

// request is a TokenRequest of the tenant, as a person would write it.
func (t tenant) request(name string, change ...func(*stsv1alpha1.TokenRequest)) *stsv1alpha1.TokenRequest {
	r := &stsv1alpha1.TokenRequest{
		ObjectMeta: t.meta(name),
		Spec: stsv1alpha1.TokenRequestSpec{
			Issuer: &stsv1alpha1.IssuerSpec{
				TokenEndpoint: stsv1alpha1.HTTPSURL(sim.EntraAuthority(t.directory) + "/oauth2/v2.0/token"),
				ClientID:      t.clientID,
				Credential: &stsv1alpha1.Credential{ClientSecret: &stsv1alpha1.ClientSecretCredential{
					SecretRef: stsv1alpha1.SecretKeyRef{Name: "app", Key: "client_secret"}, Method: stsv1alpha1.ClientSecretPost}},
				TLS: &stsv1alpha1.IssuerTLS{CABundleRef: &stsv1alpha1.CABundleRef{Kind: stsv1alpha1.CABundleConfigMap, Name: "sts-ca", Key: "ca.crt"}},
			},
			Scopes: []stsv1alpha1.Scope{scope},
		},
	}
	for _, c := range change {
		c(r)
	}
	return r
}

// calls are the token calls that the simulator got from the tenant's client.
func (t tenant) calls() []stssim.Call {
	return sim.Calls(stssim.Filter{Kind: stssim.KindToken, ClientID: t.clientID})
}

// hold has the calls of the client wait, until what it returns is called.
func (t tenant) hold() func() {
	GinkgoHelper()
	name := fmt.Sprintf("hold-of-%s-%d", t.namespace, counter.Add(1))
	Expect(sim.AddRules(stssim.Rule{Name: name, Action: stssim.Action{Latency: stssim.Duration(15 * time.Second)},
		Match: stssim.Match{Kind: stssim.KindToken, ClientID: t.clientID}})).To(Succeed())
	release := func() { sim.ClearRule(name) }
	DeferCleanup(release)
	return release
}

// rule makes the tenant's token calls go wrong until the spec ends.
func (t tenant) rule(times int, action stssim.Action) {
	name := fmt.Sprintf("rule-of-%s-%d", t.namespace, counter.Add(1))
	Expect(sim.AddRules(stssim.Rule{Name: name, Times: times, Action: action,
		Match: stssim.Match{Kind: stssim.KindToken, ClientID: t.clientID}})).To(Succeed())
	DeferCleanup(func() { sim.ClearRule(name) })
}

// create applies a request and returns a getter of its latest version.
func create(ctx SpecContext, r *stsv1alpha1.TokenRequest) func(Gomega) *stsv1alpha1.TokenRequest {
	Expect(api.Create(ctx, r)).To(Succeed())
	return latest(ctx, r)
}

func latest(ctx SpecContext, r *stsv1alpha1.TokenRequest) func(Gomega) *stsv1alpha1.TokenRequest {
	key := client.ObjectKeyFromObject(r)
	return func(g Gomega) *stsv1alpha1.TokenRequest {
		now := &stsv1alpha1.TokenRequest{}
		g.Expect(api.Get(ctx, key, now)).To(Succeed())
		g.Expect(now).To(HaveWellFormedStatus())
		return now
	}
}

// edit changes a request as `kubectl edit` would.
func edit(ctx SpecContext, r *stsv1alpha1.TokenRequest, change func(*stsv1alpha1.TokenRequest)) {
	now := &stsv1alpha1.TokenRequest{}
	Expect(api.Get(ctx, client.ObjectKeyFromObject(r), now)).To(Succeed())
	before := now.DeepCopy()
	change(now)
	Expect(api.Patch(ctx, now, client.MergeFrom(before))).To(Succeed())
}

// secretOf reads a Secret.
func secretOf(ctx SpecContext, g Gomega, namespace, name string) *corev1.Secret {
	s := &corev1.Secret{}
	g.Expect(api.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, s)).To(Succeed())
	return s
}

// reasonOf is a condition as "status/reason", or "absent".
func reasonOf(r *stsv1alpha1.TokenRequest, kind string) string {
	c := meta.FindStatusCondition(r.Status.Conditions, kind)
	if c == nil {
		return "absent"
	}
	return string(c.Status) + "/" + c.Reason
}

// conditionsOf are all conditions of a request as type=status/reason.
func conditionsOf(r *stsv1alpha1.TokenRequest) map[string]string {
	all := map[string]string{}
	for _, c := range r.Status.Conditions {
		all[c.Type] = string(c.Status) + "/" + c.Reason
	}
	return all
}

// ready are the conditions of a request that is well.
var ready = map[string]string{"Ready": "True/TokenValid", "Issued": "True/TokenIssued"}

// awaitReady waits until a request is well and has nothing owed.
func awaitReady(now func(Gomega) *stsv1alpha1.TokenRequest) *stsv1alpha1.TokenRequest {
	GinkgoHelper()
	var r *stsv1alpha1.TokenRequest
	Eventually(func(g Gomega) {
		r = now(g)
		g.Expect(conditionsOf(r)).To(Equal(ready))
		g.Expect(r.Status.ObservedGeneration).To(Equal(r.Generation))
	}).Should(Succeed())
	return r
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

func messageOf(r *stsv1alpha1.TokenRequest, kind string) string {
	if c := meta.FindStatusCondition(r.Status.Conditions, kind); c != nil {
		return c.Message
	}
	return ""
}

const jwtType = "urn:ietf:params:oauth:token-type:jwt"

// withAudiences has a service account consent to tokens for these audiences.
func withAudiences(o metav1.ObjectMeta, audiences ...string) metav1.ObjectMeta {
	o.Annotations = map[string]string{stsv1alpha1.AnnotationAllowedAudiences: strings.Join(audiences, ",")}
	return o
}

// withHosts says where what is in a Secret may be sent.
func withHosts(o metav1.ObjectMeta, hosts ...string) metav1.ObjectMeta {
	o.Annotations = map[string]string{stsv1alpha1.AnnotationAllowedHosts: strings.Join(hosts, ",")}
	return o
}

// federatedBy is a service account as credential; an empty audience is Entra's.
func federatedBy(name stsv1alpha1.ObjectName, audience string) *stsv1alpha1.Credential {
	return &stsv1alpha1.Credential{Federated: &stsv1alpha1.FederatedCredential{
		ServiceAccountRef: stsv1alpha1.ServiceAccountRef{Name: name}, Audience: audience}}
}

// fromSecret is the key assertion of a Secret.
func fromSecret(name stsv1alpha1.ObjectName) stsv1alpha1.TokenSource {
	return stsv1alpha1.TokenSource{SecretRef: &stsv1alpha1.SecretKeyRef{Name: name, Key: "assertion"}}
}

// register puts the tenant's client in the place of the one that newTenant registered.
func (t tenant) register(change func(*stssim.Client)) {
	GinkgoHelper()
	c := stssim.Client{Tenant: t.directory, ID: t.clientID}
	change(&c)
	Expect(sim.PutClient(c)).To(Succeed())
}

// put stores an object, new or changed, as `kubectl apply` would.
func put(ctx SpecContext, o client.Object) {
	GinkgoHelper()
	err := api.Create(ctx, o)
	if apierrors.IsAlreadyExists(err) {
		err = api.Update(ctx, o)
	}
	Expect(err).NotTo(HaveOccurred())
}

// askFor asks for a new token by annotation. The word is one that wasn't used before.
func askFor(ctx SpecContext, r *stsv1alpha1.TokenRequest, word string) {
	GinkgoHelper()
	edit(ctx, r, func(r *stsv1alpha1.TokenRequest) {
		r.Annotations = map[string]string{stsv1alpha1.AnnotationRefreshRequestedAt: word}
	})
}

// refresh asks for a new token and waits until the request has it.
func refresh(ctx SpecContext, r *stsv1alpha1.TokenRequest, word string) {
	GinkgoHelper()
	askFor(ctx, r, word)
	now := latest(ctx, r)
	Eventually(func(g Gomega) { g.Expect(now(g).Status.LastHandledRefreshAt).To(Equal(word)) }).Should(Succeed())
	awaitReady(now)
}

// tokenOf is the access token of a request.
func tokenOf(ctx SpecContext, r *stsv1alpha1.TokenRequest) string {
	GinkgoHelper()
	return string(secretOf(ctx, Default, r.Namespace, r.SecretName()).Data["access_token"])
}

// viaPlain has a request ask the tenant's realm below /plain.
func (t tenant) viaPlain(r *stsv1alpha1.TokenRequest) {
	r.Spec.Issuer.TokenEndpoint = stsv1alpha1.HTTPSURL(sim.PlainIssuer(t.directory) + "/token")
	r.Spec.Scopes = []stsv1alpha1.Scope{"read"}
}
