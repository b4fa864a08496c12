// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret_test

import (
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/secret"
	"tokenrequest.dev/operator/internal/sts"
)

// A token is written into a Secret, and what the Secret says is all that is needed later.
func Example() {
	request := &stsv1alpha1.TokenRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "graph", Namespace: "payments", UID: "3d7c"},
		Spec: stsv1alpha1.TokenRequestSpec{
			Issuer: &stsv1alpha1.IssuerSpec{Authority: "https://sts.example.com", ClientID: "orders"},
		},
	}
	issued := time.Date(2030, time.January, 2, 3, 4, 5, 0, time.UTC)
	token := &sts.Token{AccessToken: "s3cr3t", TokenType: "Bearer", IssuedAt: issued, ExpiresAt: issued.Add(time.Hour)}
	record := secret.NewRecord(token, secret.Plan{
		RefreshAt: issued.Add(45 * time.Minute),
		Inputs:    secret.Inputs(request.Spec.Issuer, &request.Spec),
	})
	body, err := secret.Shape{}.Body(token.AccessToken, record)
	if err != nil {
		fmt.Println(err)
		return
	}
	configuration := secret.Render(request, secret.Hold(request, nil), body, record)

	// The API server turns the configuration into a Secret.
	var stored corev1.Secret
	text, err := json.Marshal(configuration)
	if err == nil {
		err = json.Unmarshal(text, &stored)
	}
	if err != nil {
		fmt.Println(err)
		return
	}

	// Another process finds it.
	content := secret.Hold(request, &stored).Inspect(request)
	fmt.Println("intact:", content.Intact)
	fmt.Println("due at:", content.Record.RefreshAt.Format(time.RFC3339))

	stored.Data["access_token"] = []byte("edited")
	fmt.Println("after an edit:", secret.Hold(request, &stored).Inspect(request).Intact)
	// Output:
	// intact: true
	// due at: 2030-01-02T03:49:05Z
	// after an edit: false
}

// A token in the shape that a registry's clients read.
func ExampleNewShape() {
	request := &stsv1alpha1.TokenRequest{Spec: stsv1alpha1.TokenRequestSpec{Secret: &stsv1alpha1.TokenSecret{
		Data: map[string]stsv1alpha1.SecretTemplate{
			"config.json": `{"auths": {"registry.example.com": {"auth": {{ print "user:" .AccessToken | b64enc | json }}}}}`,
		},
	}}}
	shape, err := secret.NewShape(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	body, err := shape.Body("s3cr3t", secret.Record{TokenType: "Bearer"})
	fmt.Println(string(body.Data["config.json"]), err)

	request.Spec.Secret.Data["config.json"] = "{{ range .AccessToken }}{{ end }}"
	_, err = secret.NewShape(request)
	fmt.Println(err)
	// Output:
	// {"auths": {"registry.example.com": {"auth": "dXNlcjpzM2NyM3Q="}}} <nil>
	// the template of key config.json has range, which isn't allowed here; of actions there are fields, functions and if
}
