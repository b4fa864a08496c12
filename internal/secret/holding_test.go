// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/secret"
)

// ownedBy is a Secret with one owner. Changes are made to it in order.
func ownedBy(group, kind, name string, uid types.UID, changes ...func(*corev1.Secret)) *corev1.Secret {
	controller := true
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "graph", Namespace: "payments", UID: "uid-of-secret"}}
	s.OwnerReferences = []metav1.OwnerReference{{APIVersion: group, Kind: kind, Name: name, UID: uid, Controller: &controller}}
	for _, change := range changes {
		change(s)
	}
	return s
}

func consentsTo(name string) func(*corev1.Secret) {
	return func(s *corev1.Secret) {
		s.Annotations = map[string]string{stsv1alpha1.AnnotationAdoptableBy: name}
	}
}

func withoutController(s *corev1.Secret) { s.OwnerReferences[0].Controller = nil }

func withoutOwner(s *corev1.Secret) { s.OwnerReferences = nil }

func TestHold(t *testing.T) {
	const ours, other, theirs = "sts.tokenrequest.dev/v1alpha1", "example.com/v1", "external-secrets.io/v1"
	tests := map[string]struct {
		secret *corev1.Secret
		want   secret.State
	}{
		"no Secret is a free name":                                   {nil, secret.Free},
		"the request that controls a Secret owns it":                 {ownedBy(ours, "TokenRequest", "graph", "uid-of-request"), secret.Ours},
		"a Secret of an older version of the API is ours as well":    {ownedBy("sts.tokenrequest.dev/v1alpha0", "TokenRequest", "graph", "uid-of-request"), secret.Ours},
		"our own Secret that consents to another one stays ours":     {ownedBy(ours, "TokenRequest", "graph", "uid-of-request", consentsTo("second")), secret.Ours},
		"a dead namesake's Secret passes on":                         {ownedBy(ours, "TokenRequest", "graph", "uid-of-the-dead"), secret.Inherited},
		"a dead namesake's Secret passes on, consent or not":         {ownedBy(ours, "TokenRequest", "graph", "uid-of-the-dead", consentsTo("graph")), secret.Inherited},
		"a namesake that doesn't control the Secret leaves nothing":  {ownedBy(ours, "TokenRequest", "graph", "uid-of-the-dead", withoutController), secret.Foreign},
		"an owner that doesn't control the Secret isn't its holder":  {ownedBy(ours, "TokenRequest", "graph", "uid-of-request", withoutController), secret.Foreign},
		"a TokenRequest of another API group is no namesake":         {ownedBy(other, "TokenRequest", "graph", "uid-of-the-dead"), secret.Foreign},
		"a group that only begins like ours is another one":          {ownedBy("sts.tokenrequest.dev.example.com/v1", "TokenRequest", "graph", "uid-of-the-dead"), secret.Foreign},
		"another kind of the same name is no namesake":               {ownedBy(ours, "TokenIssuer", "graph", "uid-of-the-dead"), secret.Foreign},
		"another request's Secret is foreign":                        {ownedBy(ours, "TokenRequest", "second", "uid-of-second"), secret.Foreign},
		"another request keeps its Secret, whoever may adopt it":     {ownedBy(ours, "TokenRequest", "second", "uid-of-second", consentsTo("graph")), secret.Foreign},
		"a Secret that nobody owns is foreign":                       {ownedBy("", "", "", "", withoutOwner), secret.Foreign},
		"a Secret that nobody owns may consent":                      {ownedBy("", "", "", "", withoutOwner, consentsTo("graph")), secret.Consenting},
		"a Secret that another controller owns may consent":          {ownedBy(theirs, "ExternalSecret", "graph", "uid-of-es", consentsTo("graph")), secret.Consenting},
		"a Secret that another controller owns is foreign otherwise": {ownedBy(theirs, "ExternalSecret", "graph", "uid-of-es"), secret.Foreign},
		"a Secret with an owner that doesn't control it may consent": {ownedBy(other, "App", "graph", "uid-of-app", withoutController, consentsTo("graph")), secret.Consenting},
		"consent to another request is none":                         {ownedBy("", "", "", "", withoutOwner, consentsTo("graph-2")), secret.Foreign},
		"consent to nobody is none":                                  {ownedBy("", "", "", "", withoutOwner, consentsTo("")), secret.Foreign},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := secret.Hold(newRequest(), test.secret)
			if got.State != test.want || got.Secret != test.secret {
				t.Errorf("Hold = %v, want state %d and the Secret that was found", got, test.want)
			}
		})
	}
}

func TestHolder(t *testing.T) {
	tests := map[string]struct {
		secret *corev1.Secret
		want   string
	}{
		"the controller is named":              {ownedBy("apps/v1", "Deployment", "web", "uid"), "Deployment web"},
		"another request is named":             {ownedBy("sts.tokenrequest.dev/v1alpha1", "TokenRequest", "second", "uid"), "TokenRequest second"},
		"an owner without control isn't named": {ownedBy("apps/v1", "Deployment", "web", "uid", withoutController), "somebody else"},
		"nobody can be named":                  {ownedBy("", "", "", "", withoutOwner), "somebody else"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := secret.Hold(newRequest(), test.secret).Holder(); got != test.want {
				t.Errorf("Holder() = %q, want %q", got, test.want)
			}
		})
	}
}

func TestRefusal(t *testing.T) {
	tests := map[string]struct {
		secret *corev1.Secret
		want   string
	}{
		"a stranger's Secret may be had by consent": {
			ownedBy("", "", "", "", withoutOwner),
			"Secret graph belongs to somebody else. Choose another spec.secret.name, or delete that Secret, or annotate it with sts.tokenrequest.dev/adoptable-by: graph.",
		},
		"another controller's Secret as well": {
			ownedBy("external-secrets.io/v1", "ExternalSecret", "graph", "uid-of-es"),
			"Secret graph belongs to ExternalSecret graph. Choose another spec.secret.name, or delete that Secret, or annotate it with sts.tokenrequest.dev/adoptable-by: graph.",
		},
		"another request's may not, so that isn't advised": {
			ownedBy("sts.tokenrequest.dev/v1alpha1", "TokenRequest", "second", "uid-of-second"),
			"Secret graph belongs to TokenRequest second. Choose another spec.secret.name, or have TokenRequest second give it up: delete that, or have it name a Secret that is free.",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, secret.Hold(newRequest(), test.secret).Refusal(newRequest())); diff != "" {
				t.Errorf("Refusal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnusable(t *testing.T) {
	typed := func(wanted string) func(*stsv1alpha1.TokenRequest) {
		return func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret = &stsv1alpha1.TokenSecret{Type: wanted} }
	}
	of := func(s *corev1.Secret, has corev1.SecretType, immutable *bool) *corev1.Secret {
		s.Type, s.Immutable = has, immutable
		return s
	}
	yes, no := true, false
	ours := func() *corev1.Secret {
		return ownedBy("sts.tokenrequest.dev/v1alpha1", "TokenRequest", "graph", "uid-of-request")
	}
	const immutable = "Secret graph is immutable. Delete it, or choose another spec.secret.name."
	tests := map[string]struct {
		request *stsv1alpha1.TokenRequest
		secret  *corev1.Secret
		want    string
	}{
		"a free name takes everything":                     {newRequest(typed("example.com/token")), nil, ""},
		"an absent type is Opaque":                         {newRequest(), of(ours(), "Opaque", nil), ""},
		"the type that is there is the type that is asked": {newRequest(typed("example.com/token")), of(ours(), "example.com/token", &no), ""},
		"a type can't change in place, and nothing is deleted for it": {
			newRequest(typed("kubernetes.io/basic-auth")), of(ours(), "Opaque", nil),
			"Secret graph has the type Opaque, and Kubernetes can't change it to kubernetes.io/basic-auth in place. Choose another spec.secret.name, or delete the Secret when no pod needs it.",
		},
		"a type that is asked for no more can't change back either": {
			newRequest(), of(ours(), "example.com/token", nil),
			"Secret graph has the type example.com/token, and Kubernetes can't change it to Opaque in place. Choose another spec.secret.name, or delete the Secret when no pod needs it.",
		},
		"the maker of a consenting Secret keeps its type": {newRequest(typed("example.com/token")), of(ownedBy("", "", "", "", withoutOwner, consentsTo("graph")), "Opaque", nil), ""},
		"an immutable Secret takes nothing":               {newRequest(), of(ours(), "Opaque", &yes), immutable},
		"an immutable Secret can't consent":               {newRequest(), of(ownedBy("", "", "", "", withoutOwner, consentsTo("graph")), "Opaque", &yes), immutable},
	}
	for _, reserved := range []corev1.SecretType{"kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token", "helm.sh/release.v1"} {
		test := tests["the maker of a consenting Secret keeps its type"]
		test.secret = of(ownedBy("", "", "", "", withoutOwner, consentsTo("graph")), reserved, nil)
		test.want = "Secret graph has the type " + string(reserved) + ", on which Kubernetes or Helm acts, so nothing is written there. Choose another spec.secret.name."
		tests["consent of a Secret of type "+string(reserved)+" counts for nothing"] = test
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, secret.Hold(test.request, test.secret).Unusable(test.request)); diff != "" {
				t.Errorf("Unusable (-want +got):\n%s", diff)
			}
		})
	}
}
