// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package crd_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// fault is a value that a place's schema refuses, with what the API server says.
type fault struct {
	name  string
	value any
	says  string
}

// faults returns a fault for each thing that the schema of p demands.
func faults(p place) []fault {
	switch p.node.Type {
	case "string":
		return stringFaults(p)
	case "array":
		return listFaults(p)
	case "boolean":
		return []fault{{"a boolean in quotes", "true", "must be of type boolean"}}
	}
	if p.node.Values != nil {
		return mapFaults(p)
	}
	return objectFaults(p)
}

func stringFaults(p place) []fault {
	found := []fault{{"a number", int64(1), "must be of type string"}}
	if p.node.Enum != nil {
		found = append(found, fault{"a value that there isn't", "nonsense", `Unsupported value: "nonsense"`})
	}
	if p.node.MinLength > 0 {
		found = append(found, fault{"nothing", strings.Repeat("a", p.node.MinLength-1), "chars long"})
	}
	if most := p.node.MaxLength; most != nil {
		found = append(found, fault{"too long", strings.Repeat("a", *most+1), fmt.Sprintf("may not be more than %d ", *most)})
	}
	return found
}

func listFaults(p place) []fault {
	found := []fault{{"a string", "a", "must be of type array"}}
	if p.node.MinItems > 0 {
		found = append(found, fault{"no item", []any{}, "should have at least 1 items"})
	}
	if most := p.node.MaxItems; most != nil {
		items := slices.Repeat(p.value.([]any)[:1], *most+1)
		found = append(found, fault{"too many items", items, fmt.Sprintf("must have at most %d items", *most)})
	}
	return found
}

func mapFaults(p place) []fault {
	found := []fault{{"a list", []any{}, "must be of type object"}}
	if p.node.MinProperties > 0 {
		found = append(found, fault{"no entry", map[string]any{}, "should have at least 1 properties"})
	}
	if most := p.node.MaxProperties; most != nil {
		found = append(found, fault{"too many entries", entries(p.value, *most+1, 8), fmt.Sprintf("must have at most %d items", *most)})
	}
	return found
}

func objectFaults(p place) []fault {
	object := p.value.(map[string]any)
	unknown := maps.Clone(object)
	unknown["nonsense"] = "a"
	found := []fault{
		{"a list", []any{}, "must be of type object"},
		{"a field that there isn't", unknown, fmt.Sprintf("unknown field %q", p.field()+".nonsense")},
	}
	for _, name := range p.node.Required {
		without := maps.Clone(object)
		delete(without, name)
		found = append(found, fault{"no " + name, without, p.field() + "." + name + ": Required value"})
		without = maps.Clone(object)
		without[name] = nil
		found = append(found, fault{"null for " + name, without, p.field() + "." + name + ": Required value"})
	}
	return found
}

// entries returns a map of count entries with values of the map sample, and keys of size characters.
func entries(sample any, count, size int) map[string]any {
	values := slices.Collect(maps.Values(sample.(map[string]any)))
	all := map[string]any{}
	for i := range count {
		all[key(i, size)] = values[i%len(values)]
	}
	return all
}

// key returns a key of size characters that every map takes: with a prefix when it needs one.
func key(number, size int) string {
	key := fmt.Sprintf("k%02d", number)
	if size > 254 {
		key = strings.Repeat("p", size-64) + "/" + key
	}
	return key + strings.Repeat("k", size-len(key))
}

// eachPlace calls check for every field of every kind, at one place in one of the valid objects.
func eachPlace(t *testing.T, check func(t *testing.T, object *unstructured.Unstructured, p place)) {
	t.Helper()
	roots := schemas(t)
	seen := map[string]bool{}
	for _, example := range examples(t, "valid") {
		kind := example.object.GetKind()
		for _, p := range places(roots[kind].Properties["spec"], example.object.Object["spec"]) {
			path := kind + "." + p.path()
			if seen[path] || foreign(p.path()) {
				continue
			}
			seen[path] = true
			t.Run(path, func(t *testing.T) { check(t, example.object, p) })
		}
	}
}

func with(object *unstructured.Unstructured, p place, value any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: replace(object.Object, p.keys, value).(map[string]any)}
}

func (s *server) holdsEveryFieldToItsSchema(t *testing.T) {
	eachPlace(t, func(t *testing.T, object *unstructured.Unstructured, p place) {
		for _, fault := range faults(p) {
			_, err := s.tryCreate(t, with(object, p, fault.value))
			if err == nil {
				t.Errorf("%s is accepted", fault.name)
			} else if !strings.Contains(err.Error(), fault.says) || !strings.Contains(err.Error(), p.field()) {
				t.Errorf("%s isn't refused with %q, but: %v", fault.name, fault.says, err)
			}
		}
	})
}

// Whoever writes null for a value that isn't there gets what they would get without the field.
func (s *server) takesNullForAbsent(t *testing.T) {
	eachPlace(t, func(t *testing.T, object *unstructured.Unstructured, p place) {
		if _, item := p.keys[len(p.keys)-1].(int); item {
			return // null is no item: invalid/scope-null.yaml
		}
		null, nullErr := s.tryCreate(t, with(object, p, nil))
		without, withoutErr := s.tryCreate(t, with(object, p, absent{}))
		if diff := cmp.Diff(fmt.Sprint(withoutErr), fmt.Sprint(nullErr)); diff != "" {
			t.Errorf("error (-absent +null):\n%s", diff)
		}
		if withoutErr != nil {
			return
		}
		if diff := cmp.Diff(without.Object["spec"], null.Object["spec"]); diff != "" {
			t.Errorf("spec (-absent +null):\n%s", diff)
		}
	})
}

// The bounds are what a tenant can make the rules cost: the API server ends a rule, and refuses the
// object, when they cost too much.
func (s *server) acceptsTheLargestObjects(t *testing.T) {
	roots := schemas(t)
	for _, example := range examples(t, "valid") {
		t.Run(example.name, func(t *testing.T) {
			root := roots[example.object.GetKind()].Properties["spec"]
			largest := example.object.DeepCopy()
			largest.Object["spec"] = grow(root, "spec", largest.Object["spec"])
			if _, err := s.tryCreate(t, largest); err != nil {
				t.Fatalf("refused: %.2000v", err)
			}
		})
	}
}

// grow returns value as large as its schema has it: longest strings, longest keys, most items.
func grow(node *schema, name string, value any) any {
	switch value := value.(type) {
	case string:
		return longest(node, value)
	case []any:
		if len(value) == 0 {
			return value
		}
		grown := make([]any, most(node.MaxItems, 32))
		for i := range grown {
			grown[i] = grow(node.Items, name, value[i%len(value)])
		}
		return grown
	case map[string]any:
		if node.Values != nil {
			value = entries(value, most(node.MaxProperties, 32), keySize(name))
		}
		grown := map[string]any{}
		for key, below := range value {
			if property := node.Properties[key]; property != nil {
				grown[key] = grow(property, key, below)
			} else {
				grown[key] = grow(node.Values, name, below)
			}
		}
		return grown
	}
	return value
}

// most is a bound of the schema, or what a rule makes of it.
func most(bound *int, rule int) int {
	if bound != nil {
		return *bound
	}
	return rule
}

// keySize is the size of the longest key of a map, which only rules bound.
func keySize(name string) int {
	switch name {
	case "parameters":
		return 64
	case "data":
		return 253
	}
	return 317 // labels and annotations: a DNS name, a slash and 63 characters
}

func longest(node *schema, value string) string {
	_, err := time.ParseDuration(value)
	if node.MaxLength == nil || node.Enum != nil || err == nil {
		return value
	}
	if scheme, _, ok := strings.Cut(value, "://"); ok && strings.HasPrefix(scheme, "http") {
		value = scheme + "://"
	}
	padding := strings.Repeat("a", *node.MaxLength-utf8.RuneCountInString(value))
	if strings.HasSuffix(value, "=") {
		return padding + value
	}
	return value + padding
}
