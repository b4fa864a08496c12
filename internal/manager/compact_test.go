// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/secret"
	"tokenrequest.dev/operator/internal/sts"
)

// clone is a text with memory of its own, as a decoder makes it.
func clone(s string) string { return string([]byte(s)) }

// anyRequest is one of many requests that say the same of different tokens.
func anyRequest(name string) *stsv1alpha1.TokenRequest {
	at := metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	return &stsv1alpha1.TokenRequest{
		TypeMeta: metav1.TypeMeta{Kind: clone("TokenRequest"), APIVersion: stsv1alpha1.GroupVersion.String()},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: clone("payments"), UID: "uid-of-request", ResourceVersion: "7",
			Labels:      map[string]string{clone("team"): clone("payments")},
			Annotations: map[string]string{stsv1alpha1.AnnotationRefreshRequestedAt: "now"},
		},
		Spec: stsv1alpha1.TokenRequestSpec{
			Issuer: &stsv1alpha1.IssuerSpec{Authority: "https://login.example", ClientID: "shop", Credential: &stsv1alpha1.Credential{
				ClientSecret: &stsv1alpha1.ClientSecretCredential{SecretRef: stsv1alpha1.SecretKeyRef{Name: "app", Key: "client_secret"}},
			}},
			Scopes:     []stsv1alpha1.Scope{"read", "write"},
			Parameters: map[string]stsv1alpha1.ParameterValue{"tenant": "contoso"},
		},
		Status: stsv1alpha1.TokenRequestStatus{
			Conditions:    []metav1.Condition{{Type: clone("Ready"), Status: metav1.ConditionTrue, Reason: clone("TokenIssued"), Message: clone("The Secret holds a valid token."), LastTransitionTime: at}},
			Token:         &stsv1alpha1.TokenStatus{SecretName: name, TokenType: clone("Bearer"), Scopes: []string{"read"}, IssuedAt: &at},
			NextAttemptAt: &at,
		},
	}
}

func kept[O runtime.Object](t *testing.T, c *compactor, o O) O {
	t.Helper()
	k, err := c.Transform(o)
	if err != nil {
		t.Fatalf("Transform: %v", err)
	}
	return k.(O)
}

func TestACompactedObjectSaysTheSame(t *testing.T) {
	c := newCompactor()
	for name, object := range map[string]runtime.Object{
		"a request":                  anyRequest("graph"),
		"a request with nothing":     &stsv1alpha1.TokenRequest{},
		"a Secret that isn't sealed": &corev1.Secret{Data: map[string][]byte{"refresh_token": []byte("rt")}, Type: corev1.SecretTypeOpaque},
		"a namespace's metadata":     &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "payments", Labels: map[string]string{"a": "b"}}},
	} {
		t.Run(name, func(t *testing.T) {
			before := object.DeepCopyObject()
			for range 2 { // client-go may transform an object once more
				object = kept(t, c, object)
				if diff := cmp.Diff(before, object); diff != "" {
					t.Errorf("what is kept (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestWhatKubectlNotesForItselfIsntKept(t *testing.T) {
	r := anyRequest("graph")
	r.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: "{}"}
	if k := kept(t, newCompactor(), r); k.Annotations != nil {
		t.Errorf("annotations %v are kept", k.Annotations)
	}
}

// A request that comes by itself, and one that comes with others, are the same in memory but for what
// tells them apart.
func TestRequestsShareWhatTheySayAlike(t *testing.T) {
	c := newCompactor()
	a, b := kept(t, c, anyRequest("a")), kept(t, c, anyRequest("b"))
	if a.Spec.Issuer != b.Spec.Issuer {
		t.Error("each has an issuer of its own")
	}
	if reflect.ValueOf(a.Labels).Pointer() != reflect.ValueOf(b.Labels).Pointer() {
		t.Error("each has labels of its own")
	}
	for what, texts := range map[string][2]string{
		"kind":      {a.Kind, b.Kind},
		"namespace": {a.Namespace, b.Namespace},
		"message":   {a.Status.Conditions[0].Message, b.Status.Conditions[0].Message},
		"reason":    {a.Status.Conditions[0].Reason, b.Status.Conditions[0].Reason},
		"type":      {a.Status.Token.TokenType, b.Status.Token.TokenType},
	} {
		if unsafe.StringData(texts[0]) != unsafe.StringData(texts[1]) {
			t.Errorf("each has a %s of its own", what)
		}
	}
}

func TestIssuersThatDifferAreNotShared(t *testing.T) {
	c := newCompactor()
	other := anyRequest("b")
	other.Spec.Issuer.ClientID = "other"
	if a, b := kept(t, c, anyRequest("a")), kept(t, c, other); a.Spec.Issuer.ClientID == b.Spec.Issuer.ClientID {
		t.Errorf("both are client %s", a.Spec.Issuer.ClientID)
	}
}

// Whoever makes ever new texts has the pools emptied, not grown.
func TestThePoolsAreBounded(t *testing.T) {
	c := newCompactor()
	for i := range mostShared {
		r := anyRequest("graph")
		r.Labels["n"] = fmt.Sprint(i)
		r.Status.Conditions[0].Message, r.Status.Conditions[0].Reason = fmt.Sprint("message ", i), fmt.Sprint("reason ", i)
		r.Spec.Issuer.ClientID = fmt.Sprint(i)
		kept(t, c, r)
	}
	for what, size := range map[string]int{"texts": len(c.texts), "labels": len(c.labels), "issuers": len(c.issuers)} {
		if size > mostShared {
			t.Errorf("%d %s are kept", size, what)
		}
	}
}

func TestWhatIsLongIsntShared(t *testing.T) {
	c := newCompactor()
	r := anyRequest("graph")
	r.Status.Conditions[0].Message = strings.Repeat("m", longestShared+1)
	r.Spec.Issuer.TLS = &stsv1alpha1.IssuerTLS{CABundle: bytes.Repeat([]byte("c"), longestShared)}
	r.Labels[strings.Repeat("l", longestShared)] = "v"
	before := r.DeepCopy()
	if diff := cmp.Diff(before, kept(t, c, r)); diff != "" {
		t.Errorf("what is kept (-want +got):\n%s", diff)
	}
	if len(c.issuers)+len(c.labels) > 0 {
		t.Errorf("%d issuers and %d labels are shared", len(c.issuers), len(c.labels))
	}
	for text := range c.texts {
		if len(text) > longestShared {
			t.Errorf("a text of %d bytes is shared", len(text))
		}
	}
}

// The product is in the cluster; what follows from it is told without it.
func TestNoTokenIsKept(t *testing.T) {
	r := anyRequest("graph")
	token := &sts.Token{AccessToken: "canary-of-a-token", TokenType: "Bearer", IssuedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	record := secret.NewRecord(token, secret.Plan{RefreshAt: token.IssuedAt.Add(time.Hour), Inputs: "v1:inputs"})
	shape, err := secret.NewShape(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := shape.Body(token.AccessToken, record)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(secret.Render(r, secret.Holding{}, body, record))
	if err != nil {
		t.Fatal(err)
	}
	s := &corev1.Secret{}
	if err := json.Unmarshal(text, s); err != nil {
		t.Fatal(err)
	}
	before := secret.Hold(r, s).Inspect(r)
	k := kept(t, newCompactor(), s)
	if shown := fmt.Sprintf("%+v", k); strings.Contains(shown, "canary") || len(k.Data) > 0 {
		t.Errorf("kept: %s", shown)
	}
	if diff := cmp.Diff(before, secret.Hold(r, k).Inspect(r)); diff != "" || !before.Intact {
		t.Errorf("intact %t; what follows (-want +got):\n%s", before.Intact, diff)
	}
}
