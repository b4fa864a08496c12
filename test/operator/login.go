// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// serviceAccount is the operator's in config/rbac.
const serviceAccount = "tokenrequest-operator"

// account is the operator's name as the API server knows it.
const account = "system:serviceaccount:" + Namespace + ":" + serviceAccount

// Confine takes the operator's rights in all namespaces and gives it those of config/namespaced, until
// the node ends that asked for it. The namespace that is named there has to exist.
func (c *Cluster) Confine(ctx context.Context) {
	ginkgo.GinkgoHelper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: serviceAccount}}
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: serviceAccount}}
	for _, everywhere := range []client.Object{binding, role} {
		gomega.Expect(c.API.Get(ctx, client.ObjectKeyFromObject(everywhere), everywhere)).To(gomega.Succeed())
		gomega.Expect(c.API.Delete(ctx, everywhere)).To(gomega.Succeed())
		everywhere.SetResourceVersion("")
	}
	confined := c.install(ctx, "namespaced")
	ginkgo.DeferCleanup(func(ctx context.Context) {
		for _, object := range confined {
			gomega.Expect(c.API.Delete(ctx, object)).To(gomega.Succeed())
		}
		c.create(ctx, role, binding)
	})
}

// install creates what is in a folder of config: the binary may do here what it may do in a cluster, and
// no more.
func (c *Cluster) install(ctx context.Context, folder string) []client.Object {
	ginkgo.GinkgoHelper()
	files, err := filepath.Glob(filepath.Join(c.config, folder, "*.yaml"))
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	gomega.Expect(files).NotTo(gomega.BeEmpty(), folder)
	var installed []client.Object
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		text, err := os.ReadFile(file)
		gomega.Expect(err).NotTo(gomega.HaveOccurred())
		object := &unstructured.Unstructured{}
		gomega.Expect(yaml.Unmarshal(text, &object.Object)).To(gomega.Succeed(), file)
		installed = append(installed, object)
	}
	c.create(ctx, installed...)
	return installed
}

// logIn writes a kubeconfig of the operator's own service account and returns its path.
func (c *Cluster) logIn(ctx context.Context) string {
	ginkgo.GinkgoHelper()
	return c.writeLogin(&clientcmdapi.AuthInfo{Token: c.tokenOf(ctx, serviceAccount)})
}

// writeLogin writes a kubeconfig and returns its path.
func (c *Cluster) writeLogin(who *clientcmdapi.AuthInfo) string {
	ginkgo.GinkgoHelper()
	login := clientcmdapi.NewConfig()
	login.Clusters["envtest"] = &clientcmdapi.Cluster{
		Server: "https://" + strings.TrimPrefix(c.admin.Host, "https://"), CertificateAuthorityData: c.admin.CAData,
	}
	login.AuthInfos["who"] = who
	login.Contexts["envtest"] = &clientcmdapi.Context{Cluster: "envtest", AuthInfo: "who"}
	login.CurrentContext = "envtest"
	return writeKubeconfig(login)
}

func writeKubeconfig(login *clientcmdapi.Config) string {
	ginkgo.GinkgoHelper()
	path := filepath.Join(ginkgo.GinkgoT().TempDir(), "kubeconfig")
	gomega.Expect(clientcmd.WriteToFile(*login, path)).To(gomega.Succeed())
	return path
}

// admitScraper makes a service account that may read metrics, and nothing else, and returns its token.
func (c *Cluster) admitScraper(ctx context.Context) string {
	ginkgo.GinkgoHelper()
	const scraper, role = "prometheus", "metrics-scraper"
	token := c.Account(ctx, scraper)
	c.create(ctx,
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: role},
			Rules: []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: role},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: Namespace, Name: scraper}}},
	)
	return token
}

// Account makes a service account without rights in the operator's namespace, and returns its token.
func (c *Cluster) Account(ctx context.Context, name string) string {
	ginkgo.GinkgoHelper()
	c.create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: name}})
	return c.tokenOf(ctx, name)
}

// tokenOf asks the API server for a token of a service account in the operator's namespace.
func (c *Cluster) tokenOf(ctx context.Context, name string) string {
	ginkgo.GinkgoHelper()
	review := &authenticationv1.TokenRequest{}
	named := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: name}}
	gomega.Expect(c.API.SubResource("token").Create(ctx, named, review)).To(gomega.Succeed())
	return review.Status.Token
}
