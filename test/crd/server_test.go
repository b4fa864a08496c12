// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package crd_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// namespace is where the namespaced objects of these tests go.
const namespace = "default"

// server is an API server that has the CRDs installed.
type server struct {
	objects *dynamic.DynamicClient
	http    *http.Client
	url     string
}

// start runs an API server until the test ends. That it takes the CRDs proves that the estimated
// cost of their rules is within the budget.
func start(t *testing.T) *server {
	t.Helper()
	environment := &envtest.Environment{
		CRDDirectoryPaths:     []string{bases},
		ErrorIfCRDPathMissing: true,
	}
	config, err := environment.Start()
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stopping the API server: %v", err)
		}
	})
	if err != nil {
		t.Fatalf("starting an API server with the CRDs (KUBEBUILDER_ASSETS names its folder): %v", err)
	}
	config.QPS = -1 // the tests are the only client
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := dynamic.NewForConfigAndClient(config, client)
	if err != nil {
		t.Fatal(err)
	}
	return &server{objects: objects, http: client, url: config.Host}
}

// of returns the client for objects of obj's kind.
func (s *server) of(obj *unstructured.Unstructured) dynamic.ResourceInterface {
	resource := s.objects.Resource(stsv1alpha1.GroupVersion.WithResource(strings.ToLower(obj.GetKind()) + "s"))
	if obj.GetKind() == "ClusterTokenIssuer" {
		return resource
	}
	return resource.Namespace(namespace)
}

// tryCreate has the API server judge the creation of obj, and returns what it would have stored.
func (s *server) tryCreate(t *testing.T, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	t.Helper()
	return s.of(obj).Create(t.Context(), obj, metav1.CreateOptions{
		DryRun:          []string{metav1.DryRunAll},
		FieldValidation: metav1.FieldValidationStrict,
	})
}

// tryUpdate has the API server judge the update of stored to obj.
func (s *server) tryUpdate(t *testing.T, stored, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	t.Helper()
	obj = obj.DeepCopy()
	obj.SetName(stored.GetName())
	obj.SetResourceVersion(stored.GetResourceVersion())
	return s.of(obj).Update(t.Context(), obj, metav1.UpdateOptions{
		DryRun:          []string{metav1.DryRunAll},
		FieldValidation: metav1.FieldValidationStrict,
	})
}

// create stores obj until the test ends.
func (s *server) create(t *testing.T, obj *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	stored, err := s.of(obj).Create(t.Context(), obj, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		t.Fatalf("storing %s %s: %v", obj.GetKind(), obj.GetName(), err)
	}
	t.Cleanup(func() {
		if err := s.of(obj).Delete(context.WithoutCancel(t.Context()), obj.GetName(), metav1.DeleteOptions{}); err != nil {
			t.Errorf("deleting %s %s: %v", obj.GetKind(), obj.GetName(), err)
		}
	})
	return stored
}
