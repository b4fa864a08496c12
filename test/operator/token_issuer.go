// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"encoding/json"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"tokenrequest.dev/operator/test/stssim"
)

// TokenIssuer is the API server as an STS that trusts it knows it: the issuer of its service-account
// tokens and their keys, read where such an STS reads them (OpenID Connect Discovery, RFC 7517).
func (c *Cluster) TokenIssuer(ctx context.Context) stssim.TrustedIssuer {
	ginkgo.GinkgoHelper()
	return TokenIssuerOf(ctx, c.admin)
}

// TokenIssuerOf is Cluster.TokenIssuer for suites that start an API server themselves.
func TokenIssuerOf(ctx context.Context, admin *rest.Config) stssim.TrustedIssuer {
	ginkgo.GinkgoHelper()
	var metadata struct {
		Issuer string `json:"issuer"`
	}
	gomega.Expect(json.Unmarshal(raw(ctx, admin, "/.well-known/openid-configuration"), &metadata)).To(gomega.Succeed())
	gomega.Expect(metadata.Issuer).NotTo(gomega.BeEmpty())
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	keys := raw(ctx, admin, "/openid/v1/jwks")
	gomega.Expect(json.Unmarshal(keys, &set)).To(gomega.Succeed())
	gomega.Expect(set.Keys).NotTo(gomega.BeEmpty())
	return stssim.TrustedIssuer{Issuer: metadata.Issuer, Keys: []string{string(keys)}}
}

// raw is what the API server answers an administrator at a path that serves no objects.
func raw(ctx context.Context, admin *rest.Config, path string) []byte {
	ginkgo.GinkgoHelper()
	clientset, err := kubernetes.NewForConfig(admin)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	text, err := clientset.RESTClient().Get().AbsPath(path).DoRaw(ctx)
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), path)
	return text
}
