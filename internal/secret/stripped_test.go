// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/secret"
)

// What follows from a stripped Secret is tested with Inspect.
func TestAStrippedSecretHoldsNoToken(t *testing.T) {
	s := written(t, newRequest(dressed), newToken())
	before := s.DeepCopy()
	stripped := secret.Strip(s)
	if text := fmt.Sprintf("%+v", stripped); strings.Contains(text, tokenCanary) || len(stripped.Data) > 0 {
		t.Errorf("it is %s", text)
	}
	if diff := cmp.Diff(before, s); diff != "" {
		t.Errorf("the Secret itself was changed (-before +after):\n%s", diff)
	}
	if again := secret.Strip(stripped); again != stripped {
		t.Error("a stripped Secret was stripped once more")
	}
	if h := secret.Hold(newRequest(), stripped); !h.Stripped() || h.Body().TokenKey != "" {
		t.Errorf("stripped %t, token key %q", h.Stripped(), h.Body().TokenKey)
	}
}

// What has no record of ours, or not the right one, is needed whole: a chain's Secret for one.
func TestASecretThatHoldsAnythingElseIsLeftAsItIs(t *testing.T) {
	tests := map[string]func(*corev1.Secret){
		"a token was edited":             put("access_token", "edited"),
		"a record was edited":            annotate(stsv1alpha1.AnnotationRefreshAt, "2031-01-02T04:04:05Z"),
		"it has no record":               func(s *corev1.Secret) { s.Annotations = nil },
		"nothing but data is there":      func(s *corev1.Secret) { *s = corev1.Secret{Data: map[string][]byte{"refresh_token": []byte("rt")}} },
		"nothing at all is there":        func(s *corev1.Secret) { *s = corev1.Secret{} },
		"the record of no data is there": func(s *corev1.Secret) { s.Data = nil },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			s := written(t, newRequest(), newToken())
			change(s)
			if stripped := secret.Strip(s); stripped != s || secret.Hold(newRequest(), s).Stripped() {
				t.Error("it was stripped")
			}
		})
	}
	if secret.Hold(newRequest(), nil).Stripped() {
		t.Error("a free name is stripped")
	}
}

// Whether other keys can be written without a call is known without the token.
func TestAStrippedSecretKnowsWhetherItHasTheTokenAsItIs(t *testing.T) {
	header := func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Secret = &stsv1alpha1.TokenSecret{Data: map[string]stsv1alpha1.SecretTemplate{"header": "Bearer {{ .AccessToken }}"}}
	}
	for name, test := range map[string]struct {
		spec   func(*stsv1alpha1.TokenRequest)
		change func(*corev1.Secret)
		want   bool
	}{
		"the default keys":                   {dressed, inTurn(), true},
		"a template that writes it":          {dressed, annotate(stsv1alpha1.AnnotationTokenKey, "nowhere"), false},
		"a key of others":                    {dressed, inTurn(put("theirs", "x"), annotate(stsv1alpha1.AnnotationTokenKey, "theirs")), false},
		"a template that adds to it":         {header, inTurn(), false},
		"a name of the key that was removed": {dressed, unannotate(stsv1alpha1.AnnotationTokenKey), false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRequest(test.spec)
			s := written(t, r, newToken())
			test.change(s)
			for form, s := range map[string]*corev1.Secret{"itself": s, "stripped": secret.Strip(s)} {
				if got := secret.Hold(r, s).HasToken(); got != test.want {
					t.Errorf("the Secret %s has the token: %t", form, got)
				}
			}
		})
	}
}
