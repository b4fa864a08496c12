// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/secret"
	"tokenrequest.dev/operator/internal/sts"
)

func chainRequest(change func(*stsv1alpha1.TokenRequest)) *stsv1alpha1.TokenRequest {
	r := &stsv1alpha1.TokenRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "graph", Namespace: "payments", UID: "3d7c"},
		Spec:       stsv1alpha1.TokenRequestSpec{Grant: &stsv1alpha1.Grant{Type: stsv1alpha1.GrantDeviceCode, DeviceCode: &stsv1alpha1.DeviceCodeGrant{}}},
	}
	if change != nil {
		change(r)
	}
	return r
}

func signIn() *secret.SignIn {
	return &secret.SignIn{
		Code: "device~canary", UserCode: "WDJB-MJHT", URI: "https://sts.example.com/device", CompleteURI: "https://sts.example.com/device?code=WDJB-MJHT",
		ExpiresAt: time.Date(2030, time.January, 2, 3, 4, 5, 0, time.UTC), Interval: 7 * time.Second,
	}
}

// stored is a Secret that keeps a chain.
func stored(_ *testing.T, chain secret.Chain) *corev1.Secret {
	return secret.Holding{}.Keep(chainRequest(nil), chain)
}

func TestChainComesBackAsItWasKept(t *testing.T) {
	for name, chain := range map[string]secret.Chain{
		"one that hasn't begun":                {},
		"a refresh token":                      {Origin: secret.Origin("seed"), RefreshToken: "refresh~canary"},
		"a refresh token that has left":        {Origin: "v1:1", RefreshToken: "refresh~canary", Spending: true},
		"one that has ended":                   {Origin: "v1:1", Ended: stsv1alpha1.ReasonRefreshTokenLost},
		"a sign-in":                            {Origin: "v1:1", Device: signIn()},
		"a sign-in that is to renew another's": {Origin: "v1:1", RefreshToken: "refresh~canary", Device: signIn()},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(chain, secret.ReadChain(stored(t, chain)), cmp.Comparer(func(a, b sts.Sensitive) bool { return a.Reveal() == b.Reveal() })); diff != "" {
				t.Errorf("(-kept +read):\n%s", diff)
			}
		})
	}
}

func TestSignInWithAPartMissingIsNone(t *testing.T) {
	for _, key := range []string{"device_code", "device_expires_at", "device_interval"} {
		for name, edit := range map[string]func(map[string][]byte){
			"gone":    func(data map[string][]byte) { delete(data, key) },
			"garbage": func(data map[string][]byte) { data[key] = nil },
		} {
			t.Run(key+" "+name, func(t *testing.T) {
				s := stored(t, secret.Chain{Device: signIn()})
				edit(s.Data)
				if got := secret.ReadChain(s).Device; got != nil {
					t.Errorf("got %+v", got)
				}
			})
		}
	}
}

func TestChainShowsNoSecret(t *testing.T) {
	chain := secret.Chain{RefreshToken: "refresh~canary", Device: signIn()}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, chain) + fmt.Sprintf(format, *chain.Device); strings.Contains(text, "~canary") {
			t.Errorf("%s shows a secret: %s", format, text)
		}
	}
}

func TestOriginsDiffer(t *testing.T) {
	if secret.Origin("a") == secret.Origin("b") || strings.Contains(secret.Origin("seed"), "seed") {
		t.Error("an origin tells nothing, or too much")
	}
}

func TestStoreName(t *testing.T) {
	named := &stsv1alpha1.StoreRef{Name: "kept"}
	for name, test := range map[string]struct {
		grant *stsv1alpha1.Grant
		want  string
	}{
		"no grant":                {nil, "graph-refresh"},
		"a device code":           {&stsv1alpha1.Grant{DeviceCode: &stsv1alpha1.DeviceCodeGrant{}}, "graph-refresh"},
		"a device code's own":     {&stsv1alpha1.Grant{DeviceCode: &stsv1alpha1.DeviceCodeGrant{Store: named}}, "kept"},
		"a refresh token":         {&stsv1alpha1.Grant{RefreshToken: &stsv1alpha1.RefreshTokenGrant{}}, "graph-refresh"},
		"a refresh token's own":   {&stsv1alpha1.Grant{RefreshToken: &stsv1alpha1.RefreshTokenGrant{Store: named}}, "kept"},
		"another grant with none": {&stsv1alpha1.Grant{JWTBearer: &stsv1alpha1.AssertionGrant{}}, "graph-refresh"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := secret.StoreName(chainRequest(func(r *stsv1alpha1.TokenRequest) { r.Spec.Grant = test.grant })); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestStoreIsNobodyElses(t *testing.T) {
	existing := func(change func(*corev1.Secret)) *corev1.Secret {
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "graph-refresh", Namespace: "payments", UID: "s1"}}
		change(s)
		return s
	}
	owner := func(uid, name string) []metav1.OwnerReference {
		o := secret.Owner(chainRequest(nil))
		o.UID, o.Name = "3d7c", name
		if uid != "" {
			o.UID = "other"
		}
		return []metav1.OwnerReference{o}
	}
	for name, test := range map[string]struct {
		secret *corev1.Secret
		want   string // a part of the message, "" for a store that will do
	}{
		"a free name":       {nil, ""},
		"our own":           {existing(func(s *corev1.Secret) { s.OwnerReferences = owner("", "graph") }), ""},
		"a dead namesake's": {existing(func(s *corev1.Secret) { s.OwnerReferences = owner("other", "graph") }), ""},
		"somebody's":        {existing(func(*corev1.Secret) {}), "belongs to somebody else"},
		"another request's": {existing(func(s *corev1.Secret) { s.OwnerReferences = owner("other", "mail") }), "belongs to TokenRequest mail"},
		"a consenting one": {existing(func(s *corev1.Secret) {
			s.Annotations = map[string]string{stsv1alpha1.AnnotationAdoptableBy: "graph"}
		}), "consent doesn't extend"},
		"an immutable one": {existing(func(s *corev1.Secret) {
			s.OwnerReferences, s.Immutable = owner("", "graph"), new(true)
		}), "immutable"},
	} {
		t.Run(name, func(t *testing.T) {
			holding := secret.Hold(chainRequest(nil), test.secret)
			got := holding.UnusableStore(chainRequest(nil))
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if test.want != "" && !strings.Contains(got, "immutable") {
				mustPanic(t, func() { holding.Keep(chainRequest(nil), secret.Chain{}) })
			}
		})
	}
}

func mustPanic(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("a chain was rendered into a Secret that isn't the request's")
		}
	}()
	f()
}

func TestStoreHoldsTheChainAndNothingElse(t *testing.T) {
	held := stored(t, secret.Chain{Origin: "v1:1", RefreshToken: "before", Spending: true, Device: signIn()})
	held.UID, held.ResourceVersion, held.Data["somebody's"] = "s1", "7", []byte("edit")
	dead := secret.Owner(chainRequest(nil))
	dead.UID = "dead"
	held.OwnerReferences = []metav1.OwnerReference{{Kind: "ConfigMap", Name: "other", UID: "o"}, dead}
	held.Labels = map[string]string{"team": "shop"}

	got := secret.Hold(chainRequest(nil), held).Keep(chainRequest(nil), secret.Chain{Origin: "v1:1", RefreshToken: "after"})
	want := held.DeepCopy()
	want.Data = map[string][]byte{"origin": []byte("v1:1"), "refresh_token": []byte("after")}
	want.OwnerReferences[1] = secret.Owner(chainRequest(nil))
	want.Labels = map[string]string{"team": "shop", stsv1alpha1.LabelManaged: stsv1alpha1.LabelManagedValue, stsv1alpha1.LabelManagedBy: stsv1alpha1.FieldManager}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if string(held.Data["refresh_token"]) != "before" {
		t.Error("the Secret that was read was changed")
	}
}
