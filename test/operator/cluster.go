// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package operator runs the operator's real binary against a real API server, for suites that look at
// what it does and not at how: under config/rbac and no more, logged in as its own service account,
// started, stopped and killed as a Deployment would.
//
// Everything here belongs into a Ginkgo suite. What goes wrong fails the running node, and what was
// started ends with it: a [Cluster] that BeforeSuite starts with the suite, a [Run] with its spec.
package operator

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// Namespace is where the operator lives, with its lease and its throttle ConfigMap.
const Namespace = "tokenrequest-system"

// Cluster is an API server with the operator's CRDs, namespace, rights and policies, and the operator's
// binary. Make it with StartCluster; where the operator is installed already, its API alone is enough to
// admit tenants.
type Cluster struct {
	// API is an administrator's client, without a limit on its rate.
	API client.WithWatch

	admin      *rest.Config
	config     string // the folder of that name
	binary     string
	kubectl    []string // how an administrator calls it
	kubeconfig string   // of the operator's service account
	scraper    string   // the token of who may read metrics
	audit      string   // the API server's audit log; empty without one
}

// Option is something that a Cluster has only on request.
type Option func(*Cluster, *envtest.Environment)

// StartCluster builds the operator and starts an API server, both of which end with the suite. Under
// the race detector the operator is built with it too, and a run in which it found something doesn't
// stop with status 0.
func StartCluster(ctx context.Context, options ...Option) *Cluster {
	ginkgo.GinkgoHelper()
	c := &Cluster{}
	log.SetLogger(ginkgo.GinkgoLogr)
	c.config = filepath.Join(moduleRoot(ctx), "config")
	environment := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join(c.config, "crd/bases")}, ErrorIfCRDPathMissing: true}
	for _, option := range options {
		option(c, environment)
	}
	if c.binary == "" {
		c.binary = Build(ctx, buildFlags()...)
	}
	var err error
	c.admin, err = environment.Start()
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(environment.Stop)
	c.admin.QPS = -1
	login := filepath.Join(ginkgo.GinkgoT().TempDir(), "kubeconfig")
	gomega.Expect(os.WriteFile(login, environment.KubeConfig, 0o600)).To(gomega.Succeed())
	c.kubectl = []string{environment.ControlPlane.KubectlPath, "--kubeconfig", login}

	scheme := runtime.NewScheme()
	gomega.Expect(clientgoscheme.AddToScheme(scheme)).To(gomega.Succeed())
	gomega.Expect(stsv1alpha1.AddToScheme(scheme)).To(gomega.Succeed())
	c.API, err = client.NewWithWatch(c.admin, client.Options{Scheme: scheme})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())

	c.create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: Namespace}})
	c.install(ctx, "rbac")
	c.install(ctx, "policy")
	c.awaitPolicies(ctx)
	c.kubeconfig = c.logIn(ctx)
	c.scraper = c.admitScraper(ctx)
	return c
}

// Build builds the operator with further flags of `go build`, and returns the binary's path. It goes with
// the suite.
func Build(ctx context.Context, flags ...string) string {
	ginkgo.GinkgoHelper()
	// Built where its go.mod is, so that a suite in a module of its own tests what users get.
	binary, err := gexec.Build("tokenrequest.dev/operator/cmd", append([]string{"-C", moduleRoot(ctx)}, flags...)...)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(gexec.CleanupBuildArtifacts)
	return binary
}

// Binary has a Cluster run what Build has built, in place of a build of its own.
func Binary(path string) Option {
	return func(c *Cluster, _ *envtest.Environment) { c.binary = path }
}

// Admin is an administrator's login, without a limit on its rate.
func (c *Cluster) Admin() *rest.Config { return rest.CopyConfig(c.admin) }

// Reach has the operator call the API server at another address, that of a proxy, from its next run on.
func (c *Cluster) Reach(address string) {
	ginkgo.GinkgoHelper()
	login, err := clientcmd.LoadFromFile(c.kubeconfig)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	for _, cluster := range login.Clusters {
		cluster.Server = "https://" + address
	}
	gomega.Expect(clientcmd.WriteToFile(*login, c.kubeconfig)).To(gomega.Succeed())
}

// moduleRoot is the folder of the operator's go.mod, wherever below it the suite runs.
func moduleRoot(ctx context.Context) string {
	ginkgo.GinkgoHelper()
	folder, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "tokenrequest.dev/operator").Output()
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return strings.TrimSpace(string(folder))
}

// Kubectl runs kubectl as an administrator with something on standard input, and returns all that it
// printed. Its error is that of a status other than 0.
func (c *Cluster) Kubectl(ctx context.Context, input string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, c.kubectl[0], append(slices.Clone(c.kubectl[1:]), arguments...)...)
	command.Stdin = strings.NewReader(input)
	printed, err := command.CombinedOutput()
	return string(printed), err
}

func (c *Cluster) create(ctx context.Context, objects ...client.Object) {
	ginkgo.GinkgoHelper()
	for _, object := range objects {
		gomega.Expect(c.API.Create(ctx, object)).To(gomega.Succeed(), "creating %T %s", object, client.ObjectKeyFromObject(object))
	}
}
