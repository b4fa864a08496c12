// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"context"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/watch"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// outcome is a status that tells of one, and when it was shown.
type outcome struct {
	status stsv1alpha1.TokenRequestStatus
	shown  time.Time
}

// witness keeps, of every TokenRequest by its namespace, the first status that tells of the outcome.
// What a retry makes of it a moment later isn't seen.
type witness struct {
	settles map[string]string // the reason that is waited for, by namespace; empty is any
	mu      sync.Mutex
	first   map[string]outcome
}

// answered stands for every reason but that nobody has signed in yet.
const answered = "answered"

// awaits says that what is waited for isn't this reason.
func (w *witness) awaits(namespace, reason string) bool {
	switch wanted := w.settles[namespace]; wanted {
	case "":
		return false
	case answered:
		return reason == stsv1alpha1.ReasonAuthorizationPending
	default:
		return reason != wanted
	}
}

// watchFirst begins to watch. It ends with the node.
func watchFirst(ctx context.Context, stops []*stop) *witness {
	GinkgoHelper()
	events, err := cluster.API.Watch(ctx, &stsv1alpha1.TokenRequestList{})
	Expect(err).NotTo(HaveOccurred())
	w := &witness{first: map[string]outcome{}, settles: map[string]string{}}
	for _, s := range stops {
		w.settles[s.tenant.Namespace] = s.settles
		if s.settles == "" && s.meanwhile != nil {
			w.settles[s.tenant.Namespace] = answered
		}
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		for event := range events.ResultChan() {
			w.see(event)
		}
	})
	DeferCleanup(func() {
		events.Stop()
		reader.Wait()
	})
	return w
}

func (w *witness) see(event watch.Event) {
	r, isRequest := event.Object.(*stsv1alpha1.TokenRequest)
	if !isRequest {
		return
	}
	issued := meta.FindStatusCondition(r.Status.Conditions, stsv1alpha1.ConditionIssued)
	if issued == nil || w.awaits(r.Namespace, issued.Reason) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, seen := w.first[r.Namespace]; !seen {
		w.first[r.Namespace] = outcome{status: r.Status, shown: time.Now()}
	}
}

// of returns what was seen of a namespace's request first.
func (w *witness) of(namespace string) (outcome, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first, seen := w.first[namespace]
	return first, seen
}

// await waits until an outcome of each namespace's request was seen.
func (w *witness) await(ctx context.Context, namespaces []string) {
	GinkgoHelper()
	Eventually(func() (missing []string) {
		for _, namespace := range namespaces {
			if _, seen := w.of(namespace); !seen {
				missing = append(missing, namespace)
			}
		}
		return missing
	}).WithContext(ctx).Should(BeEmpty())
}
