// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/secret"
	"tokenrequest.dev/operator/internal/sts"
)

func shaped(data map[string]stsv1alpha1.SecretTemplate) func(*stsv1alpha1.TokenRequest) {
	return func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret = &stsv1alpha1.TokenSecret{Data: data} }
}

var (
	header  = map[string]stsv1alpha1.SecretTemplate{"authorization": "Bearer {{ .AccessToken }}"}
	renamed = map[string]stsv1alpha1.SecretTemplate{"token": "{{ .AccessToken }}", "type": "{{ .TokenType }}", "none": "{{ if eq .Scope `x` }}x{{ end }}"}
)

func TestASecretTellsItsShape(t *testing.T) {
	tests := map[string]struct {
		before, after map[string]stsv1alpha1.SecretTemplate
		shaped        bool
		token         sts.Sensitive
	}{
		"default keys":                 {nil, nil, true, tokenCanary},
		"a header":                     {header, header, true, ""},
		"renamed keys":                 {renamed, renamed, true, tokenCanary},
		"from default keys to others":  {nil, header, false, tokenCanary},
		"from others to default keys":  {renamed, nil, false, tokenCanary},
		"from a shape without a token": {header, renamed, false, ""},
		"with another template":        {renamed, map[string]stsv1alpha1.SecretTemplate{"token": "{{ .AccessToken }}\n"}, false, tokenCanary},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before, after := newRequest(shaped(test.before)), newRequest(shaped(test.after))
			s := written(t, before, newToken())
			s.Data["theirs"] = []byte("1")
			h := secret.Hold(after, s)
			want := secret.Content{Record: recordOf(before, newToken()), Intact: true, Shaped: test.shaped, Dressed: true}
			if diff := cmp.Diff(want, h.Inspect(after)); diff != "" {
				t.Errorf("Inspect (-want +got):\n%s", diff)
			}
			if got := h.Body().Token(); got != test.token {
				t.Errorf("the body has a token: %t, want %t", got != "", test.token != "")
			}
		})
	}
}

func TestAnEditedKeyOfAShapeIsDrift(t *testing.T) {
	for name, change := range map[string]func(*corev1.Secret){
		"edited":                   put("token", "edited"),
		"emptied":                  put("token", ""),
		"taken away":               take("token"),
		"another key taken away":   take("type"),
		"a key that isn't ours in": annotate(stsv1alpha1.AnnotationKeys, "theirs,token,type"),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRequest(shaped(renamed))
			s := written(t, r, newToken())
			s.Data["theirs"] = []byte("1")
			change(s)
			if diff := cmp.Diff(secret.Content{}, secret.Hold(r, s).Inspect(r)); diff != "" {
				t.Errorf("Inspect (-want +got):\n%s", diff)
			}
		})
	}
}

func TestATypeIsAPartOfTheShape(t *testing.T) {
	r := newRequest(dressed)
	s := written(t, r, newToken())
	s.Type = corev1.SecretTypeOpaque
	if got := secret.Hold(r, s).Inspect(r); got.Shaped || !got.Intact {
		t.Errorf("Inspect = %+v, want an intact token in another shape", got)
	}
}

func TestABodyShowsItsKeysAlone(t *testing.T) {
	body := bodyOf(newRequest(), newToken())
	for name, v := range map[string]any{"a body": body, "a pointer": &body, "in a struct": struct{ B secret.Body }{body}} {
		t.Run(name, func(t *testing.T) { wantNoCanary(t, show(t, v)) })
	}
	if got, want := fmt.Sprint(body), "keys access_token,expires_at,scope,token_type"; got != want {
		t.Errorf("the body prints as %q, want %q", got, want)
	}
}
