// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// StartControllers starts Kubernetes' own garbage collector and deletion of namespaces, in a real
// kube-controller-manager with nothing else in it, until the suite ends. Without them owner references
// do nothing, and a namespace that is deleted stays for ever. It returns when they work.
func (c *Cluster) StartControllers(ctx context.Context) {
	ginkgo.GinkgoHelper()
	binary := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kube-controller-manager")
	gomega.Expect(binary).To(gomega.BeARegularFile(), "it belongs beside kube-apiserver; `make controlplane` builds it")
	command := exec.Command(binary, "--controllers", "garbage-collector-controller,namespace-controller",
		"--kubeconfig", c.writeLogin(&clientcmdapi.AuthInfo{ClientCertificateData: c.admin.CertData, ClientKeyData: c.admin.KeyData}),
		"--leader-elect=false", "--secure-port", "0")
	session, err := gexec.Start(command, ginkgo.GinkgoWriter, ginkgo.GinkgoWriter)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(func() { session.Kill().Wait() })

	orphan := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: "orphan", OwnerReferences: []metav1.OwnerReference{
		{APIVersion: "v1", Kind: "ConfigMap", Name: "never-was", UID: "00000000-0000-4000-8000-000000000000"},
	}}}
	c.create(ctx, orphan)
	gomega.Eventually(func() bool {
		return apierrors.IsNotFound(c.API.Get(ctx, client.ObjectKeyFromObject(orphan), orphan))
	}).WithContext(ctx).Should(gomega.BeTrue(), "the garbage collector doesn't collect")
}
