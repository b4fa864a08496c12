// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The cache takes in the Secrets that carry our label, and no more: cert-manager#4722 measured 8 GB
// for those of others.
func TestTheCacheHoldsOurSecretsAlone(t *testing.T) {
	selectorOf := func(t *testing.T, o cache.Options) labels.Selector {
		t.Helper()
		for object, by := range o.ByObject {
			if _, ok := object.(*corev1.Secret); ok && by.Label != nil && len(by.Namespaces) == 0 {
				return by.Label
			}
		}
		t.Fatalf("ByObject = %v, want Secrets by label", o.ByObject)
		return nil
	}
	tests := map[string]struct {
		labels labels.Set
		want   bool
	}{
		"one of ours":                           {labels.Set{"sts.tokenrequest.dev/managed": "true", "team": "payments"}, true},
		"one without labels":                    {nil, false},
		"one that was taken out":                {labels.Set{"sts.tokenrequest.dev/managed": "false"}, false},
		"one that names us as its manager only": {labels.Set{"app.kubernetes.io/managed-by": "tokenrequest-operator"}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, c := range []Config{{}, {WatchNamespaces: []string{"payments"}}} {
				if got := selectorOf(t, cacheOptions(c, &cachedRequests{})).Matches(test.labels); got != test.want {
					t.Errorf("with namespaces %q the cache holds %v: %t, want %t", c.WatchNamespaces, test.labels, got, test.want)
				}
			}
		})
	}
}

func TestTheCacheWatchesTheNamespacesThatAreServed(t *testing.T) {
	tests := map[string]struct{ namespaces, want []string }{
		"all, where none is named": {nil, nil},
		"those that are named":     {[]string{"payments", "orders"}, []string{"orders", "payments"}},
		"each once, however often": {[]string{"orders", "orders"}, []string{"orders"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := slices.Sorted(maps.Keys(cacheOptions(Config{WatchNamespaces: test.namespaces}, &cachedRequests{}).DefaultNamespaces))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("DefaultNamespaces (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheCacheDropsManagedFields(t *testing.T) {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "graph", ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}}}
	kept, err := cacheOptions(Config{}, &cachedRequests{}).DefaultTransform(s)
	if err != nil {
		t.Fatalf("DefaultTransform: %v", err)
	}
	if diff := cmp.Diff(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "graph"}}, kept); diff != "" {
		t.Errorf("what is kept (-want +got):\n%s", diff)
	}
}

// informers note what a cache is to hold.
type informers struct {
	cache.Informers

	of []string
}

func (i *informers) GetInformer(_ context.Context, object client.Object, _ ...cache.InformerGetOption) (cache.Informer, error) {
	i.of = append(i.of, fmt.Sprintf("%T %s", object, object.GetObjectKind().GroupVersionKind().Kind))
	return nil, nil
}

// test/ha has a replica that waits fill them, and be ready after that.
func TestTheCachesOfWatchesAreMadeBeforeTheLease(t *testing.T) {
	for name, test := range map[string]struct {
		namespaces []string
		want       []string
	}{
		"all namespaces": {nil, []string{"*v1.Secret ", "*v1.PartialObjectMetadata Namespace"}},
		"single ones, where no Namespace is read": {[]string{"payments"}, []string{"*v1.Secret "}},
	} {
		t.Run(name, func(t *testing.T) {
			made := &informers{}
			if err := fillCaches(t.Context(), made, Config{OperatorNamespace: defaultNamespace, WatchNamespaces: test.namespaces}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, made.of); diff != "" {
				t.Errorf("the caches (-want +got):\n%s", diff)
			}
		})
	}
}
