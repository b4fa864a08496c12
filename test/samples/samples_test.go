// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package samples_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

var _ = Describe("The sample", func() {
	for _, path := range applied() {
		It(path+" ends Ready", func(ctx SpecContext) {
			text := read(path)
			namespace := namespaceOf(path, parse(text))
			Expect(table).To(HaveKey(path), "there is nothing in the table about this file")
			s := table[path](namespace)
			for _, c := range s.clients {
				Expect(sim.PutClient(c)).To(Succeed())
			}
			for old, value := range s.values {
				Expect(text).To(ContainSubstring(old))
				text = strings.ReplaceAll(text, old, value)
			}
			objects := parse(here(text))
			Expect(slices.Collect(maps.Keys(s.requests))).To(ConsistOf(names(ofKind(objects, "TokenRequest"))))

			before := len(sim.Calls(stssim.Filter{}))
			makeNamespace(ctx, namespace, s)
			for _, object := range objects {
				place(object, namespace)
				Expect(cluster.API.Create(ctx, object, strictly)).To(Succeed(), "%s %s", object.GetKind(), object.GetName())
			}
			for name, want := range s.requests {
				await(ctx, client.ObjectKey{Namespace: namespace, Name: name}, want)
			}
			for _, kind := range []string{"TokenIssuer", "ClusterTokenIssuer"} {
				for _, issuer := range ofKind(objects, kind) {
					Eventually(conditions).WithArguments(ctx, issuer).Should(Equal(map[string]string{"Ready": "True/IssuerVerified"}))
				}
			}
			expectCalls(sim.Calls(stssim.Filter{})[before:], s)
		}, SpecTimeout(2*time.Minute))
	}

	It("is there for every file in the table", func() {
		Expect(slices.Collect(maps.Keys(table))).To(ConsistOf(applied()))
	})
})

var _ = Describe("The samples", func() {
	It("name no field that the API doesn't know: the API server would say so", func(ctx SpecContext) {
		for _, path := range applied() {
			for _, object := range parse(read(path)) {
				place(object, "default")
				if object.GetNamespace() != "" {
					object.SetNamespace("default") // which is there
				}
				mistyped := object.DeepCopy()
				mistyped.Object["metdata"] = map[string]any{}
				Expect(cluster.API.Create(ctx, mistyped, strictly, client.DryRunAll)).To(MatchError(ContainSubstring(`unknown field "metdata"`)))
				object.SetName("tried-" + object.GetName())
				Expect(cluster.API.Create(ctx, object, strictly, client.DryRunAll)).To(Succeed(), "%s: %s %s", path, object.GetKind(), object.GetName())
			}
		}
	})

	It("have a namespace in all of their objects or in none, or kubectl apply couldn't be told one", func() {
		for _, path := range applied() {
			named, unnamed := 0, 0
			for _, object := range parse(read(path)) {
				switch {
				case object.GetNamespace() != "":
					named++
				case isNamespaced(object):
					unnamed++
				}
			}
			Expect(min(named, unnamed)).To(BeZero(), path)
		}
	})

	It("show every form of a credential, every grant and every kind of issuer", func() {
		credentials, grants, issuers := map[string]bool{}, map[string]bool{}, map[string]bool{}
		for _, path := range applied() {
			for _, object := range parse(read(path)) {
				spec, _, _ := unstructured.NestedMap(object.Object, "spec")
				for _, fields := range [][]string{{"credential"}, {"issuer", "credential"}} {
					shown, _, _ := unstructured.NestedMap(spec, fields...)
					for name := range shown {
						credentials[name] = true
					}
				}
				grant, _, _ := unstructured.NestedMap(spec, "grant")
				for name := range grant {
					grants[name] = true
				}
				issuers[object.GetKind()] = true
			}
		}
		for name := range members(reflect.TypeFor[stsv1alpha1.Credential]()) {
			Expect(credentials).To(HaveKey(name))
		}
		for name := range members(reflect.TypeFor[stsv1alpha1.Grant]()) {
			Expect(grants).To(HaveKey(name))
		}
		Expect(issuers).To(And(HaveKey("TokenIssuer"), HaveKey("ClusterTokenIssuer")))
	})

	It("have a row each in the README beside them", func() {
		var listed []string
		for line := range strings.Lines(read("README.md")) {
			if name, found := strings.CutPrefix(line, "| ["); found {
				name, target, _ := strings.Cut(name, "](")
				Expect(target).To(HavePrefix(name + ")"))
				listed = append(listed, name)
			}
		}
		Expect(listed).To(ConsistOf(append(applied(), "openid.yaml", "throttled.yaml", "wrong-secret.yaml")))
	})
})

// strictly has the API server refuse fields that it doesn't know, as kubectl apply does.
const strictly = client.FieldValidation(metav1.FieldValidationStrict)

// namespaceOf is where a file's requests are: in the namespace that they name, or in one of their own.
func namespaceOf(path string, objects []*unstructured.Unstructured) string {
	for _, request := range ofKind(objects, "TokenRequest") {
		if request.GetNamespace() != "" {
			return request.GetNamespace()
		}
	}
	return strings.ReplaceAll(strings.TrimSuffix(path, ".yaml"), "/", "-")
}

// makeNamespace makes a namespace, and what else has to be there before the sample is applied.
func makeNamespace(ctx SpecContext, name string, s sample) {
	GinkgoHelper()
	Expect(cluster.API.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: s.labels}})).To(Succeed())
	for _, object := range s.elsewhere {
		object.SetNamespace(name)
		Expect(cluster.API.Create(ctx, object)).To(Succeed())
	}
}

// place puts an object that names no namespace into one, as kubectl apply -n does.
func place(object *unstructured.Unstructured, namespace string) {
	GinkgoHelper()
	if object.GetNamespace() == "" && isNamespaced(object) {
		object.SetNamespace(namespace)
	}
}

func isNamespaced(object *unstructured.Unstructured) bool {
	GinkgoHelper()
	namespaced, err := cluster.API.IsObjectNamespaced(object)
	Expect(err).NotTo(HaveOccurred())
	return namespaced
}

// await follows a request to its token, and looks at that.
func await(ctx SpecContext, key client.ObjectKey, want token) {
	GinkgoHelper()
	request := &stsv1alpha1.TokenRequest{}
	if want.signsIn != nil {
		Eventually(func(g Gomega) {
			g.Expect(cluster.API.Get(ctx, key, request)).To(Succeed())
			g.Expect(request.Status.DeviceAuthorization).NotTo(BeNil())
		}).Should(Succeed())
		shown := request.Status.DeviceAuthorization
		asked := meta.FindStatusCondition(request.Status.Conditions, "InteractionRequired")
		Expect(asked).To(HaveField("Message", And(ContainSubstring(shown.UserCode), ContainSubstring(shown.VerificationURI))))
		Expect(sim.ApproveDevice(shown.UserCode, *want.signsIn)).To(Succeed())
	}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(stsv1alpha1.GroupVersion.WithKind("TokenRequest"))
	object.SetNamespace(key.Namespace)
	object.SetName(key.Name)
	Eventually(conditions).WithArguments(ctx, object).Should(Equal(map[string]string{"Ready": "True/TokenValid", "Issued": "True/TokenIssued"}))
	Expect(cluster.API.Get(ctx, key, request)).To(Succeed())
	expectToken(secretOf(ctx, client.ObjectKey{Namespace: key.Namespace, Name: request.SecretName()}), want)
	if want.store != "" {
		store := secretOf(ctx, client.ObjectKey{Namespace: key.Namespace, Name: want.store})
		Expect(store.Data).To(HaveKeyWithValue("refresh_token", And(Not(BeEmpty()), Not(BeEquivalentTo(want.seed)))))
	}
}

// conditions are those of an object of the operator's API: status and reason by type, and what is
// wrong in words.
func conditions(ctx SpecContext, object *unstructured.Unstructured) (map[string]string, error) {
	if err := cluster.API.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return nil, err
	}
	var read struct {
		Status struct {
			Conditions []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &read); err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, c := range read.Status.Conditions {
		found[c.Type] = string(c.Status) + "/" + c.Reason
		if c.Status == metav1.ConditionFalse {
			found[c.Type] += ": " + c.Message
		}
	}
	return found, nil
}

// expectToken looks at what a workload mounts.
func expectToken(secret *corev1.Secret, want token) {
	GinkgoHelper()
	read := want.reads
	if read == nil {
		read = defaultKeys(want.scope)
	}
	issued := read(secret)
	Expect(sim.Issued()).To(ContainElement(issued))
	claims := jwt.MapClaims{}
	_, _, err := jwt.NewParser().ParseUnverified(issued, claims)
	Expect(err).NotTo(HaveOccurred())
	subject := want.subject
	if subject == "" {
		subject = want.client
	}
	Expect(claims).To(And(HaveKeyWithValue("tid", want.tenant), HaveKeyWithValue("appid", want.client),
		HaveKeyWithValue("sub", subject), HaveKeyWithValue("aud", want.audience)))
}

// expectCalls holds that each request cost one call that brought a token, in the way that the sample
// shows, and that nothing was refused meanwhile, but what nobody had signed in for.
func expectCalls(calls []stssim.Call, s sample) {
	GinkgoHelper()
	type way struct{ tenant, client, method, grant string }
	var want, got []way
	for _, t := range s.requests {
		want = append(want, way{t.tenant, t.client, t.method, t.grant})
	}
	for _, call := range calls {
		switch {
		case call.Error == "authorization_pending":
		case call.Kind == stssim.KindToken && call.Error == "":
			got = append(got, way{call.Tenant, call.ClientID, call.AuthMethod, call.GrantType})
		}
		Expect(call.Error).To(Or(BeEmpty(), Equal("authorization_pending")))
	}
	Expect(got).To(ConsistOf(want))
}

func secretOf(ctx SpecContext, key client.ObjectKey) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(cluster.API.Get(ctx, key, secret)).To(Succeed())
	return secret
}

func names(objects []*unstructured.Unstructured) []string {
	found := make([]string, len(objects))
	for i, object := range objects {
		found[i] = object.GetName()
	}
	return found
}

// members are the fields of a struct by their names in YAML.
func members(structure reflect.Type) map[string]bool {
	found := map[string]bool{}
	for field := range structure.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		found[name] = true
	}
	return found
}
