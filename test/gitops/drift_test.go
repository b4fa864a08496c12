// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package gitops_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
)

// issuerFields are those that a request can't do without; %[1]s is the namespace, %[2]s the simulator.
const issuerFields = `authority: %[2]s/plain/%[1]s
clientID: %[1]s
credential: {clientSecret: {secretRef: {name: app, key: client_secret}}}
tls: {caBundleRef: {kind: ConfigMap, name: sts-ca, key: ca.crt}}
`

// manifests are what a repository may hold.
var manifests = []struct {
	name, text string
	ready      conditions
}{
	{"a TokenRequest of what it needs", `
apiVersion: sts.tokenrequest.dev/v1alpha1
kind: TokenRequest
metadata: {name: graph, namespace: %[1]s}
spec:
  issuer:
` + indented(issuerFields, 4), ready},
	{"a TokenRequest with everything set", `
apiVersion: sts.tokenrequest.dev/v1alpha1
kind: TokenRequest
metadata:
  name: graph
  namespace: %[1]s
  labels: {app.kubernetes.io/instance: payments, kustomize.toolkit.fluxcd.io/name: payments, kustomize.toolkit.fluxcd.io/namespace: flux-system}
  annotations: {argocd.argoproj.io/tracking-id: "payments:sts.tokenrequest.dev/TokenRequest:payments/graph", argocd.argoproj.io/sync-wave: "1"}
spec:
  issuer:
    tokenEndpoint: %[2]s/plain/%[1]s/token
    deviceAuthorizationEndpoint: %[2]s/plain/%[1]s/device_authorization
    timeout: 20000ms
    authority: %[2]s/plain/%[1]s
    clientID: %[1]s
    credential: {clientSecret: {method: client_secret_post, secretRef: {name: app, key: client_secret}}}
    tls: {caBundleRef: {kind: ConfigMap, name: sts-ca, key: ca.crt}}
  grant: {type: ClientCredentials}
  scopes: [write, read]
  resources: [https://b.example.com, https://a.example.com]
  claims: '{"access_token": {"nbf": {"essential": true, "value": "1"}}}'
  parameters: {audience: https://a.example.com, empty: ""}
  secret:
    name: graph-token
    type: Opaque
    labels: {tier: backend}
    annotations: {reloader.stakater.com/match: "true"}
  refreshBefore: 0.5h
  suspend: false
`, ready},
	{"a TokenIssuer", `
apiVersion: sts.tokenrequest.dev/v1alpha1
kind: TokenIssuer
metadata: {name: shared, namespace: %[1]s}
spec:
` + indented(issuerFields, 2), conditions{"Ready": "True/IssuerVerified"}},
}

func indented(text string, spaces int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.Repeat(" ", spaces) + line)
	}
	return b.String()
}

var _ = Describe("kubectl", Ordered, func() {
	BeforeAll(func(ctx SpecContext) { start(ctx) })

	for i, m := range manifests {
		It("finds no difference in "+m.name+" that is settled", func(ctx SpecContext) {
			tenant := newTenant(ctx, fmt.Sprintf("drift-%d", i))
			manifest := fmt.Sprintf(m.text, tenant.Namespace, sim.URL())
			Expect(kubectl(ctx, manifest, "apply")).To(HaveSuffix("created"))
			object := await(ctx, &unstructured.Unstructured{Object: parse(manifest)}, m.ready)
			calls := tokenCalls(tenant)

			By("with client-side apply")
			applied := settle(ctx, tenant, object)
			Expect(kubectl(ctx, manifest, "apply")).To(HaveSuffix("unchanged"))
			Expect(kubectl(ctx, manifest, "diff")).To(BeEmpty())
			Expect(kubectl(ctx, manifest, "apply")).To(HaveSuffix("unchanged"))
			Expect(settle(ctx, tenant, object)).To(Equal(applied))

			By("with server-side apply from here on, which notes another manager once")
			Expect(kubectl(ctx, manifest, "apply", "--server-side")).To(HaveSuffix("serverside-applied"))
			switched := settle(ctx, tenant, object)
			Expect(switched.but("resourceVersion")).To(Equal(applied.but("resourceVersion")))
			for range 2 {
				Expect(kubectl(ctx, manifest, "apply", "--server-side")).To(HaveSuffix("serverside-applied"))
				Expect(kubectl(ctx, manifest, "diff", "--server-side")).To(BeEmpty())
			}
			Expect(settle(ctx, tenant, object)).To(Equal(switched))

			Expect(tokenCalls(tenant)).To(Equal(calls))
			Expect(latest(ctx, object).Object["spec"]).To(BeEquivalentTo(specOf(manifest)), "the API server stores something else than was applied")
		}, SpecTimeout(2*time.Minute))
	}

	It("finds a difference where there is one", func(ctx SpecContext) {
		tenant := newTenant(ctx, "drift-there")
		manifest := fmt.Sprintf(manifests[0].text, tenant.Namespace, sim.URL())
		Expect(kubectl(ctx, manifest, "apply")).To(HaveSuffix("created"))
		printed, err := cluster.Kubectl(ctx, manifest+"  suspend: true\n", "diff", "-f", "-")
		Expect(err).To(MatchError("exit status 1"))
		Expect(printed).To(ContainSubstring("+  suspend: true"))
	})

	It("can apply as Flux and as Argo CD do, whose fields the operator doesn't touch", func(ctx SpecContext) {
		tenant := newTenant(ctx, "drift-managers")
		manifest := fmt.Sprintf(manifests[1].text, tenant.Namespace, sim.URL())
		managers := []string{"kustomize-controller", "argocd-controller"}
		Expect(kubectl(ctx, manifest, "apply", "--server-side", "--field-manager", managers[0])).To(HaveSuffix("serverside-applied"))
		object := await(ctx, &unstructured.Unstructured{Object: parse(manifest)}, ready)

		By("asking for a token by hand, which neither of them takes back")
		_, err := cluster.Kubectl(ctx, "", "annotate", "-n", tenant.Namespace, "tokreq/graph", stsv1alpha1.AnnotationRefreshRequestedAt+"=now")
		Expect(err).NotTo(HaveOccurred())
		await(ctx, object, ready)
		for range 2 {
			for _, manager := range managers {
				Expect(kubectl(ctx, manifest, "apply", "--server-side", "--field-manager", manager)).To(HaveSuffix("serverside-applied"))
			}
		}
		Expect(await(ctx, object, ready).GetAnnotations()).To(HaveKeyWithValue(stsv1alpha1.AnnotationRefreshRequestedAt, "now"))
		Expect(tokenCalls(tenant)).To(Equal(2))

		By("looking at who has which field")
		fields := map[string]string{}
		for _, entry := range latest(ctx, object).GetManagedFields() {
			fields[entry.Manager] += entry.Subresource + entry.FieldsV1.GetRawString()
		}
		Expect(fields).To(HaveLen(4))
		for _, manager := range managers {
			Expect(fields[manager]).To(And(ContainSubstring(`"f:spec"`), Not(ContainSubstring(`"f:status"`))))
			delete(fields, manager)
		}
		Expect(fields).To(HaveKey("kubectl-annotate"))
		delete(fields, "kubectl-annotate")
		for _, ours := range fields {
			Expect(ours).To(And(HavePrefix(`status{"f:status"`), Not(ContainSubstring(`"f:spec"`)), Not(ContainSubstring(`"f:metadata"`))))
		}
	}, SpecTimeout(2*time.Minute))
})

var _ = Describe("The Secret", Ordered, func() {
	BeforeAll(func(ctx SpecContext) { start(ctx) })

	// External Secrets copies them, and Argo CD takes the copy for an object of its own that isn't in the
	// repository.
	It("has none of the request's own labels and annotations, and an owner", func(ctx SpecContext) {
		tenant := newTenant(ctx, "uncopied")
		manifest := fmt.Sprintf(manifests[1].text, tenant.Namespace, sim.URL())
		Expect(kubectl(ctx, manifest, "apply")).To(HaveSuffix("created"))
		request := await(ctx, &unstructured.Unstructured{Object: parse(manifest)}, ready)
		Expect(request.GetAnnotations()).To(HaveKey("argocd.argoproj.io/tracking-id"))

		secret := secretOf(ctx, request)
		Expect(foreign(secret.Labels)).To(ConsistOf("tier", "app.kubernetes.io/managed-by"))
		Expect(foreign(secret.Annotations)).To(ConsistOf("reloader.stakater.com/match"))
		Expect(secret.OwnerReferences).To(HaveExactElements(And(HaveField("Kind", "TokenRequest"), HaveField("UID", request.GetUID()))))
	})
})

// foreign are the keys that aren't the operator's own.
func foreign(keys map[string]string) []string {
	var found []string
	for key := range keys {
		if !strings.HasPrefix(key, stsv1alpha1.GroupVersion.Group+"/") {
			found = append(found, key)
		}
	}
	return found
}

// kubectl runs a subcommand on a manifest, which has to succeed, and returns what it printed.
func kubectl(ctx SpecContext, manifest string, subcommand ...string) string {
	GinkgoHelper()
	printed, err := cluster.Kubectl(ctx, manifest, append(slices.Clone(subcommand), "-f", "-")...)
	Expect(err).NotTo(HaveOccurred(), "kubectl %v: %s", subcommand, printed)
	return strings.TrimSpace(printed)
}

// state is what a tool and a workload see of an object and its Secret: versions, generation and status.
type state map[string]string

// but is a state without one of its properties.
func (s state) but(property string) state {
	rest := state{}
	for name, value := range s {
		if name != property {
			rest[name] = value
		}
	}
	return rest
}

// settle returns the state once the operator has seen all that happened until now: what happens after
// that, it has seen as well when it is done with it.
func settle(ctx SpecContext, t operator.Tenant, object *unstructured.Unstructured) state {
	GinkgoHelper()
	request := t.Request(fmt.Sprintf("last-%d", tenants.Add(1)))
	request.Spec.Suspend = true // it costs no call
	last := await(ctx, create(ctx, request), failing("Suspended", nil))
	Expect(cluster.API.Delete(ctx, last)).To(Succeed())
	run.SettledAfter(ctx, 1)
	now := latest(ctx, object)
	status, err := json.Marshal(now.Object["status"])
	Expect(err).NotTo(HaveOccurred())
	seen := state{"resourceVersion": now.GetResourceVersion(), "generation": fmt.Sprint(now.GetGeneration()), "status": string(status)}
	if object.GetKind() == "TokenRequest" {
		seen["Secret"] = secretOf(ctx, now).ResourceVersion
	}
	return seen
}

// secretOf is the Secret that a request fills.
func secretOf(ctx SpecContext, request *unstructured.Unstructured) *corev1.Secret {
	GinkgoHelper()
	name, _, err := unstructured.NestedString(request.Object, "status", "token", "secretName")
	Expect(err).NotTo(HaveOccurred())
	secret := &corev1.Secret{}
	Expect(cluster.API.Get(ctx, client.ObjectKey{Namespace: request.GetNamespace(), Name: name}, secret)).To(Succeed())
	return secret
}

// specOf is the spec in a manifest.
func specOf(manifest string) any {
	GinkgoHelper()
	var written struct {
		Spec map[string]any `json:"spec"`
	}
	Expect(yaml.Unmarshal([]byte(manifest), &written)).To(Succeed())
	return written.Spec
}
