// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"fmt"
	"testing"

	"tokenrequest.dev/operator/internal/credential"
)

// What is remembered of one bundle is said of no other, however many there are.
func TestABundleIsUsableWhetherRememberedOrNot(t *testing.T) {
	garbage := "-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n-----END CERTIFICATE-----\n"
	other := "-----BEGIN PUBLIC KEY-----\nY2FuYXJ5\n-----END PUBLIC KEY-----\n"
	bundles := map[string]bool{
		certificate:                   true,
		garbage:                       false,
		other:                         false,
		other + garbage + certificate: true,
		certificate + garbage:         true,
		"":                            false,
	}
	remembering := resolverOf(&cluster{})
	remembering.Bundles = &credential.Bundles{}
	for round := range 3 {
		for bundle, want := range bundles {
			for name, resolver := range map[string]credential.Resolver{"anew": resolverOf(&cluster{}), "remembered": remembering} {
				held, problem, err := resolver.Resolve(t.Context(), credential.Inline("payments"), newIssuer(withoutCredential, withInlineCA(bundle)), nil)
				if err != nil || (problem == nil) != want || want && string(held.Transport.RootCAs) != bundle {
					t.Errorf("round %d, looked at %s: %q is usable: %t, %v", round, name, bundle, problem == nil, err)
				}
			}
		}
		for i := range 1024 {
			bundle := fmt.Sprintf("# %d\n%s", i, certificate)
			if _, problem, _ := remembering.Resolve(t.Context(), credential.Inline("payments"), newIssuer(withoutCredential, withInlineCA(bundle)), nil); problem != nil {
				t.Fatalf("one of many: %v", problem)
			}
		}
	}
}
