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
		name: "A Secret of a type that wants other keys", does: "`spec.secret.type` is kubernetes.io/tls, and the API server refuses the Secret.",
		spec: func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Secret = &stsv1alpha1.TokenSecret{Type: string(corev1.SecretTypeTLS)}
		},
		calls: 1,
	},
}

// somebodyElses is a Secret of the name that the token's would have.
func somebodyElses(t operator.Tenant) []client.Object {
	return []client.Object{&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: requestName}}}
}
