// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package gitops_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

// outcome is a state in which the tools find an object, and how it comes to that.
type outcome struct {
	// name is that of the object's file in the folder testdata of its kind.
	name string
	// flux is what becomes of it for those who use kstatus. What Argo CD makes of it is in health_test.yaml.
	flux status.Status
	// reach brings the object about, and returns it as it then is in the API server.
	reach func(SpecContext, operator.Tenant) *unstructured.Unstructured
}

// conditions are all of an object: status and reason by type.
type conditions = map[string]string

// ready are the conditions of a request that is well.
var ready = conditions{"Ready": "True/TokenValid", "Issued": "True/TokenIssued"}

// failing are the conditions of a request without a token, and what else there is.
func failing(reason string, more conditions) conditions {
	all := conditions{"Ready": "False/" + reason, "Issued": "False/" + reason}
	maps.Copy(all, more)
	return all
}

func stalled(reason string) conditions {
	return failing(reason, conditions{"Stalled": "True/" + reason})
}

func retrying(reason string) conditions {
	return failing(reason, conditions{"Reconciling": "True/RetryScheduled"})
}

// unlooked are the outcomes while no operator runs. The others are seen with one that does.
var unlooked = map[string][]outcome{
	"TokenRequest": {
		{"new", status.InProgressStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			return create(ctx, t.Request("graph"))
		}},
		{"changed", status.InProgressStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			run := cluster.Run()
			request := await(ctx, create(ctx, t.Request("graph")), ready)
			run.Stop()
			return edit(ctx, request, "other-scope", "spec", "scopes")
		}},
	},
	"TokenIssuer":        unlookedIssuer(tokenIssuer),
	"ClusterTokenIssuer": unlookedIssuer(clusterTokenIssuer),
}

func unlookedIssuer(issuer func(SpecContext, operator.Tenant) client.Object) []outcome {
	return []outcome{
		{"new", status.InProgressStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			return create(ctx, issuer(ctx, t))
		}},
		{"changed", status.InProgressStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			run := cluster.Run()
			created := await(ctx, create(ctx, issuer(ctx, t)), conditions{"Ready": "True/IssuerVerified"})
			run.Stop()
			return edit(ctx, created, "30s", "spec", "timeout")
		}},
	}
}

// looked are the outcomes that the operator comes to.
var looked = map[string][]outcome{
	"TokenRequest": {
		{"ready", status.CurrentStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			return await(ctx, create(ctx, t.Request("graph")), ready)
		}},
		{"refresh-throttled", status.CurrentStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			request := await(ctx, create(ctx, t.Request("graph")), ready)
			throttle(t)
			return await(ctx, refresh(ctx, request),
				conditions{"Ready": "True/TokenValid", "Issued": "False/Throttled", "Throttled": "True/Throttled"})
		}},
		{"refresh-refused", status.CurrentStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			request := await(ctx, create(ctx, t.Request("graph")), ready)
			answer(t, refused)
			return await(ctx, refresh(ctx, request), conditions{"Ready": "True/TokenValid", "Issued": "False/InvalidClient"})
		}},
		{"throttled", status.InProgressStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			throttle(t)
			return await(ctx, create(ctx, t.Request("graph")),
				failing("Throttled", conditions{"Throttled": "True/Throttled", "Reconciling": "True/RetryScheduled"}))
		}},
		{"unavailable", status.InProgressStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			answer(t, unavailable)
			return await(ctx, create(ctx, t.Request("graph")), retrying("ServerError"))
		}},
		{"signing-in", status.InProgressStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			Expect(sim.PutClient(stssim.Client{Tenant: t.Namespace, ID: t.Namespace, Public: true})).To(Succeed())
			request := t.Request("graph")
			request.Spec.Issuer.Credential = nil
			request.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantDeviceCode, DeviceCode: &stsv1alpha1.DeviceCodeGrant{}}
			return await(ctx, create(ctx, request), failing("AuthorizationPending",
				conditions{"InteractionRequired": "True/AuthorizationPending", "Reconciling": "True/RetryScheduled"}))
		}},
		{"client-refused", status.FailedStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			answer(t, refused)
			return await(ctx, create(ctx, t.Request("graph")), stalled("InvalidClient"))
		}},
		{"change-refused", status.FailedStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			request := await(ctx, create(ctx, t.Request("graph")), ready)
			answer(t, refused)
			return await(ctx, edit(ctx, request, "other-scope", "spec", "scopes"), stalled("InvalidClient"))
		}},
		{"credential-missing", status.FailedStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			request := t.Request("graph")
			request.Spec.Issuer.Credential.ClientSecret.SecretRef.Name = "absent"
			return await(ctx, create(ctx, request), stalled("CredentialNotFound"))
		}},
		{"issuer-missing", status.FailedStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			request := t.Request("graph")
			request.Spec.Issuer = nil
			request.Spec.IssuerRef = &stsv1alpha1.IssuerRef{Kind: stsv1alpha1.IssuerKindTokenIssuer, Name: "absent"}
			return await(ctx, create(ctx, request), stalled("IssuerNotReady"))
		}},
		{"secret-of-another", status.FailedStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			Expect(cluster.API.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "graph"}})).To(Succeed())
			return await(ctx, create(ctx, t.Request("graph")), stalled("SecretConflict"))
		}},
		{"suspended", status.CurrentStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			request := await(ctx, create(ctx, t.Request("graph")), ready)
			return await(ctx, edit(ctx, request, true, "spec", "suspend"), ready)
		}},
		// Nothing is owed, and nothing has failed; and a workload that needs the token would wait for it.
		{"suspended-without-token", status.InProgressStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			request := t.Request("graph")
			request.Spec.Suspend = true
			return await(ctx, create(ctx, request), failing("Suspended", nil))
		}},
		{"expired", status.FailedStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			answer(t, shortLived, refused)
			return await(ctx, create(ctx, t.Request("graph")),
				conditions{"Ready": "False/TokenExpired", "Issued": "False/InvalidClient", "Stalled": "True/InvalidClient"})
		}},
		{"expired-while-unavailable", status.InProgressStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			answer(t, shortLived, unavailable)
			return await(ctx, create(ctx, t.Request("graph")),
				conditions{"Ready": "False/TokenExpired", "Issued": "False/ServerError", "Reconciling": "True/RetryScheduled"})
		}},
		{"terminating", status.TerminatingStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			return deleted(ctx, await(ctx, create(ctx, t.Request("graph")), ready))
		}},
	},
	"TokenIssuer": lookedIssuer(tokenIssuer),
	"ClusterTokenIssuer": append(lookedIssuer(clusterTokenIssuer),
		outcome{"selector-invalid", status.FailedStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			issuer := clusterTokenIssuer(ctx, t).(*stsv1alpha1.ClusterTokenIssuer)
			issuer.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "no label!"}}
			return await(ctx, create(ctx, issuer), stalledIssuer("SelectorInvalid"))
		}}),
}

func lookedIssuer(issuer func(SpecContext, operator.Tenant) client.Object) []outcome {
	return []outcome{
		{"ready", status.CurrentStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			return await(ctx, create(ctx, issuer(ctx, t)), conditions{"Ready": "True/IssuerVerified"})
		}},
		{"unavailable", status.InProgressStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			Expect(sim.AddRules(stssim.Rule{Match: stssim.Match{Tenant: t.Namespace}, Action: unavailable.Action})).To(Succeed())
			return await(ctx, create(ctx, issuer(ctx, t)), conditions{"Ready": "False/ServerError", "Reconciling": "True/RetryScheduled"})
		}},
		{"credential-missing", status.FailedStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			created := asUnstructured(issuer(ctx, t))
			set(created, "absent", "spec", "credential", "clientSecret", "secretRef", "name")
			return await(ctx, create(ctx, created), stalledIssuer("CredentialNotFound"))
		}},
		{"terminating", status.TerminatingStatus, func(ctx SpecContext, t operator.Tenant) *unstructured.Unstructured {
			return deleted(ctx, await(ctx, create(ctx, issuer(ctx, t)), conditions{"Ready": "True/IssuerVerified"}))
		}},
	}
}

func stalledIssuer(reason string) conditions {
	return conditions{"Ready": "False/" + reason, "Stalled": "True/" + reason}
}

var _ = Describe("Before the operator has looked", func() { describe(unlooked) })

var _ = Describe("When the operator has looked", Ordered, func() {
	BeforeAll(func(ctx SpecContext) { start(ctx) })
	describe(looked)
})

var tenants atomic.Int64

// describe has a spec for each outcome: of what is really there Flux and Argo CD make what they should,
// and it is what the tests of Argo CD's scripts take for real.
func describe(outcomes map[string][]outcome) {
	for _, kind := range slices.Sorted(maps.Keys(outcomes)) {
		for _, o := range outcomes[kind] {
			It(fmt.Sprintf("a %s that is %s is %s for Flux", kind, o.name, o.flux), func(ctx SpecContext) {
				tenant := newTenant(ctx, fmt.Sprintf("gitops-%d", tenants.Add(1)))
				object := o.reach(ctx, tenant)

				result, err := status.Compute(object)
				Expect(err).NotTo(HaveOccurred())
				Expect(result.Status).To(Equal(o.flux), result.Message)

				file := "testdata/" + o.name + ".yaml"
				cases := healthCases(kind)
				Expect(cases).To(HaveKey(file))
				Expect(health(kind, object.Object).Status).To(Equal(cases[file].Status))
				expectTestdata(kind, file, anonymous(object, tenant))
			}, SpecTimeout(2*time.Minute))
		}
	}
}

// What an STS answers.
var (
	refused     = stssim.Rule{Action: stssim.Action{Status: 401, Error: &stssim.ErrorBody{Error: "invalid_client", Description: "wrong secret"}}}
	unavailable = stssim.Rule{Action: stssim.Action{Status: 503}}
	shortLived  = stssim.Rule{Times: 1, Action: stssim.Action{Lifetime: stssim.Duration(4 * time.Second)}}
)

// answer has the tenant's next calls for a token answered so.
func answer(t operator.Tenant, rules ...stssim.Rule) {
	GinkgoHelper()
	for _, rule := range rules {
		rule.Match = stssim.Match{Kind: stssim.KindToken, ClientID: t.Namespace}
		Expect(sim.AddRules(rule)).To(Succeed())
	}
}

// throttle has the STS take no more calls from the tenant for longer than the suite lasts.
func throttle(t operator.Tenant) {
	GinkgoHelper()
	Expect(sim.SetThrottle(stssim.Throttle{ClientID: t.Namespace, For: stssim.Duration(time.Hour)})).To(Succeed())
}

func tokenIssuer(_ SpecContext, t operator.Tenant) client.Object {
	return &stsv1alpha1.TokenIssuer{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "shared"},
		Spec:       *t.Request("shared").Spec.Issuer,
	}
}

// clusterTokenIssuer copies what it refers to into the operator's namespace, under the tenant's name.
func clusterTokenIssuer(ctx SpecContext, t operator.Tenant) client.Object {
	GinkgoHelper()
	spec := *t.Request("shared").Spec.Issuer
	spec.Credential.ClientSecret.SecretRef.Name = stsv1alpha1.ObjectName(t.Namespace)
	spec.TLS.CABundleRef.Name = stsv1alpha1.ObjectName(t.Namespace)
	place := metav1.ObjectMeta{Namespace: operator.Namespace, Name: t.Namespace}
	for _, copied := range []client.Object{
		&corev1.Secret{ObjectMeta: place, Data: t.Credential().Data},
		&corev1.ConfigMap{ObjectMeta: place, Data: map[string]string{string(spec.TLS.CABundleRef.Key): string(sim.CAPEM())}},
	} {
		Expect(cluster.API.Create(ctx, copied)).To(Succeed())
	}
	return &stsv1alpha1.ClusterTokenIssuer{
		ObjectMeta: metav1.ObjectMeta{Name: "shared-by-" + t.Namespace},
		Spec:       stsv1alpha1.ClusterTokenIssuerSpec{IssuerSpec: spec},
	}
}

// create stores an object and returns it as a reader finds it.
func create(ctx SpecContext, object client.Object) *unstructured.Unstructured {
	GinkgoHelper()
	created := asUnstructured(object)
	Expect(cluster.API.Create(ctx, created)).To(Succeed())
	return latest(ctx, created)
}

// asUnstructured is an object as somebody writes it, without a status.
func asUnstructured(object client.Object) *unstructured.Unstructured {
	GinkgoHelper()
	if already, is := object.(*unstructured.Unstructured); is {
		return already
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	Expect(err).NotTo(HaveOccurred())
	delete(content, "status")
	converted := &unstructured.Unstructured{Object: content}
	gvk, err := apiutil.GVKForObject(object, cluster.API.Scheme())
	Expect(err).NotTo(HaveOccurred())
	converted.SetGroupVersionKind(gvk)
	return converted
}

func latest(ctx SpecContext, object *unstructured.Unstructured) *unstructured.Unstructured {
	GinkgoHelper()
	now := &unstructured.Unstructured{}
	now.SetGroupVersionKind(object.GroupVersionKind())
	Expect(cluster.API.Get(ctx, client.ObjectKeyFromObject(object), now)).To(Succeed())
	return now
}

// await waits until these are all conditions of an object's latest generation, and what was asked of it
// by annotation is done.
func await(ctx SpecContext, object *unstructured.Unstructured, want conditions) *unstructured.Unstructured {
	GinkgoHelper()
	var now *unstructured.Unstructured
	Eventually(func(g Gomega) {
		now = latest(ctx, object)
		var seen struct {
			Status stsv1alpha1.TokenRequestStatus `json:"status"` // an issuer's has less
		}
		g.Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(now.Object, &seen)).To(Succeed())
		got := conditions{}
		for _, c := range seen.Status.Conditions {
			got[c.Type] = string(c.Status) + "/" + c.Reason
		}
		g.Expect(got).To(Equal(want))
		g.Expect(seen.Status.ObservedGeneration).To(Equal(now.GetGeneration()))
		g.Expect(seen.Status.LastHandledRefreshAt).To(Equal(now.GetAnnotations()[stsv1alpha1.AnnotationRefreshRequestedAt]))
	}).WithContext(ctx).Should(Succeed())
	return now
}

// edit changes one field as `kubectl edit` would.
func edit(ctx SpecContext, object *unstructured.Unstructured, value any, fields ...string) *unstructured.Unstructured {
	GinkgoHelper()
	after := object.DeepCopy()
	if fields[len(fields)-1] == "scopes" {
		value = []any{value}
	}
	set(after, value, fields...)
	Expect(cluster.API.Patch(ctx, after, client.MergeFrom(object))).To(Succeed())
	return latest(ctx, after)
}

func set(object *unstructured.Unstructured, value any, fields ...string) {
	GinkgoHelper()
	Expect(unstructured.SetNestedField(object.Object, value, fields...)).To(Succeed())
}

// refresh asks for a new token by the annotation.
func refresh(ctx SpecContext, request *unstructured.Unstructured) *unstructured.Unstructured {
	GinkgoHelper()
	return edit(ctx, request, "now", "metadata", "annotations", stsv1alpha1.AnnotationRefreshRequestedAt)
}

// deleted is the object while it is being deleted, which somebody else's finalizer makes last.
func deleted(ctx SpecContext, object *unstructured.Unstructured) *unstructured.Unstructured {
	GinkgoHelper()
	held := edit(ctx, object, []any{"example.com/held"}, "metadata", "finalizers")
	Expect(cluster.API.Delete(ctx, held)).To(Succeed())
	now := latest(ctx, held)
	DeferCleanup(func(ctx SpecContext) {
		now.SetFinalizers(nil)
		err := cluster.API.Update(ctx, now)
		Expect(err == nil || apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
	})
	return now
}

// anonymous is an object as text, with nothing in it that is another at the next run.
func anonymous(object *unstructured.Unstructured, t operator.Tenant) string {
	GinkgoHelper()
	shown := object.DeepCopy()
	for _, field := range []string{"uid", "resourceVersion", "managedFields", "creationTimestamp", "deletionGracePeriodSeconds"} {
		unstructured.RemoveNestedField(shown.Object, "metadata", field)
	}
	if _, there, _ := unstructured.NestedInt64(shown.Object, "status", "lastError", "attempts"); there {
		set(shown, int64(1), "status", "lastError", "attempts")
	}
	inJSON, err := json.Marshal(shown.Object) // YAML's lines break by their length, hence by what is replaced
	Expect(err).NotTo(HaveOccurred())
	text := strings.NewReplacer(
		sim.URL()+"/plain/", "https://sts.example.com/realms/",
		strings.TrimPrefix(sim.URL(), "https://"), "sts.example.com",
		"shared-by-"+t.Namespace, "shared", t.Namespace, "payments",
	).Replace(string(inJSON))
	for _, changing := range varying {
		text = changing.pattern.ReplaceAllString(text, changing.constant)
	}
	return marshal(parse(text))
}
