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

// clientPaths are issuers whose client identifier is a secret, because a reference points at the wrong
// key.
func clientPaths() []leakPath {
	pointed := func(name string, at func(c canaries) string, act func(shown string) stssim.Action) leakPath {
		return pathOf(name, spiced, func(c canaries) row {
			return row{
				act: act(at(c)),
				with: func(t operator.Tenant) []client.Object {
					return []client.Object{&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "other"},
						Data: map[string][]byte{"password": []byte(at(c))}}}
				},
				spec: func(r *stsv1alpha1.TokenRequest) {
					r.Spec.Issuer.ClientID, r.Spec.Issuer.ClientIDRef = "", &stsv1alpha1.SecretKeyRef{Name: "other", Key: "password"}
				},
			}
		})
	}
	unknown := func(shown string) stssim.Action {
		return stssim.Action{Error: &stssim.ErrorBody{Error: "unauthorized_client", Codes: []int{700016},
			Description: "AADSTS700016: Application with identifier '" + shown + "' was not found in the directory."}}
	}
	limited := func(string) stssim.Action { return stssim.Action{Status: http.StatusTooManyRequests, RetryAfter: "60"} }
	secret, other := func(c canaries) string { return c.secret }, func(c canaries) string { return c.other }
	return []leakPath{
		pointed("clientIDRef points at the client secret, which the STS shows", secret, unknown),
		pointed("clientIDRef points at another secret, which the STS shows", other, unknown),
		pointed("clientIDRef points at the client secret, and the STS throttles", secret, limited),
		pointed("clientIDRef points at another secret, and the STS throttles", other, limited),
	}
}
