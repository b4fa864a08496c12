//go:build e2e

// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/e2e/registry"
	"tokenrequest.dev/operator/test/onenode/image"
)

const (
	registryPort = "5000" // which nodes take for one without TLS
	pullSecret   = "registry-pull"
	pullUser     = "oauth2accesstoken"
)

// aRegistry wants a valid token of the simulated STS as the password. It counts those that it got.
func aRegistry() (host string, admitted *atomic.Int32) {
	GinkgoHelper()
	admitted = &atomic.Int32{}
	handler, err := registry.New("private/reader", "1", image.Image{User: "65532", Binaries: []string{root + "/bin/e2e/reader"}},
		func(user, password string) bool {
			issue, known := sim.Lookup(password)
			valid := user == pullUser && known && issue.ClientID == namespace && time.Now().Before(issue.ExpiresAt)
			if valid {
				admitted.Add(1)
			}
			return valid
		})
	Expect(err).NotTo(HaveOccurred())
	host = net.JoinHostPort(address, registryPort)
	listener, err := (&net.ListenConfig{}).Listen(GinkgoT().Context(), "tcp", host)
	Expect(err).NotTo(HaveOccurred())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	DeferCleanup(server.Close)
	return host, admitted
}

// pullRequest is config/samples/shapes/dockerconfigjson.yaml for another issuer and registry.
func pullRequest(host string, issuer *stsv1alpha1.IssuerSpec) *stsv1alpha1.TokenRequest {
	GinkgoHelper()
	sample, err := os.ReadFile(root + "/config/samples/shapes/dockerconfigjson.yaml")
	Expect(err).NotTo(HaveOccurred())
	wanted := &stsv1alpha1.TokenRequest{}
	Expect(yaml.UnmarshalStrict([]byte(strings.ReplaceAll(string(sample), "registry.example.com", host)), wanted)).To(Succeed())
	wanted.Namespace, wanted.Spec.Issuer = namespace, issuer
	Expect(wanted.Spec.Secret.Name).To(BeEquivalentTo(pullSecret))
	return wanted
}

// pulls has a pod whose image is in the registry.
func pulls(host string) func(*corev1.PodSpec) {
	return func(spec *corev1.PodSpec) {
		asVolume(spec)
		spec.Containers[0].Image, spec.Containers[0].ImagePullPolicy = host+"/private/reader:1", corev1.PullAlways
		spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: pullSecret}}
	}
}
