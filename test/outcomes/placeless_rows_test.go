// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
)

// placelessRows are tokens whose Secret is somebody else's, or refused by the API server.
var placelessRows = []row{
	{
		name: "A Secret of somebody else's", does: "A Secret of the wanted name exists that the operator didn't make.",
		with: somebodyElses, calls: 1,
	}, {
		name: "A Secret of a type that wants another content", does: "`spec.secret.type` is kubernetes.io/dockerconfigjson, its key isn't JSON, and the API server refuses the Secret.",
		spec:  registryOf("the password is {{ .AccessToken }}"),
		calls: 1,
	},
}

// registryOf has an image pull secret made by a template.
func registryOf(template stsv1alpha1.SecretTemplate) func(*stsv1alpha1.TokenRequest) {
	return func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Secret = &stsv1alpha1.TokenSecret{
			Type: string(corev1.SecretTypeDockerConfigJson),
			Data: map[string]stsv1alpha1.SecretTemplate{corev1.DockerConfigJsonKey: template},
		}
	}
}

// somebodyElses is a Secret of the name that the token's would have.
func somebodyElses(t operator.Tenant) []client.Object {
	return []client.Object{&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: requestName}}}
}
