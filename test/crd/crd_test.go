// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package crd_test proves the schemas and rules of the CRDs against a real API server: the objects
// of valid/ are accepted as they are, those of invalid/ refused with the sentence that their first
// lines expect.
package crd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// One API server serves all tests: starting it takes longer than they do.
func TestAPIServer(t *testing.T) {
	s := start(t)
	t.Run("valid objects are created as they are", s.createsValidObjects)
	t.Run("invalid objects are refused with a sentence that helps", s.refusesInvalidObjects)
	t.Run("an object is held to the same when it is updated", s.judgesUpdatesAlike)
	t.Run("every field is held to its schema", s.holdsEveryFieldToItsSchema)
	t.Run("null stands for a field that is absent", s.takesNullForAbsent)
	t.Run("the largest objects don't exhaust the budget of the rules", s.acceptsTheLargestObjects)
	t.Run("a status that is sent with the spec is dropped", s.dropsAStatusThatIsSentWithTheSpec)
	t.Run("a bounded status is accepted", s.acceptsABoundedStatus)
	t.Run("kubectl prints the columns", s.printsTheColumns)
}

func (s *server) createsValidObjects(t *testing.T) {
	for _, example := range examples(t, "valid") {
		t.Run(example.name, func(t *testing.T) {
			if len(example.refused) > 0 {
				t.Errorf("a valid object expects to be refused: %q", example.refused)
			}
			created, err := s.tryCreate(t, example.object)
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			if diff := cmp.Diff(example.object.Object["spec"], created.Object["spec"]); diff != "" {
				t.Errorf("the spec isn't what was sent (-sent +created):\n%s", diff)
			}
			unobserved := map[string]any{"observedGeneration": int64(-1)}
			if diff := cmp.Diff(unobserved, created.Object["status"]); diff != "" {
				t.Errorf("status (-want +created):\n%s", diff)
			}
			decodes(t, created)
		})
	}
}

// decodes fails the test when the Go type can't hold what the API server accepted. One such object
// would end the list of all of its kind in the operator's cache.
func decodes(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	into := map[string]any{
		"TokenRequest":       &stsv1alpha1.TokenRequest{},
		"TokenIssuer":        &stsv1alpha1.TokenIssuer{},
		"ClusterTokenIssuer": &stsv1alpha1.ClusterTokenIssuer{},
	}[object.GetKind()]
	text, err := object.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Errorf("decoding what the API server accepted: %v", err)
	}
}

func (s *server) refusesInvalidObjects(t *testing.T) {
	for _, example := range examples(t, "invalid") {
		t.Run(example.name, func(t *testing.T) {
			_, err := s.tryCreate(t, example.object)
			isRefused(t, err, example.refused...)
		})
	}
}

func (s *server) judgesUpdatesAlike(t *testing.T) {
	stored := map[string]*unstructured.Unstructured{}
	for kind, name := range map[string]string{
		"TokenRequest":       "minimal",
		"TokenIssuer":        "token-issuer-minimal",
		"ClusterTokenIssuer": "cluster-token-issuer-that-serves-nobody",
	} {
		stored[kind] = s.create(t, named(t, name))
	}
	for _, example := range examples(t, "valid") {
		t.Run("accepts "+example.name, func(t *testing.T) {
			if _, err := s.tryUpdate(t, stored[example.object.GetKind()], example.object); err != nil {
				t.Errorf("refused: %v", err)
			}
		})
	}
	for _, example := range examples(t, "invalid") {
		t.Run("refuses "+example.name, func(t *testing.T) {
			_, err := s.tryUpdate(t, stored[example.object.GetKind()], example.object)
			isRefused(t, err, example.refused...)
		})
	}
}

// isRefused fails the test unless err says all of messages, and nothing that none of them is part
// of: an object that is invalid in a second way would hide that the first is no longer refused.
func isRefused(t *testing.T, err error, messages ...string) {
	t.Helper()
	if len(messages) == 0 {
		t.Fatal("no \"# Refused: \" at the top of the file")
	}
	status, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok {
		t.Fatalf("accepted, or not judged: %v", err)
	}
	for _, message := range messages {
		if !strings.Contains(err.Error(), message) {
			t.Errorf("not refused with %q, but: %v", message, err)
		}
	}
	if status.Status().Details == nil {
		return
	}
	for _, cause := range status.Status().Details.Causes {
		if strings.Contains(cause.Message, "some validation rules were not checked") {
			continue
		}
		text := cause.Field + ": " + cause.Message
		expected := false
		for _, message := range messages {
			expected = expected || strings.Contains(text, message)
		}
		if !expected {
			t.Errorf("refused for another reason too: %s", text)
		}
	}
}
