// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package restart_test starts, stops and kills the operator's real binary against a real API server.
package restart_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

var (
	cluster    *rest.Config
	api        client.Client
	sim        *stssim.Server
	binary     string
	kubeconfig string
)

const operatorNamespace = "tokenrequest-system"

func TestRestart(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "test/restart")
}

var _ = BeforeSuite(func() {
	var err error
	binary, err = gexec.Build("tokenrequest.dev/operator/cmd")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(gexec.CleanupBuildArtifacts)

	environment := &envtest.Environment{CRDDirectoryPaths: []string{"../../config/crd/bases"}, ErrorIfCRDPathMissing: true}
	cluster, err = environment.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(environment.Stop)
	cluster.QPS = -1
	Expect(stsv1alpha1.AddToScheme(clientgoscheme.Scheme)).To(Succeed())
	api, err = client.New(cluster, client.Options{Scheme: clientgoscheme.Scheme})
	Expect(err).NotTo(HaveOccurred())
	Expect(api.Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}})).To(Succeed())
	kubeconfig = filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	grantAndLogIn(context.Background())

	sim, err = stssim.Start(stssim.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(sim.Close)
})

// grantAndLogIn applies config/rbac and writes a kubeconfig of the operator's own service account: the
// binary may do here what it may do in a cluster, and no more.
func grantAndLogIn(ctx context.Context) {
	files, err := filepath.Glob("../../config/rbac/*.yaml")
	Expect(err).NotTo(HaveOccurred())
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		text, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		object := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal(text, &object.Object)).To(Succeed(), file)
		Expect(api.Create(ctx, object)).To(Succeed(), file)
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "tokenrequest-operator"}}
	review := &authenticationv1.TokenRequest{}
	Expect(api.SubResource("token").Create(ctx, account, review)).To(Succeed())
	login := clientcmdapi.NewConfig()
	login.Clusters["envtest"] = &clientcmdapi.Cluster{Server: "https://" + strings.TrimPrefix(cluster.Host, "https://"), CertificateAuthorityData: cluster.CAData}
	login.AuthInfos["operator"] = &clientcmdapi.AuthInfo{Token: review.Status.Token}
	login.Contexts["operator"] = &clientcmdapi.Context{Cluster: "envtest", AuthInfo: "operator"}
	login.CurrentContext = "operator"
	Expect(clientcmd.WriteToFile(*login, kubeconfig)).To(Succeed())
}

// newTenant makes a namespace that holds what request refers to.
func newTenant(ctx SpecContext, namespace string) {
	secret := "stssim-secret-of-" + namespace
	Expect(sim.PutClient(stssim.Client{Tenant: namespace, ID: namespace, Secrets: []stssim.Secret{{Value: secret}}})).To(Succeed())
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "sts-ca"}, Data: map[string]string{"ca.crt": string(sim.CAPEM())}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "app"}, Data: map[string][]byte{"client_secret": []byte(secret)}},
	} {
		Expect(api.Create(ctx, object)).To(Succeed())
	}
}

// request asks for a token by way of discovery, so that a restart that asked for anything would show.
func request(namespace, name string) *stsv1alpha1.TokenRequest {
	return &stsv1alpha1.TokenRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: stsv1alpha1.TokenRequestSpec{
			Issuer: &stsv1alpha1.IssuerSpec{
				Authority: stsv1alpha1.HTTPSURL(sim.PlainIssuer(namespace)),
				ClientID:  namespace,
				Credential: &stsv1alpha1.Credential{ClientSecret: &stsv1alpha1.ClientSecretCredential{
					SecretRef: stsv1alpha1.SecretKeyRef{Name: "app", Key: "client_secret"}}},
				TLS: &stsv1alpha1.IssuerTLS{CABundleRef: &stsv1alpha1.CABundleRef{Kind: stsv1alpha1.CABundleConfigMap, Name: "sts-ca", Key: "ca.crt"}},
			},
			Scopes: []stsv1alpha1.Scope{stsv1alpha1.Scope(fmt.Sprintf("scope-of-%s", name))},
		},
	}
}
