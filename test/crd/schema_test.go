// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package crd_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// bases is the folder of the generated CRDs.
var bases = filepath.Join("..", "..", "config", "crd", "bases")

// schema is what these tests read of an OpenAPI v3 schema.
type schema struct {
	Type          string             `json:"type"`
	Format        string             `json:"format"`
	Pattern       string             `json:"pattern"`
	Enum          []string           `json:"enum"`
	Default       any                `json:"default"`
	MinLength     int                `json:"minLength"`
	MaxLength     *int               `json:"maxLength"`
	MinItems      int                `json:"minItems"`
	MaxItems      *int               `json:"maxItems"`
	MinProperties int                `json:"minProperties"`
	MaxProperties *int               `json:"maxProperties"`
	ListType      string             `json:"x-kubernetes-list-type"`
	Required      []string           `json:"required"`
	Properties    map[string]*schema `json:"properties"`
	Items         *schema            `json:"items"`
	Values        *schema            `json:"additionalProperties"`
	Rules         []rule             `json:"x-kubernetes-validations"`
}

// rule is a CEL rule.
type rule struct {
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

// schemas reads the generated CRDs, by kind.
func schemas(t *testing.T) map[string]*schema {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(bases, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*schema{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd struct {
			Spec struct {
				Names    struct{ Kind string }
				Versions []struct {
					Schema struct{ OpenAPIV3Schema *schema }
				}
			}
		}
		if err := yaml.Unmarshal(text, &crd); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(crd.Spec.Versions) != 1 {
			t.Fatalf("%s has %d versions; these tests know one", file, len(crd.Spec.Versions))
		}
		found[crd.Spec.Names.Kind] = crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	}
	if kinds := slices.Sorted(maps.Keys(found)); !slices.Equal(kinds, []string{"ClusterTokenIssuer", "TokenIssuer", "TokenRequest"}) {
		t.Fatalf("the CRDs are %v", kinds)
	}
	return found
}

// walk visits node and all below it. A path reads spec.scopes[] for the items of a list and
// spec.parameters{} for the values of a map.
func walk(path string, node *schema, visit func(path string, node *schema)) {
	visit(path, node)
	for name, property := range node.Properties {
		walk(path+"."+name, property, visit)
	}
	if node.Items != nil {
		walk(path+"[]", node.Items, visit)
	}
	if node.Values != nil {
		walk(path+"{}", node.Values, visit)
	}
}

// foreign tells what Kubernetes, not this API, has the schema of.
func foreign(path string) bool {
	return path == "metadata" || strings.HasPrefix(path, "spec.namespaceSelector.")
}

func TestEveryRuleSaysWhatToWriteAndHasAnInvalidFile(t *testing.T) {
	expected := map[string]bool{}
	for _, example := range examples(t, "invalid") {
		for _, message := range example.refused {
			expected[message] = true
		}
	}
	for kind, root := range schemas(t) {
		walk(kind, root, func(path string, node *schema) {
			for _, rule := range node.Rules {
				if rule.Message == "" {
					t.Errorf("%s: the rule %s has no message", path, rule.Rule)
				} else if !expected[rule.Message] {
					t.Errorf("%s: no file of invalid/ expects %q", path, rule.Message)
				}
			}
		})
	}
}

func TestEveryFieldOfASpecIsInAValidFile(t *testing.T) {
	roots := schemas(t)
	seen := map[string]bool{}
	for _, example := range examples(t, "valid") {
		kind := example.object.GetKind()
		for _, place := range places(roots[kind].Properties["spec"], example.object.Object["spec"]) {
			seen[kind+"."+place.path()] = true
		}
	}
	// TestTheIssuersAreOneSchema has the rest of the issuers.
	for kind, fields := range map[string][]string{
		"TokenRequest":       {"spec"},
		"ClusterTokenIssuer": {"spec.namespaceSelector", "spec.allow"},
	} {
		for _, field := range fields {
			node := roots[kind]
			for name := range strings.SplitSeq(field, ".") {
				node = node.Properties[name]
			}
			walk(field, node, func(path string, _ *schema) {
				if !seen[kind+"."+path] {
					t.Errorf("%s: no file of valid/ has %s", kind, path)
				}
			})
		}
	}
}

func TestTheIssuersAreOneSchema(t *testing.T) {
	roots := schemas(t)
	inline := roots["TokenRequest"].Properties["spec"].Properties["issuer"]
	if diff := cmp.Diff(inline, roots["TokenIssuer"].Properties["spec"]); diff != "" {
		t.Errorf("TokenIssuer's spec isn't TokenRequest's spec.issuer (-issuer +TokenIssuer):\n%s", diff)
	}
	cluster := roots["ClusterTokenIssuer"].Properties["spec"]
	delete(cluster.Properties, "namespaceSelector")
	delete(cluster.Properties, "allow")
	if diff := cmp.Diff(inline, cluster); diff != "" {
		t.Errorf("ClusterTokenIssuer's spec isn't TokenRequest's spec.issuer and more (-issuer +ClusterTokenIssuer):\n%s", diff)
	}
}

// A bound on everything is what keeps the cost of the rules, and the size of an object, in hand.
func TestEveryStringListAndMapIsBounded(t *testing.T) {
	for kind, root := range schemas(t) {
		for _, part := range []string{"spec", "status"} {
			walk(part, root.Properties[part], func(path string, node *schema) {
				if bounded(node) || foreign(path) {
					return
				}
				t.Errorf("%s: %s has no bound", kind, path)
			})
		}
	}
}

func bounded(node *schema) bool {
	switch {
	case node.Type == "string":
		return node.MaxLength != nil || node.Enum != nil || node.Format == "date-time"
	case node.Type == "array":
		return node.MaxItems != nil
	case node.Values != nil:
		return node.MaxProperties != nil
	}
	return true
}

// An optional field is absent, not empty. The values of a map may be, and so may what Kubernetes
// has the schema of.
func TestNoFieldOfASpecMayBeEmpty(t *testing.T) {
	for kind, root := range schemas(t) {
		walk("spec", root.Properties["spec"], func(path string, node *schema) {
			empty := false
			switch node.Type {
			case "string":
				empty = node.MinLength == 0 && node.Enum == nil && !strings.HasSuffix(path, "{}") && !duration(node)
			case "array":
				empty = node.MinItems == 0
			}
			if empty && !foreign(path) {
				t.Errorf("%s: %s may be empty", kind, path)
			}
		})
	}
}

// duration tells whether node is a duration, whose rule keeps the empty string out.
func duration(node *schema) bool {
	return slices.ContainsFunc(node.Rules, func(r rule) bool { return strings.Contains(r.Rule, "duration(self)") })
}

// GitOps tools compare what they sent with what is there.
func TestOnlyTheStatusHasADefault(t *testing.T) {
	for kind, root := range schemas(t) {
		walk("", root, func(path string, node *schema) {
			want := any(nil)
			if path == ".status" {
				want = map[string]any{"observedGeneration": float64(-1)}
			}
			if diff := cmp.Diff(want, node.Default); diff != "" {
				t.Errorf("%s: default of %s (-want +got):\n%s", kind, path, diff)
			}
		})
	}
}
