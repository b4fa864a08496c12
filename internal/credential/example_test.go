// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
)

// A client secret whose owner says where it may be sent.
func Example() {
	reader := &cluster{objects: []client.Object{&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "payments", Name: "graph-app", UID: "3d7c", ResourceVersion: "42",
			Annotations: map[string]string{stsv1alpha1.AnnotationAllowedHosts: "login.example.com"},
		},
		Data: map[string][]byte{"client_secret": []byte("correct horse battery staple")},
	}}}
	issuer := &stsv1alpha1.IssuerSpec{
		Authority: "https://login.example.com",
		ClientID:  "orders",
		Credential: &stsv1alpha1.Credential{ClientSecret: &stsv1alpha1.ClientSecretCredential{
			SecretRef: stsv1alpha1.SecretKeyRef{Name: "graph-app", Key: "client_secret"},
		}},
	}

	held, problem, err := credential.Resolver{Reader: reader}.Resolve(context.Background(), credential.Inline("payments"), issuer, nil)
	if problem != nil || err != nil {
		fmt.Println(problem, err)
		return
	}
	fmt.Println(held.Description, "holds", held.Secret)
	fmt.Println("version:", held.Identity)
	fmt.Println("to login.example.com:", held.Permits("https://login.example.com/token") == nil)
	fmt.Println(held.Permits("https://evil.example/token").Message)
	// Output:
	// Secret payments/graph-app key client_secret holds [redacted]
	// version: 3d7c/42
	// to login.example.com: true
	// Secret payments/graph-app key client_secret may not be sent to evil.example. Add that host to its annotation sts.tokenrequest.dev/allowed-hosts if its owner agrees.
}
