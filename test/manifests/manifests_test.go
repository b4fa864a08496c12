// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package manifests proves that an API server takes what config/ installs, and that the roles give
// the operator what it needs and not more.
package manifests

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

const (
	namespace = "tokenrequest-system"
	operator  = "system:serviceaccount:tokenrequest-system:tokenrequest-operator"
)

func TestDefaultInstallation(t *testing.T) {
	in := start(t)
	in.apply(t, "../../config/default")

	t.Run("the API server takes the samples", func(t *testing.T) {
		in.kubectl(t, nil, "wait", "--for=condition=Established", "crd", "--all")
		in.apply(t, "../../config/samples", "--dry-run=server")
	})
	t.Run("and the policy of what the operator may reach", func(t *testing.T) { in.apply(t, "../../config/network-policy/egress") })
	t.Run("the metrics Service finds the operator's pods", func(t *testing.T) { testService(t, in.Client) })
	t.Run("the namespace admits the operator's pods and none that want more", func(t *testing.T) { testPodSecurity(t, in.Client) })
	t.Run("what is said of the operator's pods is said of all of them", func(t *testing.T) { testSelectors(t, in.Client) })
	t.Run("the policies are about the account that has the roles", func(t *testing.T) { testPolicies(t, in.Client) })
	t.Run("roles", func(t *testing.T) { testRoles(t, in.Client) })
}

func TestNamespacedInstallation(t *testing.T) {
	in := start(t)
	if err := in.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "payments"}}); err != nil {
		t.Fatal(err)
	}
	in.apply(t, "../../config/namespaced")

	if args := deployed(t, in.Client).Spec.Template.Spec.Containers[0].Args; !slices.Contains(args, "--watch-namespaces=payments") {
		t.Errorf("the operator is started with %q, and so serves other namespaces than its roles are for", args)
	}
	t.Run("the role is that of all namespaces, but for what has none", func(t *testing.T) { testNamespacedRole(t, in) })
	t.Run("roles", func(t *testing.T) {
		testAccess(t, in.Client, []access{
			{"the operator may write token Secrets of the namespace", true, attributes("patch", "", "secrets", "payments", "graph-token")},
			{"the operator may have tokens reviewed", true, attributes("create", "authentication.k8s.io", "tokenreviews", "", "")},
			{"the operator may say in its own namespace what is wrong there", true, attributes("create", "events.k8s.io", "events", namespace, "")},
			{"the operator may not read Secrets elsewhere", false, attributes("get", "", "secrets", "shop", "graph-token")},
			{"the operator may not read those of its own namespace", false, attributes("get", "", "secrets", namespace, "any")},
			{"the operator may not read Secrets of all namespaces", false, attributes("list", "", "secrets", "", "")},
			{"the operator may not make tokens of ServiceAccounts elsewhere", false,
				subresource("create", "serviceaccounts", "token", "shop", "default")},
		})
	})
}

func testService(t *testing.T, c client.Client) {
	var service corev1.Service
	get(t, c, "tokenrequest-operator-metrics", &service)
	pod := deployed(t, c).Spec.Template
	if !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod.Labels)) {
		t.Errorf("selector %v doesn't match pods labelled %v", service.Spec.Selector, pod.Labels)
	}
	if target := service.Spec.Ports[0].TargetPort.StrVal; !slices.Contains(portNames(pod), target) {
		t.Errorf("no container port is named %q", target)
	}
}

// testPodSecurity asks the API server's admission of pods. A Deployment passes without.
func testPodSecurity(t *testing.T, c client.Client) {
	template := deployed(t, c).Spec.Template
	pod := func(change func(*corev1.PodSpec)) error {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "tried", Labels: template.Labels}, Spec: *template.Spec.DeepCopy()}
		change(&pod.Spec)
		return c.Create(t.Context(), pod, client.DryRunAll)
	}
	if err := pod(func(*corev1.PodSpec) {}); err != nil {
		t.Errorf("the operator's pod is refused: %v", err)
	}
	for name, more := range map[string]func(*corev1.PodSpec){
		"the node's network": func(s *corev1.PodSpec) { s.HostNetwork = true },
		"root":               func(s *corev1.PodSpec) { s.SecurityContext.RunAsNonRoot = nil },
		"a capability": func(s *corev1.PodSpec) {
			s.Containers[0].SecurityContext.Capabilities.Add = []corev1.Capability{"SYS_ADMIN"}
		},
	} {
		if err := pod(more); err == nil || !strings.Contains(err.Error(), "restricted") {
			t.Errorf("a pod that wants %s gets the error %v, want one of the standard restricted", name, err)
		}
	}
}

// testSelectors holds everything that selects the operator's pods against the Deployment's template.
func testSelectors(t *testing.T, c client.Client) {
	deployment := deployed(t, c)
	pod := deployment.Spec.Template
	selectors := map[string]*metav1.LabelSelector{}
	for _, spread := range pod.Spec.TopologySpreadConstraints {
		selectors["the spread over "+spread.TopologyKey] = spread.LabelSelector
	}
	var budget policyv1.PodDisruptionBudget
	get(t, c, "tokenrequest-operator", &budget)
	selectors["the disruption budget"] = budget.Spec.Selector
	for _, direction := range []string{"ingress", "egress"} {
		var policy networkingv1.NetworkPolicy
		get(t, c, "tokenrequest-operator-"+direction, &policy)
		selectors["the network policy "+policy.Name] = &policy.Spec.PodSelector
		for _, rule := range policy.Spec.Ingress {
			for _, port := range rule.Ports {
				if !slices.Contains(portNames(pod), port.Port.StrVal) {
					t.Errorf("network policy %s names the port %s, which the pods don't have", policy.Name, port.Port)
				}
			}
		}
	}
	for name, selector := range selectors {
		matches, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil || matches.Empty() || !matches.Matches(labels.Set(pod.Labels)) {
			t.Errorf("%s selects %s, not the pods labelled %v (%v)", name, metav1.FormatLabelSelector(selector), pod.Labels, err)
		}
	}
	if allowed := budget.Spec.MaxUnavailable.IntValue(); allowed < 1 || allowed >= int(*deployment.Spec.Replicas) {
		t.Errorf("%d of %d replicas may be evicted at once: drains wait for ever, or nobody is left to lead", allowed, *deployment.Spec.Replicas)
	}
}

// testPolicies: the text of an expression is out of sight for kustomize.
func testPolicies(t *testing.T, c client.Client) {
	var policies admissionregistrationv1.ValidatingAdmissionPolicyList
	var bindings admissionregistrationv1.ValidatingAdmissionPolicyBindingList
	for _, list := range []client.ObjectList{&policies, &bindings} {
		if err := c.List(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	bound := map[string]*admissionregistrationv1.ParamRef{}
	for _, binding := range bindings.Items {
		if !slices.Equal(binding.Spec.ValidationActions, []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}) {
			t.Errorf("binding %s doesn't refuse anything", binding.Name)
		}
		bound[binding.Spec.PolicyName] = binding.Spec.ParamRef
	}
	if len(policies.Items) != 3 {
		t.Errorf("%d policies are installed, want 3", len(policies.Items))
	}
	for _, policy := range policies.Items {
		param, binds := bound[policy.Name]
		if !binds {
			t.Errorf("policy %s binds nobody", policy.Name)
		}
		conditions := policy.Spec.MatchConditions
		if len(conditions) != 1 || conditions[0].Expression != "request.userInfo.username == '"+operator+"'" {
			t.Errorf("policy %s is about %v, want %s", policy.Name, conditions, operator)
		}
		if param != nil {
			get(t, c, param.Name, &corev1.ConfigMap{})
		}
	}
}

// testNamespacedRole holds the role that is written out for a namespace against the generated one.
func testNamespacedRole(t *testing.T, in installation) {
	text, err := os.ReadFile("../../config/rbac/role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict(text, &all); err != nil {
		t.Fatal(err)
	}
	var one rbacv1.Role
	if err := in.Get(t.Context(), client.ObjectKey{Namespace: "payments", Name: "tokenrequest-operator"}, &one); err != nil {
		t.Fatal(err)
	}
	want := permissions(all.Rules)
	maps.DeleteFunc(want, func(permission string, _ bool) bool {
		for _, clusters := range []string{"namespaces", "clustertokenissuers", "clustertokenissuers/status", "tokenreviews"} {
			if strings.HasSuffix(permission, " "+clusters) {
				return true
			}
		}
		return false
	})
	if got := permissions(one.Rules); !maps.Equal(got, want) {
		t.Errorf("the Role of config/namespaced gives\n%v\nwant\n%v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// permissions are the rules one by one: verb, group and resource.
func permissions(rules []rbacv1.PolicyRule) map[string]bool {
	all := map[string]bool{}
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					all[verb+" "+group+" "+resource] = true
				}
			}
		}
	}
	return all
}

func deployed(t *testing.T, c client.Client) *appsv1.Deployment {
	t.Helper()
	var deployment appsv1.Deployment
	get(t, c, "tokenrequest-operator", &deployment)
	return &deployment
}

func portNames(pod corev1.PodTemplateSpec) []string {
	var names []string
	for _, port := range pod.Spec.Containers[0].Ports {
		names = append(names, port.Name)
	}
	return names
}

// get reads an object of the operator's namespace.
func get(t *testing.T, c client.Client, name string, object client.Object) {
	t.Helper()
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, object); err != nil {
		t.Fatal(err)
	}
}

func testRoles(t *testing.T, c client.Client) {
	testAccess(t, c, []access{
		{"the operator may renew its lease", true,
			attributes("update", "coordination.k8s.io", "leases", namespace, "tokenrequest-operator")},
		{"the operator may write what it remembers of throttling", true,
			attributes("update", "", "configmaps", namespace, "tokenrequest-throttle")},
		{"the operator may find out who reads its metrics", true,
			attributes("create", "authorization.k8s.io", "subjectaccessreviews", "", "")},
		{"the operator may write token Secrets anywhere", true,
			attributes("patch", "", "secrets", "payments", "graph-token")},
		{"the operator may say in events what happened", true,
			attributes("create", "events.k8s.io", "events", "payments", "")},
		{"the operator may not write other ConfigMaps of its namespace", false,
			attributes("patch", "", "configmaps", namespace, "kube-root-ca.crt")},
		{"the operator may not write ConfigMaps elsewhere", false,
			attributes("patch", "", "configmaps", "payments", "tokenrequest-throttle")},
		{"the operator may not change what is asked of it", false,
			attributes("update", "sts.tokenrequest.dev", "tokenrequests", "payments", "graph")},
		{"the operator may not widen its own role", false,
			attributes("update", "rbac.authorization.k8s.io", "clusterroles", "", "tokenrequest-operator")},
	})
}

// access is whether the operator may do something.
type access struct {
	name string
	may  bool
	authorizationv1.ResourceAttributes
}

func testAccess(t *testing.T, c client.Client, tests []access) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			may := func(ctx context.Context) (bool, error) {
				review := authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
					User: operator, ResourceAttributes: &test.ResourceAttributes,
				}}
				err := c.Create(ctx, &review)
				return review.Status.Allowed, err
			}
			if test.may {
				// Roles reach the authorizer through a watch.
				if err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 10*time.Second, true, may); err != nil {
					t.Errorf("not allowed: %v", err)
				}
				return
			}
			if allowed, err := may(t.Context()); allowed || err != nil {
				t.Errorf("allowed: %t, error: %v", allowed, err)
			}
		})
	}
}

func attributes(verb, group, resource, namespace, name string) authorizationv1.ResourceAttributes {
	return authorizationv1.ResourceAttributes{
		Verb: verb, Group: group, Resource: resource, Namespace: namespace, Name: name,
	}
}

func subresource(verb, resource, subresource, namespace, name string) authorizationv1.ResourceAttributes {
	of := attributes(verb, "", resource, namespace, name)
	of.Subresource = subresource
	return of
}

// installation is an API server, an administrator's client of it, and kubectl.
type installation struct {
	client.Client

	binary, kubeconfig string
}

func start(t *testing.T) installation {
	t.Helper()
	c, kubeconfig := startAPIServer(t, assets())
	return installation{Client: c, binary: filepath.Join(assets(), "kubectl"), kubeconfig: kubeconfig}
}

// assets is the folder with the programs of a control plane.
func assets() string {
	return cmp.Or(os.Getenv("KUBEBUILDER_ASSETS"), filepath.FromSlash("../../bin/controlplane"))
}

// apply applies a kustomization as users do. Not even a warning is fine.
func (in installation) apply(t *testing.T, kustomization string, options ...string) {
	t.Helper()
	manifests, _ := run(t, nil, in.binary, "kustomize", kustomization)
	if warnings := in.kubectl(t, manifests, append([]string{"apply", "--server-side", "--validate=strict", "-f", "-"}, options...)...); len(warnings) > 0 {
		t.Errorf("The API server takes the manifests, but warns:\n%s", warnings)
	}
}

// kubectl returns what kubectl wrote to standard error.
func (in installation) kubectl(t *testing.T, stdin []byte, arguments ...string) []byte {
	t.Helper()
	_, stderr := run(t, stdin, in.binary, append([]string{"--kubeconfig", in.kubeconfig}, arguments...)...)
	return stderr
}

// startAPIServer returns a client of a new API server and the path of a kubeconfig for it.
func startAPIServer(t *testing.T, assets string) (client.Client, string) {
	t.Helper()
	environment := &envtest.Environment{BinaryAssetsDirectory: assets}
	config, err := environment.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error(err)
		}
	})
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, environment.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	return c, kubeconfig
}

// run returns what the command wrote to standard output and to standard error.
func run(t *testing.T, stdin []byte, command string, arguments ...string) ([]byte, []byte) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c := exec.CommandContext(t.Context(), command, arguments...)
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	if err := c.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(c.Args, " "), err, stderr.Bytes())
	}
	return stdout.Bytes(), stderr.Bytes()
}
