// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"net/http"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

// The addresses that the operator is told to leave alone, by flags.
const (
	allowedHosts = "127.0.0.1,localhost,invalid,192.0.2.7"
	deniedCIDRs  = "192.0.2.0/24"
)

// refusedRows are requests that no call is made for.
var refusedRows = []row{
	refusal("No credential Secret", "The credential's Secret doesn't exist.", func(r *stsv1alpha1.TokenRequest) {
		secretRef(r).Name = "missing"
	}),
	refusal("No such key in the credential Secret", "The credential's Secret has no key of that name.", func(r *stsv1alpha1.TokenRequest) {
		secretRef(r).Key = "password"
	}),
	secretOf("An empty credential", "The credential is empty.", nil, ""),
	secretOf("A credential with a line feed", "The credential ends in a line feed.", nil, "secret\n"),
	secretOf("A credential in another alphabet", "The credential isn't ASCII.", nil, "пароль"),
	secretOf("A credential for another host", "The owner of the credential's Secret lets it go elsewhere only.",
		map[string]string{stsv1alpha1.AnnotationAllowedHosts: "login.microsoftonline.com"}, "secret"),
	refusal("No Secret with the client identifier", "`clientIDRef` names a Secret that doesn't exist.", func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Issuer.ClientID = ""
		r.Spec.Issuer.ClientIDRef = &stsv1alpha1.SecretKeyRef{Name: "missing", Key: "client_id"}
	}),
	refusal("No ConfigMap with the CA", "`caBundleRef` names a ConfigMap that doesn't exist.", func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Issuer.TLS.CABundleRef.Name = "missing"
	}),
	{
		name: "A CA bundle that isn't PEM", does: "The ConfigMap with the CA holds no certificate.",
		spec: func(r *stsv1alpha1.TokenRequest) { r.Spec.Issuer.TLS.CABundleRef.Name = "other" },
		with: func(t operator.Tenant) []client.Object {
			return []client.Object{&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "other"},
				Data: map[string]string{"ca.crt": "see the wiki"}}}
		},
	},
	refusal("Claims that are no JSON", "`spec.claims` begins like JSON and isn't.", func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Claims = "{access_token}"
	}),
	refusal("A host that isn't allowed", "The endpoint's host isn't in the operator's `--allowed-hosts`.", at("https://elsewhere.example/token")),
	refusal("A denied address", "The endpoint's address lies in the operator's `--denied-cidrs`.", at("https://192.0.2.7/token")),
	refusal("A link-local address", "The endpoint's address is link-local.", at("https://169.254.169.254/token")),
	refusal("A template that can't be read", "A template ends in the middle.", shapedAs("Bearer {{ .AccessToken")),
	refusal("A template with a loop", "A template has something that isn't allowed.", shapedAs("{{ range .AccessToken }}{{ end }}")),
	refusal("A template with an unknown field", "A template has a field that isn't there.", shapedAs("{{ .IDToken }}")),
	{
		name: "A token that a template can't write", does: "The STS issues a token with a space, and the template is of a netrc file.",
		act: stssim.Action{Status: http.StatusOK, Body: `{"access_token":"two words","token_type":"Bearer","expires_in":3600}`}, calls: 1,
		spec: shapedAs("machine sts.example login oauth2 password {{ netrc .AccessToken }}"),
	},
	refusal("Templates without the token", "No template has the token.", shapedAs("{{ .ExpiresAt }}")),
	refusal("Suspended", "`spec.suspend` is true.", func(r *stsv1alpha1.TokenRequest) { r.Spec.Suspend = true }),
}

// shapedAs has the Secret made by a template.
func shapedAs(template stsv1alpha1.SecretTemplate) func(*stsv1alpha1.TokenRequest) {
	return func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Secret = &stsv1alpha1.TokenSecret{Data: map[string]stsv1alpha1.SecretTemplate{"header": template}}
	}
}

func refusal(name, does string, spec func(*stsv1alpha1.TokenRequest)) row {
	return row{name: name, does: does, spec: spec}
}

// secretOf is a refusal of a credential with a certain content.
func secretOf(name, does string, annotations map[string]string, value string) row {
	return row{
		name: name, does: does,
		spec: func(r *stsv1alpha1.TokenRequest) { secretRef(r).Name = "other" },
		with: func(t operator.Tenant) []client.Object {
			return []client.Object{&corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "other", Annotations: annotations},
				Data:       map[string][]byte{operator.CredentialKey: []byte(value)},
			}}
		},
	}
}

func secretRef(r *stsv1alpha1.TokenRequest) *stsv1alpha1.SecretKeyRef {
	return &r.Spec.Issuer.Credential.ClientSecret.SecretRef
}

func at(endpoint stsv1alpha1.HTTPSURL) func(*stsv1alpha1.TokenRequest) {
	return func(r *stsv1alpha1.TokenRequest) { r.Spec.Issuer.TokenEndpoint = endpoint }
}
