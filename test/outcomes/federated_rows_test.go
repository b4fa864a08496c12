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
)

const (
	accountName = "shop"
	// entraAudience is the audience that an absent one means.
	entraAudience = "api://AzureADTokenExchange"
)

// federatedRows are a client that stands behind a ServiceAccount.
var federatedRows = []row{
	federatedRefusal(70021, "No matching federated identity record found for presented assertion."),
	federatedRefusal(700211, "No matching federated identity record found for presented assertion issuer."),
	federatedRefusal(700212, "No matching federated identity record found for presented assertion audience 'api://AzureADTokenExchange'."),
	federatedRefusal(700213, "No matching federated identity record found for presented assertion subject."),
	{
		name: "invalid_client for a federated client", does: "A server without numbers answers 401 `invalid_client`.",
		act: said(http.StatusUnauthorized, "invalid_client", "Unknown assertion", refused).act, spec: both(federated, atPlainServer), with: consenting,
		calls: 1, wait: refused,
	},
	refusalWith("No ServiceAccount", "The ServiceAccount doesn't exist.", nil, federated),
	refusalWith("A ServiceAccount without consent", "The ServiceAccount has no annotation.", accountWith(nil), federated),
	refusalWith("A ServiceAccount that consents to another audience", "The ServiceAccount's annotation lists another audience.",
		accountWith(map[string]string{stsv1alpha1.AnnotationAllowedAudiences: "https://vault.example"}), federated),
	refusalWith("The API server's audience", "The audience is one that every API server takes.",
		accountWith(map[string]string{stsv1alpha1.AnnotationAllowedAudiences: "https://kubernetes.default.svc"}), federatedFor("https://kubernetes.default.svc")),
	refusalWith("An audience that no administrator has listed", "The policies of config/policy don't let tokens be made for the audience.",
		accountWith(map[string]string{stsv1alpha1.AnnotationAllowedAudiences: "https://vault.example"}), federatedFor("https://vault.example")),
	refusalWith("An audience of the API server's that only it knows", "The audience is the issuer of this cluster's tokens, which its API server takes too. An administrator has listed it by mistake.",
		func(t operator.Tenant) []client.Object {
			return accountWith(map[string]string{stsv1alpha1.AnnotationAllowedAudiences: kubernetesIssuer})(t)
		}, func(r *stsv1alpha1.TokenRequest) { federatedFor(kubernetesIssuer)(r) }),
}

// federatedRefusal is Entra's about an assertion that no federated credential of the client matches.
func federatedRefusal(number int, description string) row {
	r := numbered(http.StatusUnauthorized, "invalid_client", number, description, propagating)
	r.name += " for a ServiceAccount"
	r.spec, r.with = federated, consenting
	return r
}

func refusalWith(name, does string, with func(operator.Tenant) []client.Object, spec func(*stsv1alpha1.TokenRequest)) row {
	return row{name: name, does: does, with: with, spec: spec}
}

func federated(r *stsv1alpha1.TokenRequest) { federatedFor("")(r) }

func federatedFor(audience string) func(*stsv1alpha1.TokenRequest) {
	return func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Issuer.Credential = &stsv1alpha1.Credential{Federated: &stsv1alpha1.FederatedCredential{
			ServiceAccountRef: stsv1alpha1.ServiceAccountRef{Name: accountName}, Audience: audience}}
	}
}

func consenting(t operator.Tenant) []client.Object {
	return accountWith(map[string]string{stsv1alpha1.AnnotationAllowedAudiences: entraAudience})(t)
}

func accountWith(annotations map[string]string) func(operator.Tenant) []client.Object {
	return func(t operator.Tenant) []client.Object {
		return []client.Object{&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: accountName, Annotations: annotations}}}
	}
}
