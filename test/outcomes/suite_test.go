// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package outcomes_test walks the operator's real binary through everything that a token request can
// come to. What people then read in a status stands in one golden file, and what they must never read
// is searched for in everything that the operator shows.
package outcomes_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

var (
	cluster *operator.Cluster
	sim     *stssim.Server
	// kubernetesIssuer is the iss claim of the cluster's service-account tokens, and an audience that its
	// API server takes.
	kubernetesIssuer string
)

func TestOutcomes(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "test/outcomes")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	cluster = operator.StartCluster(ctx)
	var err error
	sim, err = stssim.Start(stssim.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(sim.Close)
	kubernetesIssuer = issuerOfTokens(ctx)
})

// issuerOfTokens reads it from a token.
func issuerOfTokens(ctx SpecContext) string {
	GinkgoHelper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, Name: "anybody"}}
	Expect(cluster.API.Create(ctx, account)).To(Succeed())
	review := &authenticationv1.TokenRequest{}
	Expect(cluster.API.SubResource("token").Create(ctx, account, review)).To(Succeed())
	segments := strings.Split(review.Status.Token, ".")
	Expect(segments).To(HaveLen(3))
	payload, err := base64.RawURLEncoding.DecodeString(segments[1])
	Expect(err).NotTo(HaveOccurred())
	var claims struct {
		Issuer string `json:"iss"`
	}
	Expect(json.Unmarshal(payload, &claims)).To(Succeed())
	return claims.Issuer
}
