// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package crd_test

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// example is an object of valid/ or invalid/.
type example struct {
	name   string
	object *unstructured.Unstructured
	// refused holds what the API server has to say; empty for a valid object.
	refused []string
}

// examples reads a folder of objects, one a file.
func examples(t *testing.T, folder string) []example {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no objects in %s: %v", folder, err)
	}
	var all []example
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, example{
			name:    strings.TrimSuffix(filepath.Base(file), ".yaml"),
			object:  decode(t, file, text),
			refused: refused(text),
		})
	}
	return all
}

// named returns the object of valid/<name>.yaml.
func named(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	file := filepath.Join("valid", name+".yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, file, text)
}

func decode(t *testing.T, file string, text []byte) *unstructured.Unstructured {
	t.Helper()
	json, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(json); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return object
}

// refused returns the messages of a file's header.
func refused(text []byte) []string {
	var messages []string
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		message, ok := strings.CutPrefix(lines.Text(), "# Refused: ")
		if !ok {
			break
		}
		messages = append(messages, message)
	}
	return messages
}
