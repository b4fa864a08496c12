// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/secret"
	"tokenrequest.dev/operator/internal/sts"
)

// The whole of what is sent to the API server, in testdata/render. These files also hold still the
// form of the hashes: one that changes under the same version would have an upgrade fetch every
// token anew.
func TestRender(t *testing.T) {
	tests := map[string]struct {
		request *stsv1alpha1.TokenRequest
		secret  *corev1.Secret
		token   *sts.Token
	}{
		"a-free-name":             {newRequest(), nil, newToken()},
		"a-free-name-dressed":     {newRequest(dressed), nil, newToken()},
		"unknown-lifetime":        {newRequest(), nil, bareToken()},
		"our-own":                 {newRequest(), ownedBy("sts.tokenrequest.dev/v1alpha1", "TokenRequest", "graph", "uid-of-request"), newToken()},
		"a-dead-namesakes":        {newRequest(), ownedBy("sts.tokenrequest.dev/v1alpha1", "TokenRequest", "graph", "uid-of-the-dead"), newToken()},
		"consenting":              {newRequest(), ownedBy("", "", "", "", withoutOwner, consentsTo("graph")), newToken()},
		"consenting-type-ignored": {newRequest(dressed), ownedBy("apps/v1", "Deployment", "web", "uid-of-web", consentsTo("graph")), newToken()},
	}
	files, err := filepath.Glob("testdata/render/*.yaml")
	if err != nil || len(files) != len(tests) {
		t.Errorf("testdata/render has %d files (%v), want one for each of %d cases", len(files), err, len(tests))
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join("testdata/render", name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := yaml.Marshal(render(test.request, secret.Hold(test.request, test.secret), test.token))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("the apply configuration (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRenderRefusesAStrangersSecretWithoutNamingTheToken(t *testing.T) {
	r := newRequest()
	defer func() {
		told := fmt.Sprint(recover())
		if !strings.Contains(told, "which isn't the request's") {
			t.Errorf("the panic says %q, want that the Secret isn't the request's", told)
		}
		wantNoCanary(t, told)
	}()
	stranger := ownedBy("", "", "", "", withoutOwner, func(s *corev1.Secret) {
		s.Data = map[string][]byte{"access_token": []byte(tokenCanary)}
	})
	t.Errorf("Render = %v, want a panic", render(r, secret.Hold(r, stranger), newToken()))
}

func TestRenderCopiesWhatItIsHanded(t *testing.T) {
	r := newRequest(dressed)
	record := recordOf(r, newToken())
	body := bodyOf(r, newToken())
	rendered := secret.Render(r, secret.Hold(r, nil), body, record)
	rendered.Data["more"], rendered.Labels["more"], rendered.Annotations["more"] = nil, "", ""
	if diff := cmp.Diff(newRequest(dressed), r); diff != "" {
		t.Errorf("the request changed (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(bodyOf(r, newToken()).Data, body.Data); diff != "" {
		t.Errorf("the data changed (-before +after):\n%s", diff)
	}
}

func TestOurLabelsAndRecordStandAgainstTheSpec(t *testing.T) {
	// CEL refuses such keys; a CRD that somebody applied without its rules doesn't.
	r := newRequest(dressed, func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Secret.Labels[stsv1alpha1.LabelManaged] = "false"
		r.Spec.Secret.Annotations[stsv1alpha1.AnnotationInputs] = "v1:00"
	})
	s := written(t, r, newToken())
	if got := s.Labels[stsv1alpha1.LabelManaged]; got != stsv1alpha1.LabelManagedValue {
		t.Errorf("label %s = %q, want %q", stsv1alpha1.LabelManaged, got, stsv1alpha1.LabelManagedValue)
	}
	if got, want := s.Annotations[stsv1alpha1.AnnotationInputs], recordOf(r, newToken()).Inputs; got != want {
		t.Errorf("annotation %s = %q, want %q", stsv1alpha1.AnnotationInputs, got, want)
	}
}

func TestData(t *testing.T) {
	with := func(change func(*sts.Token)) *sts.Token {
		token := newToken()
		change(token)
		return token
	}
	full := map[string]string{
		"access_token": tokenCanary, "token_type": "Bearer", "scope": "invoices.read", "expires_at": "2030-01-02T04:04:05Z",
	}
	without := func(keys ...string) map[string]string {
		m := maps.Clone(full)
		for _, k := range keys {
			delete(m, k)
		}
		return m
	}
	berlin := time.FixedZone("CET", 3600)
	tests := map[string]struct {
		token *sts.Token
		want  map[string]string
	}{
		"everything that the STS said":                  {newToken(), full},
		"no expires_at where the lifetime isn't known":  {with(func(k *sts.Token) { k.ExpiresAt = time.Time{} }), without("expires_at")},
		"no scope where the STS named none":             {with(func(k *sts.Token) { k.Scope, k.ScopeSaid = "", false }), without("scope")},
		"no scope where the STS named an empty one":     {with(func(k *sts.Token) { k.Scope = "" }), without("scope")},
		"the type in the server's own spelling":         {with(func(k *sts.Token) { k.TokenType = "Bearer" }), full},
		"the expiry in UTC, whatever zone it came in":   {with(func(k *sts.Token) { k.ExpiresAt = k.ExpiresAt.In(berlin) }), full},
		"nothing of what the STS calls the issued type": {with(func(k *sts.Token) { k.IssuedTokenType = "urn:ietf:params:oauth:token-type:jwt" }), full},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := map[string]string{}
			for k, v := range bodyOf(newRequest(), test.token).Data {
				got[k] = string(v)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Data (-want +got):\n%s", diff)
			}
		})
	}
}
