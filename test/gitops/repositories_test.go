// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package gitops_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokenrequest.dev/operator/test/operator"
)

// repositories is the folder of the samples.
const repositories = "../../config/samples/gitops"

// definitions are the CRDs that the tools themselves publish in their modules. A module is fetched alone,
// without what it requires, and its sum holds it as one in go.sum would.
var definitions = []struct{ module, sum, file string }{
	{"github.com/argoproj/argo-cd/v3@v3.4.13", "h1:kmnF4nE5SQ83OhtdX6DMmLSpH0eRIa1gNYdCLNHqB+A=", "manifests/crds/application-crd.yaml"},
	{"github.com/argoproj/argo-cd/v3@v3.4.13", "h1:kmnF4nE5SQ83OhtdX6DMmLSpH0eRIa1gNYdCLNHqB+A=", "manifests/crds/appproject-crd.yaml"},
	{
		"github.com/fluxcd/kustomize-controller@v1.9.6", "h1:XB+G3A0mky0j5uVHZWv4oSlS2RvZBoNIUhstIvY0JKE=",
		"config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml",
	},
	{
		"github.com/fluxcd/source-controller@v1.9.6", "h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc=",
		"config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml",
	},
}

var _ = Describe("The sample of a repository", Ordered, func() {
	BeforeAll(func(ctx SpecContext) {
		for _, d := range definitions {
			printed, err := cluster.Kubectl(ctx, "", "apply", "--server-side", "-f", filepath.Join(fetched(ctx, d.module, d.sum), d.file))
			Expect(err).NotTo(HaveOccurred(), printed)
		}
		printed, err := cluster.Kubectl(ctx, "", "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
		Expect(err).NotTo(HaveOccurred(), printed)
		// The samples name no trust root: theirs is the system's.
		roots := filepath.Join(GinkgoT().TempDir(), "roots.pem")
		Expect(os.WriteFile(roots, sim.CAPEM(), 0o600)).To(Succeed())
		GinkgoT().Setenv("SSL_CERT_FILE", roots)
		start(ctx)
	})

	for _, tool := range []string{"argocd", "flux"} {
		It("of "+tool+" is taken by the tool's own schemas", func(ctx SpecContext) {
			for _, object := range built(ctx, tool) {
				object.SetNamespace("default") // which is there
				strictly := []client.CreateOption{client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict)}
				mistyped := object.DeepCopy()
				mistyped.Object["sepc"] = map[string]any{}
				Expect(cluster.API.Create(ctx, mistyped, strictly...)).To(MatchError(ContainSubstring("unknown field")))
				Expect(cluster.API.Create(ctx, object, strictly...)).To(Succeed(), "%s %s", object.GetKind(), object.GetName())
			}
		})
	}

	It("of Argo CD becomes healthy wave by wave", func(ctx SpecContext) {
		namespace := newTeam(ctx, "repository-argocd")
		application := one(built(ctx, "argocd"), "Application")
		folder, _, _ := unstructured.NestedString(application.Object, "spec", "source", "path")
		objects := built(ctx, "argocd", folder)
		slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int { return strings.Compare(wave(a), wave(b)) })
		Expect(kindsOf(objects)).To(Equal([]string{"TokenIssuer", "TokenRequest", "Deployment"}))

		By("being allowed by the project")
		allowed, _, _ := unstructured.NestedSlice(one(built(ctx, "argocd"), "AppProject").Object, "spec", "namespaceResourceWhitelist")
		var kinds []any
		for _, object := range objects {
			kinds = append(kinds, map[string]any{"group": object.GroupVersionKind().Group, "kind": object.GetKind()})
		}
		Expect(allowed).To(ConsistOf(kinds...))

		for _, object := range objects {
			By("applying the " + object.GetKind())
			applyAs(ctx, object, namespace, "--field-manager=argocd-controller")
			if object.GetKind() != "Deployment" {
				settled := await(ctx, object, settledAs[object.GetKind()])
				Expect(health(object.GetKind(), settled.Object).Status).To(Equal("Healthy"))
			}
		}
		expectMountedToken(ctx, objects[2])
		expectNoDifference(ctx, objects, "--field-manager=argocd-controller")
	}, SpecTimeout(2*time.Minute))

	It("of Flux becomes ready, one Kustomization after the other, with the rights of its account", func(ctx SpecContext) {
		namespace := newTeam(ctx, "repository-flux")
		platform := built(ctx, "flux")
		for _, kind := range []string{"ServiceAccount", "Role", "RoleBinding"} {
			applyAs(ctx, one(platform, kind), namespace)
		}
		token, app := named(platform, "Kustomization", "payments-token"), named(platform, "Kustomization", "payments")
		Expect(token.Object["spec"]).To(HaveKeyWithValue("wait", true))
		Expect(app.Object["spec"]).To(HaveKeyWithValue("dependsOn", ConsistOf(map[string]any{"name": token.GetName()})))

		asFlux := []string{"--field-manager=kustomize-controller", "--as=system:serviceaccount:" + namespace + ":flux"}
		var all []*unstructured.Unstructured
		for _, kustomization := range []*unstructured.Unstructured{token, app} {
			By("applying " + kustomization.GetName())
			folder, _, _ := unstructured.NestedString(kustomization.Object, "spec", "path")
			for _, object := range built(ctx, "flux", folder) {
				applyAs(ctx, object, namespace, asFlux...)
				all = append(all, object)
			}
			if kustomization == token {
				for _, object := range all {
					result, err := status.Compute(await(ctx, object, settledAs[object.GetKind()]))
					Expect(err).NotTo(HaveOccurred())
					Expect(result.Status).To(Equal(status.CurrentStatus), result.Message)
				}
			}
		}
		expectMountedToken(ctx, one(all, "Deployment"))
		expectNoDifference(ctx, all, asFlux...)

		By("naming nothing in its health checks that isn't applied")
		checks, _, _ := unstructured.NestedSlice(app.Object, "spec", "healthChecks")
		Expect(checks).NotTo(BeEmpty())
		for _, check := range checks {
			of := check.(map[string]any)
			found := named(all, of["kind"].(string), of["name"].(string))
			Expect(found.GetAPIVersion()).To(Equal(of["apiVersion"]))
		}
	}, SpecTimeout(2*time.Minute))
})

var settledAs = map[string]conditions{"TokenIssuer": {"Ready": "True/IssuerVerified"}, "TokenRequest": ready}

// fetched is the folder of a module, in the cache that all modules are in.
func fetched(ctx SpecContext, module, sum string) string {
	GinkgoHelper()
	download := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	download.Dir = GinkgoT().TempDir() // outside of any module
	said, err := download.Output()
	Expect(err).NotTo(HaveOccurred(), string(said))
	var found struct{ Dir, Sum string }
	Expect(json.Unmarshal(said, &found)).To(Succeed())
	Expect(found.Sum).To(Equal(sum), module)
	return found.Dir
}

// newTeam makes a namespace with the Secret that is there before the repository.
func newTeam(ctx SpecContext, namespace string) string {
	GinkgoHelper()
	Expect(cluster.API.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
	Expect(cluster.API.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "graph-app"},
		StringData: map[string]string{operator.CredentialKey: "stssim-demo-secret"},
	})).To(Succeed())
	return namespace
}

// built are the objects of a folder of the samples as kustomize builds them, with the simulator in the place
// of Entra.
func built(ctx SpecContext, folder ...string) []*unstructured.Unstructured {
	GinkgoHelper()
	rendered, err := cluster.Kubectl(ctx, "", "kustomize", filepath.Join(repositories, filepath.Join(folder...)))
	Expect(err).NotTo(HaveOccurred(), rendered)
	const contoso = "contoso.onmicrosoft.com"
	rendered = strings.ReplaceAll(rendered, "https://login.microsoftonline.com/"+contoso, sim.EntraAuthority(contoso)+"/v2.0")
	var objects []*unstructured.Unstructured
	for decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(rendered)), 4096); ; {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		Expect(err).NotTo(HaveOccurred())
		objects = append(objects, object)
	}
}

func wave(object *unstructured.Unstructured) string {
	return object.GetAnnotations()["argocd.argoproj.io/sync-wave"]
}

func kindsOf(objects []*unstructured.Unstructured) (kinds []string) {
	for _, object := range objects {
		kinds = append(kinds, object.GetKind())
	}
	return kinds
}

// one is the only object of a kind.
func one(objects []*unstructured.Unstructured, kind string) *unstructured.Unstructured {
	GinkgoHelper()
	found := slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool { return o.GetKind() != kind })
	Expect(found).To(HaveLen(1), kind)
	return found[0]
}

func named(objects []*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	GinkgoHelper()
	return one(slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool { return o.GetName() != name }), kind)
}

// applyAs applies an object on the server's side, into another namespace than its own.
func applyAs(ctx SpecContext, object *unstructured.Unstructured, namespace string, flags ...string) {
	GinkgoHelper()
	object.SetNamespace(namespace)
	if subjects, found, _ := unstructured.NestedSlice(object.Object, "subjects"); found {
		subjects[0].(map[string]any)["namespace"] = namespace
		Expect(unstructured.SetNestedSlice(object.Object, subjects, "subjects")).To(Succeed())
	}
	printed, err := cluster.Kubectl(ctx, marshal(object.Object), append([]string{"apply", "--server-side", "-f", "-"}, flags...)...)
	Expect(err).NotTo(HaveOccurred(), printed)
}

// expectMountedToken looks for the token where a Deployment's pods will.
func expectMountedToken(ctx SpecContext, deployment *unstructured.Unstructured) {
	GinkgoHelper()
	volumes, _, _ := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "volumes")
	Expect(volumes).To(HaveLen(1))
	name, _, _ := unstructured.NestedString(volumes[0].(map[string]any), "secret", "secretName")
	secret := &corev1.Secret{}
	Expect(cluster.API.Get(ctx, client.ObjectKey{Namespace: deployment.GetNamespace(), Name: name}, secret)).To(Succeed())
	Expect(secret.Data["access_token"]).NotTo(BeEmpty())
}

func expectNoDifference(ctx SpecContext, objects []*unstructured.Unstructured, flags ...string) {
	GinkgoHelper()
	for _, object := range objects {
		printed, err := cluster.Kubectl(ctx, marshal(object.Object), append([]string{"diff", "--server-side", "-f", "-"}, flags...)...)
		Expect(err).NotTo(HaveOccurred(), "%s: %s", object.GetKind(), printed)
	}
}
