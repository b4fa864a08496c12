//go:build e2e

// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
)

// Each way of installing is as the documents have it, and so is its way back.
var _ = Describe("An installation", func() {
	DescribeTable("gives a token, and leaves nothing but what is documented, by",
		func(ctx SpecContext, install, uninstall func(SpecContext, *stsv1alpha1.TokenRequest)) {
			before := everything(ctx)
			tenant := admit(ctx, "e2e-install")
			wanted := tenant.Request("installed")

			install(ctx, wanted)
			Eventually(rolledOut).WithContext(ctx).Should(BeTrue())
			Expect(cluster.API.Create(ctx, wanted)).To(Succeed())
			cluster.Await(ctx, wanted, "Ready", "TokenValid")
			Expect(token(ctx, wanted)).NotTo(BeEmpty())

			uninstall(ctx, wanted)
			Eventually(func(ctx SpecContext) error { _, err := secretOf(ctx, wanted); return err }).
				WithContext(ctx).Should(MatchError(apierrors.IsNotFound, "IsNotFound"))
			removeNamespace(ctx, tenant.Namespace)
			Eventually(func(ctx SpecContext) []string { return sets.List(everything(ctx).Difference(before)) }).
				WithContext(ctx).Should(BeEmpty())
		},
		Entry("make deploy and make undeploy", SpecTimeout(5*time.Minute),
			func(ctx SpecContext, _ *stsv1alpha1.TokenRequest) { deploy(ctx) },
			func(ctx SpecContext, _ *stsv1alpha1.TokenRequest) { undeploy(ctx) },
		),
		Entry("kubectl apply, without further options, and kubectl delete", SpecTimeout(5*time.Minute),
			func(ctx SpecContext, _ *stsv1alpha1.TokenRequest) {
				command(ctx, "make", "-C", root, "dist")
				command(ctx, kubectl(), "apply", "-f", root+"/dist/install.yaml")
			},
			func(ctx SpecContext, _ *stsv1alpha1.TokenRequest) {
				command(ctx, kubectl(), "delete", "-f", root+"/dist/install.yaml")
			},
		),
		Entry("helm install and helm uninstall", SpecTimeout(5*time.Minute), helmInstall, helmUninstall),
	)
})

func helmInstall(ctx SpecContext, _ *stsv1alpha1.TokenRequest) {
	GinkgoHelper()
	command(ctx, root+"/bin/helm", "install", "tokenrequest-operator", root+"/charts/tokenrequest-operator",
		"--namespace", operator.Namespace, "--create-namespace", "--wait", "--timeout", "2m")
	// The chart's pods are content with the strictest standard, which its notes advise.
	command(ctx, kubectl(), "label", "namespace", operator.Namespace, "pod-security.kubernetes.io/enforce=restricted")
}

// helmUninstall goes on to the CRDs only when the tokens have been seen to outlive the release.
func helmUninstall(ctx SpecContext, kept *stsv1alpha1.TokenRequest) {
	GinkgoHelper()
	command(ctx, root+"/bin/helm", "uninstall", "tokenrequest-operator", "--namespace", operator.Namespace, "--wait", "--timeout", "2m")
	Expect(token(ctx, kept)).NotTo(BeEmpty())
	command(ctx, kubectl(), "delete", "crd", "tokenrequests.sts.tokenrequest.dev", "tokenissuers.sts.tokenrequest.dev",
		"clustertokenissuers.sts.tokenrequest.dev")
	command(ctx, kubectl(), "delete", "namespace", operator.Namespace)
}

// root is the top of the repository.
const root = "../.."

// kubectl is the one of this machine, or the one that was built.
func kubectl() string {
	found, err := exec.LookPath("kubectl")
	if err != nil {
		found = filepath.Join(cmp.Or(os.Getenv("KUBEBUILDER_ASSETS"), root+"/bin/controlplane"), "kubectl")
	}
	return found
}

// command does what a person would in a shell.
func command(ctx SpecContext, name string, arguments ...string) {
	GinkgoHelper()
	run := exec.CommandContext(ctx, name, arguments...)
	run.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	run.Stdout, run.Stderr = GinkgoWriter, GinkgoWriter
	Expect(run.Run()).To(Succeed())
}

// admit makes a tenant of the simulated STS.
func admit(ctx SpecContext, namespace string) operator.Tenant {
	GinkgoHelper()
	tenant := operator.Tenant{Namespace: namespace, STS: sim}
	cluster.Admit(ctx, tenant)
	return tenant
}

// removeNamespace waits until it is gone, with all that was in it.
func removeNamespace(ctx SpecContext, name string) {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	Expect(cluster.API.Delete(ctx, namespace)).To(Succeed())
	Eventually(func() error { return cluster.API.Get(ctx, client.ObjectKeyFromObject(namespace), namespace) }).
		WithContext(ctx).Should(MatchError(apierrors.IsNotFound, "IsNotFound"))
}

func secretOf(ctx SpecContext, request *stsv1alpha1.TokenRequest) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	return secret, cluster.API.Get(ctx, client.ObjectKeyFromObject(request), secret)
}

// token is the one in the Secret of a request that names none, hence has one of its own name.
func token(ctx SpecContext, request *stsv1alpha1.TokenRequest) string {
	GinkgoHelper()
	secret, err := secretOf(ctx, request)
	Expect(err).NotTo(HaveOccurred())
	return string(secret.Data["access_token"])
}

// everything are the names of all objects in the cluster, but for events, which go by themselves.
func everything(ctx SpecContext) sets.Set[string] {
	GinkgoHelper()
	api, err := discovery.NewDiscoveryClientForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	resources, err := api.ServerPreferredResources()
	Expect(err).NotTo(HaveOccurred())
	names := sets.New[string]()
	for _, group := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "get"}}, resources) {
		version, err := schema.ParseGroupVersion(group.GroupVersion)
		Expect(err).NotTo(HaveOccurred())
		for _, resource := range group.APIResources {
			if resource.Kind == "Event" || resource.Kind == "ComponentStatus" {
				continue
			}
			var list metav1.PartialObjectMetadataList
			list.SetGroupVersionKind(version.WithKind(resource.Kind + "List"))
			// A kind that went away since its discovery has no objects.
			Expect(client.IgnoreNotFound(cluster.API.List(ctx, &list))).To(Succeed())
			for _, object := range list.Items {
				names.Insert(resource.Kind + " " + object.Namespace + "/" + object.Name)
			}
		}
	}
	return names
}
