// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// Each watched namespace has an informer of its own.
func TestTheRequestsOfAllInformersAreFound(t *testing.T) {
	requests := &cachedRequests{}
	named := func(namespace string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: "graph"}
	}
	for _, object := range []runtime.Object{
		&stsv1alpha1.TokenRequest{ObjectMeta: named("payments")},
		&corev1.Secret{ObjectMeta: named("payments")},
		&stsv1alpha1.TokenRequest{ObjectMeta: named("orders")},
	} {
		informer := requests.newInformer(&toolscache.ListWatch{}, object, 0, toolscache.Indexers{})
		if err := informer.GetStore().Add(object); err != nil {
			t.Fatal(err)
		}
	}
	var found []string
	for request := range requests.all {
		found = append(found, request.Namespace)
	}
	if want := []string{"payments", "orders"}; !slices.Equal(found, want) {
		t.Errorf("found those of %v, want %v", found, want)
	}
	for request := range requests.all {
		if request.Namespace != "payments" {
			t.Errorf("went on to %s after the loop had ended", request.Namespace)
		}
		break
	}
}
