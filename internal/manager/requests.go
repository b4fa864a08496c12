// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// cachedRequests are the informers of TokenRequests: one, or one for each watched namespace. A client's List
// copies each object into the items of a list, which is 4 MiB of 10,000 for each look at all of them; their
// stores hand out what they have. It is safe for concurrent use.
type cachedRequests struct {
	mu     sync.Mutex
	stores []toolscache.Store
}

// newInformer makes the informers of a cache, and notes those of TokenRequests.
func (c *cachedRequests) newInformer(lw toolscache.ListerWatcher, of runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	informer := toolscache.NewSharedIndexInformer(lw, of, resync, indexers)
	if _, requests := of.(*stsv1alpha1.TokenRequest); requests {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.stores = append(c.stores, informer.GetStore())
	}
	return informer
}

// all yields the requests in the cache, which are shared and may only be read.
func (c *cachedRequests) all(yield func(*stsv1alpha1.TokenRequest) bool) {
	c.mu.Lock()
	stores := c.stores
	c.mu.Unlock()
	for _, store := range stores {
		for _, object := range store.List() {
			if request, is := object.(*stsv1alpha1.TokenRequest); is && !yield(request) {
				return
			}
		}
	}
}
