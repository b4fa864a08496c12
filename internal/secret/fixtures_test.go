// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret_test

import (
	"encoding/json"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/secret"
	"tokenrequest.dev/operator/internal/sts"
)

const tokenCanary = "eyJ0eXAiOiJKV1QifQ.canary-of-an-access-token.c2ln"

var issued = time.Date(2030, time.January, 2, 3, 4, 5, 0, time.UTC)

// newRequest is a request without spec.secret. Changes are made to it in order.
func newRequest(changes ...func(*stsv1alpha1.TokenRequest)) *stsv1alpha1.TokenRequest {
	r := &stsv1alpha1.TokenRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "graph", Namespace: "payments", UID: "uid-of-request"},
		Spec: stsv1alpha1.TokenRequestSpec{
			Issuer: &stsv1alpha1.IssuerSpec{
				Authority: "https://sts.example.com/tenant",
				ClientID:  "orders",
				Credential: &stsv1alpha1.Credential{ClientSecret: &stsv1alpha1.ClientSecretCredential{
					SecretRef: stsv1alpha1.SecretKeyRef{Name: "graph-app", Key: "client_secret"},
				}},
			},
			Scopes: []stsv1alpha1.Scope{"invoices.read"},
		},
	}
	for _, change := range changes {
		change(r)
	}
	return r
}

// dressed asks for a type, a label and an annotation of the request's own.
func dressed(r *stsv1alpha1.TokenRequest) {
	r.Spec.Secret = &stsv1alpha1.TokenSecret{
		Name:        "graph-token",
		Type:        "example.com/token",
		Labels:      map[string]stsv1alpha1.LabelValue{"team": "payments"},
		Annotations: map[string]stsv1alpha1.AnnotationValue{"example.com/reloads": "yes"},
	}
}

// newToken is a token of one hour whose scope the STS named.
func newToken() *sts.Token {
	return &sts.Token{
		AccessToken: tokenCanary,
		TokenType:   "Bearer",
		Scope:       "invoices.read",
		ScopeSaid:   true,
		IssuedAt:    issued,
		ExpiresAt:   issued.Add(time.Hour),
		Lifetime:    time.Hour,
	}
}

// bareToken is a token of which the STS said neither lifetime nor scope.
func bareToken() *sts.Token {
	return &sts.Token{AccessToken: tokenCanary, TokenType: "Bearer", IssuedAt: issued}
}

func recordOf(r *stsv1alpha1.TokenRequest, token *sts.Token) secret.Record {
	return secret.NewRecord(token, secret.Plan{
		RefreshAt: issued.Add(45 * time.Minute),
		Inputs:    secret.Inputs(r.Spec.Issuer, &r.Spec),
	})
}

func render(r *stsv1alpha1.TokenRequest, h secret.Holding, token *sts.Token) *corev1ac.SecretApplyConfiguration {
	record := recordOf(r, token)
	return secret.Render(r, h, bodyOf(r, token), record)
}

// bodyOf is a token in the shape that a request wants, which has to be one.
func bodyOf(r *stsv1alpha1.TokenRequest, token *sts.Token) secret.Body {
	shape, err := secret.NewShape(r)
	if err != nil {
		panic(err)
	}
	body, err := shape.Body(token.AccessToken, recordOf(r, token))
	if err != nil {
		panic(err)
	}
	return body
}

// written is what the API server holds once a request has written a token under a free name.
func written(t *testing.T, r *stsv1alpha1.TokenRequest, token *sts.Token) *corev1.Secret {
	t.Helper()
	s := &corev1.Secret{}
	apply(t, s, render(r, secret.Hold(r, nil), token))
	s.UID = "uid-of-secret"
	return s
}

// apply does to a Secret what the API server does with an apply configuration: what it names is set,
// and everything else stays. What the field manager had set and names no more stays too, unlike in
// the API server.
func apply(t *testing.T, s *corev1.Secret, configuration *corev1ac.SecretApplyConfiguration) {
	t.Helper()
	text, err := json.Marshal(configuration)
	if err != nil {
		t.Fatalf("marshalling the apply configuration: %v", err)
	}
	if err := json.Unmarshal(text, s); err != nil {
		t.Fatalf("reading the apply configuration as a Secret: %v", err)
	}
}
