//go:build e2e

// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package e2e_test installs the operator into a cluster as users do, takes it away again, upgrades it, and
// looks at its tokens from within pods. make test-e2e brings such a cluster, or takes the one of
// E2E_KUBECONFIG, whose nodes have the images, reach this machine at E2E_ADDRESS and pull from its port
// 5000 without TLS.
package e2e_test

import (
	"cmp"
	"net/url"
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

const testImage = "tokenrequest-e2e:latest"

var (
	kubeconfig string
	config     *rest.Config
	cluster    operator.Cluster
	// address is this machine's, as pods and nodes see it.
	address string
	sim     *stssim.Server
)

func TestE2E(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	SetDefaultEventuallyPollingInterval(500 * time.Millisecond)
	RunSpecs(t, "test/e2e")
}

var _ = BeforeSuite(func() {
	log.SetLogger(GinkgoLogr)
	kubeconfig = os.Getenv("E2E_KUBECONFIG")
	Expect(kubeconfig).NotTo(BeEmpty(), "E2E_KUBECONFIG names no cluster; make test-e2e brings one")
	var err error
	config, err = clientcmd.BuildConfigFromFlags("", kubeconfig)
	Expect(err).NotTo(HaveOccurred())
	scheme := runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(stsv1alpha1.AddToScheme(scheme)).To(Succeed())
	cluster.API, err = client.NewWithWatch(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())

	// The API server's address is this machine's in the cluster that make brings.
	server, err := url.Parse(config.Host)
	Expect(err).NotTo(HaveOccurred())
	address = cmp.Or(os.Getenv("E2E_ADDRESS"), server.Hostname())
	sim, err = stssim.Start(stssim.Options{Listen: address + ":0", Hosts: []string{address}})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(sim.Close)
})

var theOperator = client.ObjectKey{Namespace: operator.Namespace, Name: "tokenrequest-operator"}

// rolledOut says whether the Deployment runs as it is written, and nothing older does.
func rolledOut(ctx SpecContext) (bool, error) {
	var deployment appsv1.Deployment
	err := cluster.API.Get(ctx, theOperator, &deployment)
	status, wanted := deployment.Status, ptr.Deref(deployment.Spec.Replicas, 1)
	return status.ObservedGeneration == deployment.Generation && status.UpdatedReplicas == wanted &&
		status.Replicas == wanted && status.AvailableReplicas == wanted, err
}

// operatorPods are the operator's pods, with those that are about to end.
func operatorPods(ctx SpecContext) []corev1.Pod {
	GinkgoHelper()
	var pods corev1.PodList
	Expect(cluster.API.List(ctx, &pods, client.InNamespace(operator.Namespace),
		client.MatchingLabels{"app.kubernetes.io/component": "manager"})).To(Succeed())
	return pods.Items
}
