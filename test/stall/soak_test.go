// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stall_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

// tenants share the requests among them.
const tenants = 10

// setting is a whole number or a duration of the environment, or what the short form has.
func setting[T any](name string, short T, parse func(string) (T, error)) T {
	GinkgoHelper()
	text := os.Getenv(name)
	if text == "" {
		return short
	}
	value, err := parse(text)
	Expect(err).NotTo(HaveOccurred(), name)
	return value
}

var _ = Describe("Many requests with short tokens", func() {
	It("are never overdue", func(ctx SpecContext) {
		objects := setting("OBJECTS", 100, strconv.Atoi)
		life := setting("LIFE", time.Minute, time.ParseDuration)
		length := setting("SOAK", 0, time.ParseDuration)
		// A look reads all of them, and the API server is to serve the operator first.
		pause := time.Second + time.Duration(objects)*4*time.Millisecond
		began := time.Now()
		for i := range tenants {
			admit(ctx, i, life)
			// The other specs of the suite count all requests that there are.
			DeferCleanup(func(ctx SpecContext) {
				Expect(cluster.API.DeleteAllOf(ctx, &stsv1alpha1.TokenRequest{}, client.InNamespace(namespaceOf(i)))).To(Succeed())
			})
		}
		run := cluster.Run()
		Eventually(run.Probe).WithContext(ctx).WithArguments("/readyz").Should(Succeed())
		// Metrics come up by themselves, beside the probes.
		Eventually(func() error { _, err := run.Scrape(ctx); return err }).WithContext(ctx).Should(Succeed())
		w := &watcher{run: run}
		watching, stop := context.WithCancel(ctx)
		var watch sync.WaitGroup
		watch.Go(func() { w.watch(watching) })
		defer watch.Wait()
		defer stop()

		for i := range objects {
			t := operator.Tenant{Namespace: namespaceOf(i % tenants), STS: sim}
			Expect(cluster.API.Create(ctx, t.Request(fmt.Sprintf("r%05d", i)))).To(Succeed())
		}
		first := issued(ctx)
		Eventually(func() int { first = issued(ctx); return len(first) }).WithContext(ctx).WithPolling(pause).Should(Equal(objects))
		created := time.Since(began)
		Eventually(func() (refreshed int) {
			for uid, at := range issued(ctx) {
				if at.After(first[uid]) {
					refreshed++
				}
			}
			return refreshed
		}).WithContext(ctx).WithTimeout(2*life+length).WithPolling(2*time.Second).Should(Equal(objects), "requests with a second token")
		Eventually(func() time.Duration { return time.Since(began) }).WithContext(ctx).WithTimeout(length + time.Minute).Should(BeNumerically(">=", length))
		stop()
		watch.Wait()

		AddReportEntry("soak", w.report(objects, life, created, time.Since(began)))
		Expect(w.looks).To(BeNumerically(">", w.lost), "most scrapes succeed: a busy API server may be slow to say who asks")
		Expect(w.overdue).To(BeZero(), "requests that were overdue by more than a minute, at their most")
		Expect(w.stalls).To(BeZero(), "stalls that the operator counted")
		Expect(w.expired).To(BeZero(), "requests whose token had expired, at their most")
		Expect(run.Probe(ctx, "/readyz")).To(Succeed())
		run.Stop()
	}, SpecTimeout(2*time.Hour))
})

func namespaceOf(tenant int) string { return fmt.Sprintf("kept-%d", tenant) }

// admit makes a tenant whose tokens live that long.
func admit(ctx SpecContext, i int, life time.Duration) {
	GinkgoHelper()
	t := operator.Tenant{Namespace: namespaceOf(i), STS: sim}
	cluster.Admit(ctx, t)
	Expect(sim.PutClient(stssim.Client{
		Tenant: t.Namespace, ID: t.Namespace, Lifetime: stssim.Duration(life),
		Secrets: []stssim.Secret{{Value: string(t.Credential().Data[operator.CredentialKey])}},
	})).To(Succeed())
}

// issued is when the token of each request came that has one.
func issued(ctx context.Context) map[types.UID]time.Time {
	GinkgoHelper()
	all := map[types.UID]time.Time{}
	for i := range tenants {
		list := &stsv1alpha1.TokenRequestList{}
		Expect(cluster.API.List(ctx, list, client.InNamespace(namespaceOf(i)))).To(Succeed())
		for _, r := range list.Items {
			if r.Status.Token != nil {
				all[r.UID] = r.Status.Token.IssuedAt.Time
			}
		}
	}
	return all
}

// watcher scrapes the operator every two seconds, as its owner's Prometheus would, and keeps the worst.
type watcher struct {
	run                      *operator.Run
	looks, lost              int
	overdue, worst           float64
	stalls, expired, results float64
}

func (w *watcher) watch(ctx context.Context) {
	ticker := time.NewTicker(2 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.look(ctx)
		}
	}
}

func (w *watcher) look(ctx context.Context) {
	read, err := w.run.Scrape(ctx)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		w.lost++
		return
	}
	w.looks++
	w.overdue = max(w.overdue, read("tokenrequest_overdue_requests", nil))
	w.worst = max(w.worst, read("tokenrequest_overdue_seconds", nil))
	w.stalls = max(w.stalls, read("tokenrequest_stalls_total", nil))
	w.expired = max(w.expired, read("tokenrequest_tokens", map[string]string{"state": "Expired"}))
	w.results = max(w.results, read("tokenrequest_refresh_results_total", map[string]string{"reason": stsv1alpha1.ReasonTokenIssued}))
}

func (w *watcher) report(objects int, life, created, length time.Duration) string {
	return fmt.Sprintf("%d requests with tokens of %s, all of them ready after %s, watched for %s by %d scrapes:\n"+
		"%.0f tokens; %.0f requests overdue, the latest by %.1f s; %.0f stalls; %.0f requests with an expired token",
		objects, life, created.Round(time.Second), length.Round(time.Second), w.looks,
		w.results, w.overdue, w.worst, w.stalls, w.expired)
}
