// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"encoding/json"
	"maps"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokenrequest.dev/operator/test/operator"
)

// What leaked is said by its name, and where; never what it is. The operator's log isn't printed
// either.
var _ = Describe("Whatever an STS sends back, no secret is shown", Ordered, ContinueOnFailure, func() {
	paths := leakPaths()
	var stops map[string]*stop
	var leaks []string

	BeforeAll(func(ctx SpecContext) {
		var rows []row
		secrets := map[string]string{}
		for _, p := range paths {
			rows = append(rows, p.row)
			maps.Copy(secrets, p.named(p.name))
		}
		secrets[garbage+": the value"] = word(garbage)
		plantGarbage(ctx)

		walked := newStops("leak", rows)
		run := walk(ctx, walked, cluster.RunSilently)
		running := cluster.Shown(ctx, run)
		run.Stop()
		leaks = operator.Leaks(append(running, cluster.Shown(ctx, run)...), secrets)

		stops = map[string]*stop{}
		for _, s := range walked {
			Expect(stops).NotTo(HaveKey(s.name))
			stops[s.name] = s
		}
	}, NodeTimeout(5*time.Minute))

	for _, p := range paths {
		It("by way of: "+p.name, func() {
			Expect(stops[p.name].count()).To(Equal(p.calls), "the path was not taken as often as it should be")
			Expect(about(leaks, p.name)).To(BeEmpty())
		})
	}

	It("by way of: a ConfigMap that somebody edited", func(ctx SpecContext) {
		Expect(about(leaks, garbage)).To(BeEmpty())
		events := &corev1.EventList{}
		Expect(cluster.API.List(ctx, events, client.InNamespace(operator.Namespace))).To(Succeed())
		var reasons []string
		for _, e := range events.Items {
			reasons = append(reasons, e.Reason)
		}
		Expect(reasons).To(ContainElement("GateUnreadable"), "the garbage was not read")
	})

	It("and yet the token is in its Secret, and nothing else of the response", func(ctx SpecContext) {
		s := &corev1.Secret{}
		at := client.ObjectKey{Namespace: stops[success].tenant.Namespace, Name: requestName}
		Expect(cluster.API.Get(ctx, at, s)).To(Succeed())
		c := canariesOf(success, word)
		if string(s.Data["access_token"]) != c.token {
			Fail("the Secret holds another token")
		}
		text, err := json.Marshal(s)
		Expect(err).NotTo(HaveOccurred())
		Expect(operator.Leaks([]operator.Place{{Name: "the Secret", Text: string(text)}}, c.named(success))).
			To(Equal([]string{success + ": the token is in the Secret"}))
	})
})

// about are the leaks of one path.
func about(leaks []string, path string) []string {
	found := []string{}
	for _, leak := range leaks {
		if strings.HasPrefix(leak, path+": ") {
			found = append(found, leak)
		}
	}
	return found
}

// garbage is a value in the throttle ConfigMap that isn't a gate.
const garbage = "a value in the ConfigMap"

// plantGarbage edits the throttle ConfigMap as somebody might. The operator's next write drops it.
func plantGarbage(ctx SpecContext) {
	GinkgoHelper()
	stored := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, Name: "tokenrequest-throttle"}}
	Expect(client.IgnoreNotFound(cluster.API.Delete(ctx, stored))).To(Succeed())
	stored.ResourceVersion = ""
	stored.Data = map[string]string{"rate-0123": `{"remembered":"` + word(garbage)}
	Expect(cluster.API.Create(ctx, stored)).To(Succeed())
}
