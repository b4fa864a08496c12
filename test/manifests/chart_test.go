// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

const chart = "../../charts/tokenrequest-operator"

func TestChartInstallsWhatKustomizeDoes(t *testing.T) {
	for name, test := range map[string]struct {
		kustomizations []string
		values         []string
	}{
		"by default":                {[]string{"default"}, nil},
		"for one namespace":         {[]string{"namespaced"}, []string{`watchNamespaces=["payments"]`}},
		"with a restricted way out": {[]string{"default", "network-policy/egress"}, []string{"networkPolicy.egress.enabled=true"}},
	} {
		t.Run(name, func(t *testing.T) {
			want := map[string]*unstructured.Unstructured{}
			for _, kustomization := range test.kustomizations {
				for key, object := range objects(t, kustomize(t, kustomization)) {
					if object.GetKind() != "Namespace" { // which whoever installs a chart makes
						want[key] = object
					}
				}
			}
			if diff := cmp.Diff(want, objects(t, render(t, namespace, test.values...))); diff != "" {
				t.Errorf("(-kustomize +helm):\n%s", diff)
			}
		})
	}
}

// The policies and bindings name the operator's account with its namespace.
func TestChartInstallsIntoAnyNamespace(t *testing.T) {
	values := []string{`watchNamespaces=["payments"]`, "networkPolicy.egress.enabled=true", "monitoring.prometheusRule.enabled=true", "monitoring.serviceMonitor.enabled=true"}
	elsewhere := render(t, "elsewhere", values...)
	for line := range strings.Lines(string(elsewhere)) {
		// What is a description of the API tells of the usual namespace.
		if strings.Contains(line, namespace) {
			t.Errorf("in another namespace there is still %s", line)
		}
	}
	moved := strings.ReplaceAll(string(render(t, namespace, values...)), namespace, "elsewhere")
	if diff := cmp.Diff(objects(t, []byte(moved)), objects(t, elsewhere)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What the Prometheus operator reads is off in the chart, and is else what config/monitoring has: Helm must not take
// Prometheus' templates for its own, and the template of the ServiceMonitor is written by hand.
func TestChartIsMonitoredAsKustomizeIs(t *testing.T) {
	want := objects(t, kustomize(t, "monitoring"))
	got := objects(t, render(t, namespace, `monitoring.serviceMonitor.enabled=true`, `monitoring.prometheusRule.enabled=true`))
	rules := "PrometheusRule " + namespace + "/tokenrequest-operator"
	monitor := "ServiceMonitor " + namespace + "/tokenrequest-operator"
	if got[rules] == nil || got[monitor] == nil {
		t.Fatalf("the chart has no %s, or no %s", rules, monitor)
	}
	if diff := cmp.Diff(want[rules], got[rules]); diff != "" {
		t.Errorf("(-kustomize +helm):\n%s", diff)
	}
	// The chart's own: its release, and how often.
	selector := []string{"spec", "selector", "matchLabels", "app.kubernetes.io/instance"}
	if release, _, _ := unstructured.NestedString(got[monitor].Object, selector...); release != "tokenrequest" {
		t.Errorf("the ServiceMonitor selects the release %q", release)
	}
	unstructured.RemoveNestedField(got[monitor].Object, selector...)
	endpoints, _, _ := unstructured.NestedSlice(got[monitor].Object, "spec", "endpoints")
	for i := range endpoints {
		delete(endpoints[i].(map[string]any), "interval")
	}
	if err := unstructured.SetNestedSlice(got[monitor].Object, endpoints, "spec", "endpoints"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[monitor], got[monitor]); diff != "" {
		t.Errorf("(-kustomize +helm):\n%s", diff)
	}
}

func TestChartServesSeveralNamespaces(t *testing.T) {
	all := objects(t, render(t, namespace, `watchNamespaces=["payments","shop"]`))
	for _, served := range []string{"payments", "shop"} {
		for _, kind := range []string{"Role", "RoleBinding"} {
			if all[kind+" "+served+"/tokenrequest-operator"] == nil {
				t.Errorf("no %s in %s", kind, served)
			}
		}
	}
	if args := deployment(t, all).Spec.Template.Spec.Containers[0].Args; !slices.Contains(args, "--watch-namespaces=payments,shop") {
		t.Errorf("the operator is started with %q", args)
	}
}

// kustomize builds a folder of config.
func kustomize(t *testing.T, folder string) []byte {
	t.Helper()
	built, _ := run(t, nil, filepath.Join(assets(), "kubectl"), "kustomize", "../../config/"+folder)
	return built
}

// render has Helm render the chart with values, each written as name=value.
func render(t *testing.T, namespace string, values ...string) []byte {
	t.Helper()
	rendered, _ := run(t, nil, "../../bin/helm", arguments(namespace, values)...)
	return rendered
}

func arguments(namespace string, values []string) []string {
	arguments := []string{"template", "tokenrequest", chart, "--namespace", namespace, "--kube-version", "1.37.0"}
	for _, value := range values {
		arguments = append(arguments, "--set-json", value)
	}
	return arguments
}

// refusal is what Helm says of values that it doesn't take.
func refusal(t *testing.T, values ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "../../bin/helm", arguments(namespace, values)...).CombinedOutput()
	if err == nil {
		t.Fatalf("Helm takes %q", values)
	}
	return string(out)
}

// objects are those of manifests by kind, namespace and name, without the marks that Helm's charts have.
func objects(t *testing.T, manifests []byte) map[string]*unstructured.Unstructured {
	t.Helper()
	all := map[string]*unstructured.Unstructured{}
	for text := range strings.SplitSeq("\n"+string(manifests), "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict([]byte(text), &object.Object); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if len(object.Object) == 0 {
			continue // comments alone
		}
		for _, label := range []string{"app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"} {
			if _, ok := object.GetLabels()[label]; !ok && bytes.Contains(manifests, []byte("helm.sh/chart")) {
				t.Errorf("%s %s has no label %s", object.GetKind(), object.GetName(), label)
			}
			unstructured.RemoveNestedField(object.Object, "metadata", "labels", label)
		}
		unstructured.RemoveNestedField(object.Object, "metadata", "annotations", "helm.sh/resource-policy")
		key := object.GetKind() + " " + object.GetNamespace() + "/" + object.GetName()
		if all[key] != nil {
			t.Errorf("%s is there twice", key)
		}
		all[key] = object
	}
	return all
}

func deployment(t *testing.T, all map[string]*unstructured.Unstructured) *appsv1.Deployment {
	t.Helper()
	var typed appsv1.Deployment
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(all["Deployment "+namespace+"/tokenrequest-operator"].Object, &typed); err != nil {
		t.Fatal(err)
	}
	return &typed
}
