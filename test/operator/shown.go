// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// Place is a text that is read by people who may not read Secrets.
type Place struct {
	// Name says where the text stands.
	Name string
	// Text is what stands there.
	Text string
}

// Shown are all places where the operator shows something: the TokenRequests, issuers and ConfigMaps of
// every namespace, all events, each run's log, and the metrics of those that are running.
func (c *Cluster) Shown(ctx context.Context, runs ...*Run) []Place {
	ginkgo.GinkgoHelper()
	var places []Place
	for _, kind := range []struct {
		name string
		list client.ObjectList
	}{
		{"the TokenRequests", &stsv1alpha1.TokenRequestList{}},
		{"the TokenIssuers", &stsv1alpha1.TokenIssuerList{}},
		{"the ClusterTokenIssuers", &stsv1alpha1.ClusterTokenIssuerList{}},
		{"the events", &corev1.EventList{}},
		{"the ConfigMaps", &corev1.ConfigMapList{}},
	} {
		gomega.Expect(c.API.List(ctx, kind.list)).To(gomega.Succeed())
		text, err := json.Marshal(kind.list)
		gomega.Expect(err).NotTo(gomega.HaveOccurred())
		places = append(places, Place{kind.name, string(text)})
	}
	for i, run := range runs {
		places = append(places, Place{fmt.Sprintf("the log of run %d", i+1), run.Logs()})
		if run.Running() {
			text, err := run.Metrics(ctx)
			gomega.Expect(err).NotTo(gomega.HaveOccurred())
			places = append(places, Place{fmt.Sprintf("the metrics of run %d", i+1), text})
		}
	}
	for _, place := range places {
		gomega.Expect(place.Text).NotTo(gomega.BeEmpty(), "%s: a search there would prove nothing", place.Name)
	}
	return places
}
