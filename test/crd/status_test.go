// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package crd_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

func (s *server) dropsAStatusThatIsSentWithTheSpec(t *testing.T) {
	object := named(t, "minimal")
	object.Object["status"] = map[string]any{
		"observedGeneration": int64(7),
		"token":              map[string]any{"secretName": "somebody-elses"},
	}
	created, err := s.tryCreate(t, object)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"observedGeneration": int64(-1)}, created.Object["status"]); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

// What an STS says has no bounds; a status that is refused for it is a failure that nobody sees.
func (s *server) acceptsABoundedStatus(t *testing.T) {
	root := schemas(t)["TokenRequest"].Properties["status"]
	stored := s.create(t, named(t, "minimal"))
	var status stsv1alpha1.TokenRequestStatus
	tooMuch := overflow("status", root).(map[string]any)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(tooMuch, &status, true); err != nil {
		t.Fatal(err)
	}

	if _, err := s.tryStatus(t, stored, tooMuch); err == nil {
		t.Error("a status beyond all bounds is accepted: this test proves nothing")
	}
	status.Bound()
	bounded, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&status)
	if err != nil {
		t.Fatal(err)
	}
	updated, err := s.tryStatus(t, stored, bounded)
	if err != nil {
		t.Fatalf("a bounded status is refused: %.2000v", err)
	}
	if diff := cmp.Diff(bounded, updated.Object["status"]); diff != "" {
		t.Errorf("status (-bounded +updated):\n%s", diff)
	}
	isFull(t, "status", root, bounded)
}

// overflow returns a value of node that is larger than it may be wherever it can be: its strings
// of characters that take two bytes, its lists of more items.
func overflow(path string, node *schema) any {
	switch {
	case node.Format == "date-time":
		return "2026-01-02T03:04:05Z"
	case node.Enum != nil:
		return node.Enum[0]
	case node.Pattern != "": // a condition's type and reason: the operator's own words
		return "Word"
	case node.Type == "string":
		return strings.Repeat("ü", *node.MaxLength+1)
	case node.Type == "integer":
		return int64(1)
	case node.Type == "array":
		return overflowList(path, node)
	}
	object := map[string]any{}
	for name, property := range node.Properties {
		object[name] = overflow(path+"."+name, property)
	}
	return object
}

func overflowList(path string, node *schema) []any {
	items := make([]any, *node.MaxItems+1)
	for i := range items {
		items[i] = overflow(path, node.Items)
		if node.ListType == "map" {
			items[i].(map[string]any)["type"] = fmt.Sprintf("Type%d", i)
		}
	}
	return items
}

// isFull fails the test when Bound cut more of value than the schema asks for.
func isFull(t *testing.T, path string, node *schema, value any) {
	t.Helper()
	switch value := value.(type) {
	case string:
		if node.MaxLength == nil || node.Enum != nil || node.Pattern != "" {
			return
		}
		if length := utf8.RuneCountInString(value); length != *node.MaxLength {
			t.Errorf("%s is cut to %d characters, the schema has room for %d", path, length, *node.MaxLength)
		}
	case []any:
		if len(value) != *node.MaxItems {
			t.Errorf("%s is cut to %d items, the schema has room for %d", path, len(value), *node.MaxItems)
		}
		for _, item := range value {
			isFull(t, path+"[]", node.Items, item)
		}
	case map[string]any:
		for name, property := range node.Properties {
			isFull(t, path+"."+name, property, value[name])
		}
	}
}

// tryStatus has the API server judge the update of stored's status.
func (s *server) tryStatus(t *testing.T, stored *unstructured.Unstructured, status map[string]any) (*unstructured.Unstructured, error) {
	t.Helper()
	object := stored.DeepCopy()
	object.Object["status"] = status
	return s.of(object).UpdateStatus(t.Context(), object, metav1.UpdateOptions{
		DryRun:          []string{metav1.DryRunAll},
		FieldValidation: metav1.FieldValidationStrict,
	})
}

func TestBoundLeavesWhatFits(t *testing.T) {
	status := stsv1alpha1.TokenRequestStatus{
		Conditions:           []metav1.Condition{{Type: "Ready", Message: "The token is valid."}},
		LastHandledRefreshAt: "now",
		Token:                &stsv1alpha1.TokenStatus{SecretName: "graph", Scopes: []string{"read"}},
		LastError:            &stsv1alpha1.TokenError{Description: strings.Repeat("ü", 512), Codes: []int64{7000215}},
		DeviceAuthorization:  &stsv1alpha1.DeviceAuthorization{UserCode: "WDJB-MJHT"},
	}
	want := status.DeepCopy()
	status.Bound()
	if diff := cmp.Diff(want, &status); diff != "" {
		t.Errorf("status (-before +after):\n%s", diff)
	}
	var empty stsv1alpha1.TokenRequestStatus
	empty.Bound()
	if diff := cmp.Diff(stsv1alpha1.TokenRequestStatus{}, empty); diff != "" {
		t.Errorf("empty status (-before +after):\n%s", diff)
	}
}

// column is one of a table as kubectl gets it. Wide ones have a priority.
type column struct {
	Name     string
	Type     string
	Priority int32
	Cell     any
}

func (s *server) printsTheColumns(t *testing.T) {
	request := named(t, "example")
	request.SetName("columns")
	request.SetAnnotations(map[string]string{stsv1alpha1.AnnotationRefreshRequestedAt: "2026-01-02"})
	request.Object["spec"].(map[string]any)["suspend"] = true
	issuer, cluster := named(t, "token-issuer-minimal"), named(t, "cluster-token-issuer-every-field")
	conditions := []any{map[string]any{
		"type": "Ready", "status": "True", "reason": "TokenValid", "message": "",
		"lastTransitionTime": "2026-01-02T03:04:05Z",
	}}
	s.store(t, request, map[string]any{
		"conditions":           conditions,
		"token":                map[string]any{"secretName": "graph-token", "expiresAt": "2026-01-02T04:04:05Z"},
		"nextAttemptAt":        "2026-01-02T03:49:05Z",
		"lastHandledRefreshAt": "2026-01-01",
		"deviceAuthorization": map[string]any{
			"userCode": "WDJB-MJHT", "verificationURI": "https://microsoft.com/devicelogin",
		},
	})
	s.store(t, issuer, map[string]any{"conditions": conditions})
	s.store(t, cluster, map[string]any{"conditions": conditions})

	const client = "11111111-2222-3333-4444-555555555555"
	const authority = "https://login.microsoftonline.com/contoso.onmicrosoft.com"
	ofAnIssuer := []column{
		{"Ready", "string", 0, "True"},
		{"Reason", "string", 0, "TokenValid"},
		{"Authority", "string", 0, authority},
		{"Client", "string", 1, client},
		{"Age", "date", 0, nil},
	}
	for resource, want := range map[string][]column{
		"namespaces/" + namespace + "/tokenrequests/" + request.GetName(): {
			{"Ready", "string", 0, "True"},
			{"Reason", "string", 0, "TokenValid"},
			{"Secret", "string", 0, "graph-token"},
			{"Expires", "string", 0, "2026-01-02T04:04:05Z"},
			{"Next", "string", 0, "2026-01-02T03:49:05Z"},
			{"Age", "date", 0, nil},
			{"Client", "string", 1, client},
			{"Authority", "string", 1, authority},
			{"Issuer", "string", 1, nil},
			{"User Code", "string", 1, "WDJB-MJHT"},
			{"Sign In At", "string", 1, "https://microsoft.com/devicelogin"},
			{"Suspended", "boolean", 1, true},
			{"Refresh Asked", "string", 1, "2026-01-02"},
			{"Refresh Done", "string", 1, "2026-01-01"},
		},
		"namespaces/" + namespace + "/tokenissuers/" + issuer.GetName(): ofAnIssuer,
		"clustertokenissuers/" + cluster.GetName():                      ofAnIssuer,
	} {
		if diff := cmp.Diff(want, s.columns(t, resource)); diff != "" {
			t.Errorf("columns of %s (-want +got):\n%s", resource, diff)
		}
	}
}

// store keeps object, with its status, until the test ends.
func (s *server) store(t *testing.T, object *unstructured.Unstructured, status map[string]any) {
	t.Helper()
	stored := s.create(t, object)
	stored.Object["status"] = status
	if _, err := s.of(stored).UpdateStatus(t.Context(), stored, metav1.UpdateOptions{FieldValidation: metav1.FieldValidationStrict}); err != nil {
		t.Fatal(err)
	}
}

// columns returns the table of one object as the API server makes it for kubectl, without the name
// and with no cell for the age, which changes.
func (s *server) columns(t *testing.T, resource string) []column {
	t.Helper()
	url, err := url.JoinPath(s.url, "apis", stsv1alpha1.GroupVersion.String(), resource)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
	response, err := s.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var table metav1.Table
	if err := json.NewDecoder(response.Body).Decode(&table); err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) != 1 {
		t.Fatalf("%s has %d rows", url, len(table.Rows))
	}
	var columns []column
	for i, definition := range table.ColumnDefinitions[1:] {
		cell := table.Rows[0].Cells[i+1]
		if definition.Type == "date" {
			cell = nil
		}
		columns = append(columns, column{definition.Name, definition.Type, definition.Priority, cell})
	}
	return columns
}
