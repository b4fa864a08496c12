// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// unsupported says what a spec asks for that the API knows and this version of the operator doesn't
// do, and what to write instead; it is empty when everything is done.
func unsupported(request *stsv1alpha1.TokenRequest) string {
	spec := &request.Spec
	if spec.Secret != nil && spec.Secret.Data != nil {
		return "This version of the operator doesn't render spec.secret.data yet. Leave it out for the keys access_token, token_type, scope and expires_at."
	}
	return ""
}
