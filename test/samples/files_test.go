// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package samples_test

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// folder is config/samples.
var folder = filepath.FromSlash("../../config/samples")

// applied are the files that this suite applies, by their paths below config/samples: all that lie in
// a folder there, and the one that shows a client secret. The demo applies the others, and test/gitops
// the repositories.
func applied() []string {
	paths := []string{"entra.yaml"}
	root := os.DirFS(folder)
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if path == "gitops" {
			return fs.SkipDir
		}
		if err == nil && !entry.IsDir() && strings.Contains(path, "/") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		panic(err) // nothing would be tested
	}
	slices.Sort(paths)
	return paths
}

// read returns the text of a file below config/samples.
func read(path string) string {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(path)))
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// here puts the simulator in the place of the hosts in a text. Only for Entra's own hosts the operator
// knows the endpoints by itself; for another one it makes discovery, of the v2.0 endpoints.
func here(text string) string {
	const entra = "https://login.microsoftonline.com/" + contoso
	authority := sim.EntraAuthority(contoso) + "/v2.0"
	return strings.NewReplacer(
		entra+"/v2.0", authority, entra, authority,
		"https://sts.example.com/realms/shop", sim.PlainIssuer(shop),
	).Replace(text)
}

// parse reads each document of a text, and no key twice.
func parse(text string) []*unstructured.Unstructured {
	GinkgoHelper()
	var objects []*unstructured.Unstructured
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}
		Expect(err).NotTo(HaveOccurred())
		inJSON, err := yaml.YAMLToJSONStrict(document)
		Expect(err).NotTo(HaveOccurred())
		object := &unstructured.Unstructured{}
		Expect(object.UnmarshalJSON(inJSON)).To(Succeed())
		objects = append(objects, object)
	}
}

// ofKind are the objects of a kind.
func ofKind(objects []*unstructured.Unstructured, kind string) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool { return o.GetKind() != kind })
}
