// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// lagging is a cache that hasn't heard of any namespace, or hasn't any more.
type lagging struct{ client.Client }

func (lagging) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, key.Name)
}

// listing is the API server for who may list namespaces and not get them, as the operator may.
type listing struct {
	there []metav1.PartialObjectMetadata
}

func (listing) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: "namespaces"}, key.Name, errors.New("no such right"))
}

func (l listing) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	asked := (&client.ListOptions{}).ApplyOptions(options)
	into := list.(*metav1.PartialObjectMetadataList)
	for _, namespace := range l.there {
		if name, only := asked.FieldSelector.RequiresExactMatch(metav1.ObjectNameField); !only || name == namespace.Name {
			into.Items = append(into.Items, namespace)
		}
	}
	return nil
}

// The watch of namespaces and that of requests run apart: a request may be known before its namespace
// is, and after that is gone. On a busy machine the operator then asked for what it has no right to.
func TestANamespaceThatTheCacheHasNotIsAskedFor(t *testing.T) {
	now := metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	other := metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "other"}}
	for name, test := range map[string]struct {
		there []metav1.PartialObjectMetadata
		ends  bool
	}{
		"a new one":         {[]metav1.PartialObjectMetadata{other, {ObjectMeta: metav1.ObjectMeta{Name: "payments"}}}, false},
		"one that ends":     {[]metav1.PartialObjectMetadata{other, {ObjectMeta: metav1.ObjectMeta{Name: "payments", DeletionTimestamp: &now}}}, true},
		"one that has gone": {[]metav1.PartialObjectMetadata{other}, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Reconciler{Client: lagging{}, Live: listing{there: test.there}, OperatorNamespace: "tokenrequest-system"}
			request := &stsv1alpha1.TokenRequest{ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "graph"}}
			ends, err := r.namespaceEnds(t.Context(), newAttempt(request, now.Time))
			if err != nil || ends != test.ends {
				t.Errorf("it ends: %t, %v", ends, err)
			}
		})
	}
}
