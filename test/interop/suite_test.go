// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package interop_test runs the operator against a real API server and an authorization server whose
// protocol the operator's authors did not write (package authserver). What only Microsoft Entra says,
// and what goes wrong on demand, is tested with the simulator.
package interop_test

import (
	"context"
	"flag"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/manager"
)

// api is live: a spec sees what the API server has. cluster is how it is reached.
var (
	api     client.Client
	cluster *rest.Config
)

const operatorNamespace = "tokenrequest-system"

func TestInterop(t *testing.T) {
	RegisterFailHandler(Fail)
	// Two cores run the API server, etcd, the operator and the race detector.
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "test/interop")
}

var _ = BeforeSuite(func() {
	environment := &envtest.Environment{CRDDirectoryPaths: []string{"../../config/crd/bases"}, ErrorIfCRDPathMissing: true}
	var err error
	cluster, err = environment.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(environment.Stop)

	scheme := clientgoscheme.Scheme
	Expect(stsv1alpha1.AddToScheme(scheme)).To(Succeed())
	api, err = client.New(cluster, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	Expect(api.Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}})).To(Succeed())

	runOperator(cluster)
})

// runOperator runs the operator in this process until the suite ends, as cmd/main.go starts it.
func runOperator(cluster *rest.Config) {
	var config manager.Config
	flags := flag.NewFlagSet("operator", flag.PanicOnError)
	config.BindFlags(flags)
	Expect(flags.Parse([]string{
		"--operator-namespace", operatorNamespace, "--metrics-bind-address", "0", "--health-probe-bind-address", "0",
		"--allow-loopback-authorities", "--zap-log-level", "error",
	})).To(Succeed())
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- manager.Run(ctx, cluster, config) }()
	DeferCleanup(func() {
		stop()
		Eventually(ended).Should(Receive(Succeed()))
	})
}
