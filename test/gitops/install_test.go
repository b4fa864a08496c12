// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package gitops_test

import (
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

var _ = Describe("config/argocd", func() {
	It("adds the scripts to Argo CD's ConfigMap and leaves its other keys alone", func(ctx SpecContext) {
		config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "argocd", Name: "argocd-cm"}, Data: map[string]string{"url": "https://argocd.example.com"}}
		Expect(cluster.API.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "argocd"}})).To(Succeed())
		Expect(cluster.API.Create(ctx, config)).To(Succeed())

		rendered, err := cluster.Kubectl(ctx, "", "kustomize", "../../config/argocd")
		Expect(err).NotTo(HaveOccurred(), rendered)
		printed, err := cluster.Kubectl(ctx, rendered, "apply", "--server-side", "--field-manager=tokenrequest-argocd", "-f", "-")
		Expect(err).NotTo(HaveOccurred(), printed)

		Expect(cluster.API.Get(ctx, client.ObjectKeyFromObject(config), config)).To(Succeed())
		Expect(config.Data).To(HaveKeyWithValue("url", "https://argocd.example.com"))
		for _, kind := range kinds {
			Expect(config.Data).To(HaveKeyWithValue("resource.customizations.health.sts.tokenrequest.dev_"+kind, read(kind, "health.lua")))
		}
		expectActions(config.Data["resource.customizations.actions.sts.tokenrequest.dev_TokenRequest"])
	})

	It("is a patch for a kustomization that has Argo CD's ConfigMap", func(ctx SpecContext) {
		rendered, err := cluster.Kubectl(ctx, "", "kustomize", "../../config/argocd")
		Expect(err).NotTo(HaveOccurred(), rendered)
		folder := GinkgoT().TempDir()
		for name, text := range map[string]string{
			"kustomization.yaml": "resources: [argocd-cm.yaml]\npatches: [{path: tokenrequest.yaml}]\n",
			"argocd-cm.yaml":     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm, namespace: argocd}\ndata: {url: https://argocd.example.com}\n",
			"tokenrequest.yaml":  rendered,
		} {
			Expect(os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600)).To(Succeed())
		}
		patched, err := cluster.Kubectl(ctx, "", "kustomize", folder)
		Expect(err).NotTo(HaveOccurred(), patched)
		Expect(patched).To(And(ContainSubstring("url: https://argocd.example.com"), ContainSubstring("actions.sts.tokenrequest.dev_TokenRequest")))
	})
})

// expectActions compares the actions in the form of the ConfigMap with those in the form of Argo CD's
// repository.
func expectActions(text string) {
	GinkgoHelper()
	var actions struct {
		Discovery   string `json:"discovery.lua"`
		Definitions []struct {
			Name   string `json:"name"`
			Script string `json:"action.lua"`
		} `json:"definitions"`
	}
	Expect(yaml.UnmarshalStrict([]byte(text), &actions)).To(Succeed())
	Expect(actions.Discovery).To(Equal(read("TokenRequest", "actions/discovery.lua")))
	var names []string
	for _, definition := range actions.Definitions {
		names = append(names, definition.Name)
		Expect(definition.Script).To(Equal(read("TokenRequest", "actions/"+definition.Name+"/action.lua")))
	}
	Expect(strings.Join(names, " ")).To(Equal("refresh suspend resume"))
}
