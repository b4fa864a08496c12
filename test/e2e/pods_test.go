//go:build e2e

// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokenrequest.dev/operator/test/e2e/reading"
)

const (
	tokenSecret = "token"
	// withVariables is the Deployment whose pod has the token in its environment.
	withVariables = "variables"
)

// reader is a pod that reads the token of a Secret in its own way.
func reader(name string, shape func(*corev1.PodSpec)) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	pod.Spec.Containers = []corev1.Container{{Name: "reader", Image: testImage, ImagePullPolicy: corev1.PullNever}}
	shape(&pod.Spec)
	return pod
}

// deployed has a Deployment make the pod.
func deployed(pod *corev1.Pod) *appsv1.Deployment {
	of := map[string]string{"app": pod.Name}
	return &appsv1.Deployment{
		ObjectMeta: pod.ObjectMeta,
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: of},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: of}, Spec: pod.Spec},
		},
	}
}

// podWithVariables is the name of that Deployment's one pod, or empty while it has none or several.
func podWithVariables(ctx SpecContext) string {
	GinkgoHelper()
	var pods corev1.PodList
	Expect(cluster.API.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{"app": withVariables})).To(Succeed())
	if len(pods.Items) != 1 {
		return ""
	}
	return pods.Items[0].Name
}

// mounts gives the pod a volume, whole or one of its files.
func mounts(spec *corev1.PodSpec, source corev1.VolumeSource, path, subPath string) {
	spec.Volumes = []corev1.Volume{{Name: "token", VolumeSource: source}}
	spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "token", MountPath: path, SubPath: subPath, ReadOnly: true}}
}

func secretVolume() corev1.VolumeSource {
	return corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: tokenSecret}}
}

// asVolume mounts the Secret.
func asVolume(spec *corev1.PodSpec) { mounts(spec, secretVolume(), "/token", "") }

// projected mounts the Secret together with the pod's own name.
func projected(spec *corev1.PodSpec) {
	mounts(spec, corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
		{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: tokenSecret}}},
		{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{
			{Path: "name", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}}},
	}}}, "/token", "")
}

// asFile mounts one file of the Secret by a subPath.
func asFile(spec *corev1.PodSpec) {
	mounts(spec, secretVolume(), "/token/access_token", "access_token")
}

// asVariables has the Secret's keys for environment variables.
func asVariables(spec *corev1.PodSpec) {
	spec.Containers[0].Args = []string{"-variable=access_token"}
	spec.Containers[0].EnvFrom = []corev1.EnvFromSource{
		{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: tokenSecret}}}}
}

// report asks a reader what it has read.
func report(ctx SpecContext, pod string) (read reading.Report, err error) {
	http, err := rest.HTTPClientFor(config)
	if err != nil {
		return read, err
	}
	response, err := http.Do(request(ctx, fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:8080/proxy/report", namespace, pod)))
	if err != nil {
		return read, err
	}
	defer response.Body.Close()
	return read, json.NewDecoder(response.Body).Decode(&read)
}

func request(ctx SpecContext, path string) *http.Request {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(config.Host, "/")+path, nil)
	Expect(err).NotTo(HaveOccurred())
	return request
}

// killed kills the operator's process from a pod that sees the node's.
func killed(ctx SpecContext) {
	GinkgoHelper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "strike-"}}
	pod.Spec = corev1.PodSpec{
		HostPID: true, RestartPolicy: corev1.RestartPolicyNever,
		Containers: []corev1.Container{{
			Name: "strike", Image: testImage, ImagePullPolicy: corev1.PullNever, Command: []string{"/strike", "/manager"},
			SecurityContext: &corev1.SecurityContext{RunAsUser: new(int64(0))},
		}},
	}
	Expect(cluster.API.Create(ctx, pod)).To(Succeed())
	Eventually(func() (corev1.PodPhase, error) {
		err := cluster.API.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		return pod.Status.Phase, err
	}).WithContext(ctx).Should(Equal(corev1.PodSucceeded))
}
