// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Each value changes what is said of it, which is a text of one object.
func TestValuesTakeEffect(t *testing.T) {
	const name = "/tokenrequest-operator"
	deployment := "Deployment " + namespace + name
	for value, test := range map[string]struct{ object, has string }{
		`replicas=3`: {deployment, "replicas: 3"},
		`image.repository="example.com:5000/operator"`: {deployment, "image: example.com:5000/operator:latest"},
		`image.tag="v1"`:                                                          {deployment, "image: tokenrequest-operator:v1"},
		`image.digest="` + digest + `"`:                                           {deployment, "image: tokenrequest-operator@" + digest},
		`image.pullPolicy="Always"`:                                               {deployment, "imagePullPolicy: Always"},
		`imagePullSecrets=[{"name":"pull"}]`:                                      {deployment, "imagePullSecrets:\n      - name: pull"},
		`extraArgs=["--require-allowed-hosts"]`:                                   {deployment, "- --require-allowed-hosts"},
		`env=[{"name":"HTTPS_PROXY","value":"http://proxy"}]`:                     {deployment, "- name: HTTPS_PROXY\n          value: http://proxy"},
		`resources.limits.memory="1Gi"`:                                           {deployment, "memory: 1Gi"},
		`podAnnotations={"a/b":"1"}`:                                              {deployment, `a/b: "1"`},
		`podLabels={"a/b":"1"}`:                                                   {deployment, `a/b: "1"`},
		`priorityClassName="system-cluster-critical"`:                             {deployment, "priorityClassName: system-cluster-critical"},
		`nodeSelector={"kubernetes.io/os":"linux"}`:                               {deployment, "nodeSelector:\n        kubernetes.io/os: linux"},
		`tolerations=[{"operator":"Exists"}]`:                                     {deployment, "tolerations:\n      - operator: Exists"},
		`affinity={"nodeAffinity":{"a":1}}`:                                       {deployment, "affinity:\n        nodeAffinity:"},
		`monitoring.enabled=false`:                                                {deployment, "--metrics-bind-address=0"},
		`commonLabels={"team":"identity"}`:                                        {"Role " + namespace + "/tokenrequest-throttle", "team: identity"},
		`admissionPolicies.audiences={"shop":"https://sts.example.com"}`:          {"ConfigMap " + namespace + "/tokenrequest-audiences", "shop: https://sts.example.com"},
		`podDisruptionBudget={"maxUnavailable":1}`:                                {"PodDisruptionBudget " + namespace + name, "maxUnavailable: 1"},
		`networkPolicy.egress={"enabled":true,"ports":[8443]}`:                    {"NetworkPolicy " + namespace + name + "-egress", "port: 8443"},
		`monitoring.serviceMonitor={"enabled":true,"interval":"15s"}`:             {"ServiceMonitor " + namespace + name, "interval: 15s"},
		`monitoring.serviceMonitor={"enabled":true,"labels":{"release":"stack"}}`: {"ServiceMonitor " + namespace + name, "release: stack"},
		`monitoring.prometheusRule={"enabled":true,"labels":{"release":"stack"}}`: {"PrometheusRule " + namespace + name, "release: stack"},
	} {
		t.Run(value, func(t *testing.T) {
			object := objects(t, render(t, namespace, value))[test.object]
			if object == nil {
				t.Fatalf("there is no %s", test.object)
			}
			text, err := yaml.Marshal(object.Object)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), test.has) {
				t.Errorf("%q isn't in\n%s", test.has, text)
			}
		})
	}
}

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestPartsCanBeLeftOut(t *testing.T) {
	all := kinds(objects(t, render(t, namespace)))
	for value, gone := range map[string][]string{
		`crds.enabled=false`:                {"CustomResourceDefinition"},
		`admissionPolicies.enabled=false`:   {"ConfigMap", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"},
		`podDisruptionBudget.enabled=false`: {"PodDisruptionBudget"},
		`networkPolicy.enabled=false`:       {"NetworkPolicy"},
		`monitoring.enabled=false`:          {"Service"},
	} {
		t.Run(value, func(t *testing.T) {
			want := maps.Clone(all)
			for _, kind := range gone {
				delete(want, kind)
			}
			if got := kinds(objects(t, render(t, namespace, value))); !maps.Equal(got, want) {
				t.Errorf("the chart has %v, want %v", got, want)
			}
		})
	}
}

func kinds(all map[string]*unstructured.Unstructured) map[string]int {
	count := map[string]int{}
	for _, object := range all {
		count[object.GetKind()]++
	}
	return count
}

// The CRDs outlive the release by an annotation, unless that is not wanted.
func TestCRDsAreKept(t *testing.T) {
	const annotation = "helm.sh/resource-policy: keep"
	if kept := strings.Count(string(render(t, namespace)), annotation); kept != 3 {
		t.Errorf("%d objects are kept, want the 3 CRDs", kept)
	}
	if kept := strings.Count(string(render(t, namespace, "crds.keep=false")), annotation); kept != 0 {
		t.Errorf("%d objects are kept against crds.keep", kept)
	}
}

func TestWrongValuesAreRefused(t *testing.T) {
	for value, says := range map[string]string{
		`replicaCount=3`:               "additional properties 'replicaCount' not allowed",
		`image.name="x"`:               "at '/image': additional properties 'name' not allowed",
		`replicas="2"`:                 "at '/replicas': got string, want integer",
		`replicas=0`:                   "at '/replicas': minimum: got 0, want 1",
		`image.pullPolicy="Sometimes"`: "at '/image/pullPolicy': value must be one of 'Always', 'IfNotPresent', 'Never'",
		`image.repository="example.com/operator:v1"`:           "at '/image/repository'",
		`image.digest="sha256:12"`:                             "at '/image/digest'",
		`imagePullSecrets=["pull"]`:                            "at '/imagePullSecrets/0': got string, want object",
		`watchNamespaces="payments"`:                           "at '/watchNamespaces': got string, want array",
		`watchNamespaces=["Payments"]`:                         "at '/watchNamespaces/0': 'Payments' does not match pattern",
		`watchNamespaces=["payments","payments"]`:              "at '/watchNamespaces': items at 0 and 1 are equal",
		`watchNamespaces=["tokenrequest-system"]`:              "watchNamespaces names the operator's own namespace tokenrequest-system",
		`extraArgs=["require-allowed-hosts"]`:                  "at '/extraArgs/0'",
		`extraArgs=["--watch-namespaces=payments"]`:            "extraArgs has --watch-namespaces=payments; set watchNamespaces",
		`podLabels={"app.kubernetes.io/component":"other"}`:    "at '/podLabels'",
		`podAnnotations={"a":1}`:                               "at '/podAnnotations/a': got number, want string",
		`podDisruptionBudget.maxUnavailable=2`:                 "podDisruptionBudget.maxUnavailable is 2 of 2 replicas",
		`podDisruptionBudget.maxUnavailable="50%"`:             "at '/podDisruptionBudget/maxUnavailable': got string, want integer",
		`networkPolicy.egress.ports=[70000]`:                   "at '/networkPolicy/egress/ports/0': maximum: got 70,000, want 65,535",
		`crds.keep="yes"`:                                      "at '/crds/keep': got string, want boolean",
		`monitoring.serviceMonitor.interval="often"`:           "at '/monitoring/serviceMonitor/interval'",
		`monitoring.prometheusRule.interval="30s"`:             "at '/monitoring/prometheusRule': additional properties 'interval' not allowed",
		`monitoring.prometheusRule.enabled="yes"`:              "at '/monitoring/prometheusRule/enabled': got string, want boolean",
		`affinity={"podAntiAfinity":{}}`:                       "at '/affinity': additional properties 'podAntiAfinity' not allowed",
		`admissionPolicies.audiences=["https://example.com"]`:  "at '/admissionPolicies/audiences': got array, want object",
		`resources={"requests":{"cpu":null},"memory":"256Mi"}`: "at '/resources': additional properties 'memory' not allowed",
	} {
		t.Run(value, func(t *testing.T) {
			if said := refusal(t, value); !strings.Contains(said, says) {
				t.Errorf("Helm says\n%s\nwant %s", said, says)
			}
		})
	}
}

func TestReadmeHasEveryValue(t *testing.T) {
	text, err := os.ReadFile(chart + "/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{}
	if err := yaml.UnmarshalStrict(text, &values); err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(chart + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for line := range strings.Lines(string(readme)) {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			documented = append(documented, strings.SplitN(name, "`", 2)[0])
		}
	}
	want := names("", values)
	slices.Sort(documented)
	slices.Sort(want)
	if !slices.Equal(documented, want) {
		t.Errorf("README.md has the values\n%q, values.yaml has\n%q", documented, want)
	}
}

// names are those of all values that have no others below them.
func names(prefix string, values map[string]any) []string {
	var all []string
	for name, value := range values {
		if below, ok := value.(map[string]any); ok && len(below) > 0 && name != "resources" {
			all = append(all, names(prefix+name+".", below)...)
			continue
		}
		all = append(all, prefix+name)
	}
	return all
}
