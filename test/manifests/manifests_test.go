// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package manifests proves that an API server takes what config/ installs, and that the roles give
// the operator what it needs and not more.
package manifests

import (
	"bytes"
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const (
	namespace = "tokenrequest-system"
	operator  = "system:serviceaccount:tokenrequest-system:tokenrequest-operator"
)

func TestDefaultInstallation(t *testing.T) {
	assets := cmp.Or(os.Getenv("KUBEBUILDER_ASSETS"), filepath.FromSlash("../../bin/controlplane"))
	c, kubeconfig := startAPIServer(t, assets)
	kubectl := filepath.Join(assets, "kubectl")

	apply := func(t *testing.T, kustomization string, options ...string) {
		t.Helper()
		manifests, _ := run(t, nil, kubectl, "kustomize", kustomization)
		_, warnings := run(t, manifests, kubectl, append([]string{"--kubeconfig", kubeconfig,
			"apply", "--server-side", "--validate=strict", "-f", "-"}, options...)...)
		if len(warnings) > 0 {
			t.Errorf("The API server takes the manifests, but warns:\n%s", warnings)
		}
	}
	apply(t, "../../config/default")

	t.Run("the API server takes the samples", func(t *testing.T) {
		run(t, nil, kubectl, "--kubeconfig", kubeconfig, "wait", "--for=condition=Established", "crd", "--all")
		apply(t, "../../config/samples", "--dry-run=server")
	})
	t.Run("the metrics Service finds the operator's pods", func(t *testing.T) { testService(t, c) })
	t.Run("roles", func(t *testing.T) { testRoles(t, c) })
}

func testService(t *testing.T, c client.Client) {
	var service corev1.Service
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "tokenrequest-operator-metrics"}, &service); err != nil {
		t.Fatal(err)
	}
	var deployment appsv1.Deployment
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "tokenrequest-operator"}, &deployment); err != nil {
		t.Fatal(err)
	}
	pod := deployment.Spec.Template
	if !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod.Labels)) {
		t.Errorf("selector %v doesn't match pods labelled %v", service.Spec.Selector, pod.Labels)
	}
	target := service.Spec.Ports[0].TargetPort.StrVal
	for _, port := range pod.Spec.Containers[0].Ports {
		if port.Name == target {
			return
		}
	}
	t.Errorf("no container port is named %q", target)
}

func testRoles(t *testing.T, c client.Client) {
	tests := []struct {
		name string
		may  bool
		authorizationv1.ResourceAttributes
	}{
		{"the operator may renew its lease", true,
			attributes("update", "coordination.k8s.io", "leases", namespace, "tokenrequest-operator")},
		{"the operator may write what it remembers of throttling", true,
			attributes("patch", "", "configmaps", namespace, "tokenrequest-throttle")},
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
	}
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
