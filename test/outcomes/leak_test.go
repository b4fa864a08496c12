// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

// What leaked is said by its name, and where; never what it is. The operator's log isn't printed
// either.
var _ = Describe("Whatever an STS sends back, no secret is shown", Ordered, ContinueOnFailure, func() {
	paths := leakPaths()
	var stops map[string]*stop
	var leaks, misplaced []string

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
		misplaced = inWrongSecret(ctx, secrets)
		maps.Copy(secrets, presented())
		leaks = operator.Leaks(append(running, cluster.Shown(ctx, run)...), secrets)

		stops = map[string]*stop{}
		for _, s := range walked {
			Expect(stops).NotTo(HaveKey(s.name))
			stops[s.name] = s
		}
	}, NodeTimeout(5*time.Minute))

	for _, p := range paths {
		It("by way of: "+p.name, func() {
			if p.calls == atLeastOne {
				Expect(stops[p.name].count()).To(BeNumerically(">=", 1), "the path was not taken")
			} else {
				Expect(stops[p.name].count()).To(Equal(p.calls), "the path was not taken as often as it should be")
			}
			Expect(about(leaks, p.name)).To(BeEmpty())
		})
	}

	It("by way of: what the operator signed, or had signed", func() {
		Expect(presented()).NotTo(BeEmpty())
		Expect(about(leaks, signed)).To(BeEmpty())
	})

	It("and each Secret holds its own alone: the token, or what brings the next one", func(ctx SpecContext) {
		Expect(misplaced).To(BeEmpty())
		at := client.ObjectKey{Namespace: stops[signedIn].tenant.Namespace, Name: requestName + "-refresh"}
		store := &corev1.Secret{}
		Expect(cluster.API.Get(ctx, at, store)).To(Succeed())
		if string(store.Data["refresh_token"]) != canariesOf(signedIn, word).refresh {
			Fail("the store holds another refresh token")
		}
	})

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

// signed begins the names of assertions that nobody could know beforehand.
const signed = "the operator's own"

// presented are the assertions that the operator had made for its clients.
func presented() map[string]string {
	found := map[string]string{}
	for i, credential := range sim.Canaries() {
		if strings.HasPrefix(credential, "eyJ") && credential != stssim.JWTMarker && strings.Count(credential, ".") == 2 {
			found[fmt.Sprintf("%s: JWT %d", signed, i)] = credential
		}
	}
	return found
}

// inWrongSecret says what a Secret of the operator's holds that belongs into another, or nowhere.
func inWrongSecret(ctx SpecContext, secrets map[string]string) []string {
	GinkgoHelper()
	list := &corev1.SecretList{}
	Expect(cluster.API.List(ctx, list, client.MatchingLabels{stsv1alpha1.LabelManaged: stsv1alpha1.LabelManagedValue})).To(Succeed())
	var tokens, stores []operator.Place
	for _, s := range list.Items {
		if !strings.HasPrefix(s.Namespace, "leak-") {
			continue
		}
		text, err := json.Marshal(s)
		Expect(err).NotTo(HaveOccurred())
		place := operator.Place{Name: "Secret " + s.Namespace + "/" + s.Name, Text: string(text)}
		if strings.HasSuffix(s.Name, "-refresh") {
			stores = append(stores, place)
		} else {
			tokens = append(tokens, place)
		}
	}
	Expect(tokens).NotTo(BeEmpty())
	Expect(stores).NotTo(BeEmpty())
	return append(operator.Leaks(tokens, but(secrets, "the token")),
		operator.Leaks(stores, but(secrets, "the refresh token", "the seed", "the device code"))...)
}

// but leaves out what may be in a place.
func but(secrets map[string]string, kinds ...string) map[string]string {
	rest := maps.Clone(secrets)
	maps.DeleteFunc(rest, func(name, _ string) bool {
		return slices.ContainsFunc(kinds, func(kind string) bool { return strings.HasSuffix(name, ": "+kind) })
	})
	return rest
}

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
