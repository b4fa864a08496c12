// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/secret"
)

// What is written down is read back, by another process as well: the Secret is the only memory.
func TestARecordSurvivesItsSecret(t *testing.T) {
	full := secret.Record{
		IssuedAt: issued, ExpiresAt: issued.Add(time.Hour), RefreshAt: issued.Add(45 * time.Minute),
		RefreshBefore: 10 * time.Minute, Inputs: "v1:inputs", Presented: "v1:presented", TokenType: "Bearer",
		IssuedTokenType: "urn:ietf:params:oauth:token-type:access_token", Scope: "invoices.read invoices.write", ScopeSaid: true,
	}
	with := func(change func(*secret.Record)) secret.Record {
		r := full
		change(&r)
		return r
	}
	tests := map[string]secret.Record{
		"with everything":             full,
		"with an unknown expiry":      with(func(r *secret.Record) { r.ExpiresAt = time.Time{} }),
		"with no scope":               with(func(r *secret.Record) { r.Scope, r.ScopeSaid = "", false }),
		"with no issued type":         with(func(r *secret.Record) { r.IssuedTokenType = "" }),
		"with a life of one second":   with(func(r *secret.Record) { r.ExpiresAt, r.RefreshAt = issued.Add(time.Second), issued.Add(time.Second) }),
		"with a life of ten years":    with(func(r *secret.Record) { r.ExpiresAt = issued.AddDate(10, 0, 0) }),
		"with no known credential":    with(func(r *secret.Record) { r.Presented = "" }),
		"with a type that isn't ours": with(func(r *secret.Record) { r.TokenType = "DPoP" }),
		"with inputs to come":         with(func(r *secret.Record) { r.Inputs = "v9:0" }),
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRequest()
			s := &corev1.Secret{}
			apply(t, s, secret.Render(r, secret.Hold(r, nil), secret.Body{Data: map[string][]byte{"access_token": []byte("t")}}, want))
			got, readable := secret.ReadRecord(s)
			if !readable {
				t.Errorf("the record can't be read: %v", s.Annotations)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the record (-written +read):\n%s", diff)
			}
		})
	}
}

func TestReadRecordOfASecretWithoutOne(t *testing.T) {
	for name, s := range map[string]*corev1.Secret{
		"an empty Secret":             {},
		"a Secret with a token alone": {Data: map[string][]byte{"access_token": []byte("t")}},
		"a Secret with inputs alone":  {ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{stsv1alpha1.AnnotationInputs: "v1:0"}}},
		"a Secret with instants alone": {ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
			stsv1alpha1.AnnotationIssuedAt: "2030-01-02T03:04:05Z", stsv1alpha1.AnnotationRefreshAt: "2030-01-02T03:49:05Z",
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, readable := secret.ReadRecord(s); readable {
				t.Errorf("ReadRecord = %+v, want that nothing can be read", got)
			}
		})
	}
}

func TestSameHash(t *testing.T) {
	tests := map[string]struct {
		recorded, wanted string
		want             bool
	}{
		"the same hash is the same":                          {"v1:ab", "v1:ab", true},
		"another hash of our version isn't":                  {"v1:cd", "v1:ab", false},
		"a hash of the version to come counts as equal":      {"v2:cd", "v1:ab", true},
		"a hash of a version with two digits counts as well": {"v10:cd", "v1:ab", true},
		"a hash in another form counts as equal":             {"sha256:cd", "v1:ab", true},
		"no hash isn't one of a version to come":             {"", "v1:ab", false},
		"an empty hash of our version isn't the same":        {"v1:", "v1:ab", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := secret.SameHash(test.recorded, test.wanted); got != test.want {
				t.Errorf("SameHash(%q, %q) = %t, want %t", test.recorded, test.wanted, got, test.want)
			}
		})
	}
}
