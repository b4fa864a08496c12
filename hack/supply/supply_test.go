// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// operator is the operator's binary for amd64, built by the test.
func operator(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "manager")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", binary, "./cmd")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return binary
}

// unpacked are the files of an archive by their names.
func unpacked(t *testing.T, content []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(content)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.ModTime.Unix() != 0 || header.Uid != 0 || header.Gid != 0 {
			t.Errorf("%s carries the time %v or the owner %d:%d of whoever built it", header.Name, header.ModTime, header.Uid, header.Gid)
		}
		if files[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func parsed[T any](t *testing.T, text []byte) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestWhatIsShippedWithABinary(t *testing.T) {
	binary := operator(t)
	t.Run("the image has it, roots and licences alone", func(t *testing.T) { testImage(t, binary) })
	t.Run("the bill of materials names each of its modules", func(t *testing.T) { testBill(t, binary) })
}

func testImage(t *testing.T, binary string) {
	content, err := image("registry.example.com/operator:v1", []string{binary})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := image("registry.example.com/operator:v1", []string{binary}); err != nil || !bytes.Equal(again, content) {
		t.Errorf("a second image of the same binary is another one (%v)", err)
	}
	files := unpacked(t, content)
	for name, blob := range files {
		if sum, isBlob := strings.CutPrefix(name, "blobs/sha256/"); isBlob && sum != fmt.Sprintf("%x", sha256.Sum256(blob)) {
			t.Errorf("%s has another digest", name)
		}
	}
	type list struct{ Manifests []descriptor }
	named := parsed[list](t, files["index.json"]).Manifests[0]
	if got := named.Annotations["io.containerd.image.name"]; got != "registry.example.com/operator:v1" {
		t.Errorf("the image is called %q", got)
	}
	of := parsed[list](t, files[blobName(named)]).Manifests[0]
	if of.Platform["architecture"] != "amd64" {
		t.Errorf("it is for %v", of.Platform)
	}
	manifest := parsed[struct {
		Config descriptor
		Layers []descriptor
	}](t, files[blobName(of)])
	config := parsed[struct {
		Config struct {
			User       string
			Entrypoint []string
		}
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}](t, files[blobName(manifest.Config)])
	if config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/manager"}) {
		t.Errorf("it runs %v as %s", config.Config.Entrypoint, config.Config.User)
	}
	layer := unzipped(t, files[blobName(manifest.Layers[0])])
	if sum := fmt.Sprintf("sha256:%x", sha256.Sum256(layer)); !slices.Equal(config.RootFS.DiffIDs, []string{sum}) {
		t.Errorf("the layer is %s, and the configuration says %v", sum, config.RootFS.DiffIDs)
	}
	testFiles(t, unpacked(t, layer), binary)
	legacy := parsed[[]struct{ Layers, RepoTags []string }](t, files["manifest.json"])
	if len(files[legacy[0].Layers[0]]) == 0 {
		t.Error("Docker's manifest names a layer that isn't there")
	}
}

func testFiles(t *testing.T, files map[string][]byte, binary string) {
	t.Helper()
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(files)), func(name string) bool { return strings.HasSuffix(name, "/") })
	if want := []string{"etc/ssl/certs/ca-certificates.crt", "licenses.txt", "manager"}; !slices.Equal(names, want) {
		t.Errorf("the image has %v, not %v", names, want)
	}
	built, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(files["manager"], built) {
		t.Error("the image has another binary")
	}
	if !x509.NewCertPool().AppendCertsFromPEM(files["etc/ssl/certs/ca-certificates.crt"]) {
		t.Error("the image has no root certificates")
	}
	for _, holder := range []string{"Copyright 2009 The Go Authors", "Dave Collins"} {
		if !bytes.Contains(files["licenses.txt"], []byte(holder)) {
			t.Errorf("the licences don't name %s", holder)
		}
	}
}

func unzipped(t *testing.T, content []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func testBill(t *testing.T, binary string) {
	content, err := billOfMaterials(binary)
	if err != nil {
		t.Fatal(err)
	}
	bill := parsed[bom](t, content)
	refs := map[string]bool{bill.Metadata.Component.Ref: true}
	for _, c := range bill.Components {
		if refs[c.Ref] || len(c.Licences) == 0 || c.Version == "" {
			t.Errorf("%s is there twice, or lacks its licence or version", c.Ref)
		}
		refs[c.Ref] = true
	}
	for _, d := range bill.Dependencies {
		for _, ref := range append(d.DependsOn, d.Ref) {
			if !refs[ref] {
				t.Errorf("%s is a dependency and no component", ref)
			}
		}
	}
	said, err := exec.CommandContext(t.Context(), "go", "version", "-m", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(said)) {
		if fields := strings.Fields(line); fields[0] == "dep" && !refs[packageURL(fields[1], fields[2])] {
			t.Errorf("%s %s is in the binary and not in the bill", fields[1], fields[2])
		}
	}
	built, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if got := bill.Metadata.Component.Hashes[0].Content; got != fmt.Sprintf("%x", sha256.Sum256(built)) {
		t.Errorf("the bill is of a binary with the digest %s", got)
	}
}

func TestTheBillOfAnotherProgramIsRefused(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := billOfMaterials(self); err == nil {
		t.Error("a bill was made of a program that isn't the operator")
	}
}

// copyleft is how a program says that it is under the GPL.
const copyleft = `This program is free software: you can redistribute it and/or modify it under the terms of the GNU General Public
License as published by the Free Software Foundation, either version 3 of the License, or (at your option) any later version.
`

func TestALicenceIsRefused(t *testing.T) {
	mit, err := os.ReadFile(filepath.Join("testdata", "MIT.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if ids, err := identify(mit); err != nil || !slices.Equal(ids, []string{"MIT"}) {
		t.Fatalf("MIT's own text is %v (%v)", ids, err)
	}
	for name, text := range map[string]string{
		"that nobody knows":                "All rights reserved. Ask us before you so much as look at this.",
		"that asks for the source":         copyleft,
		"that stands beside one that is":   string(mit) + "\n" + copyleft,
		"to which somebody added a clause": string(mit) + strings.Repeat("The Software shall be used for good, by good people, on good days alone. ", 10),
	} {
		if ids, err := identify([]byte(text)); err == nil {
			t.Errorf("a licence %s is taken as %v", name, ids)
		}
	}
}

func TestAModuleWithoutALicenceIsRefused(t *testing.T) {
	folder := t.TempDir()
	m := &linked{path: "example.com/module", version: "v1.0.0", folder: folder, packages: []string{folder}}
	if ids, err := m.licences(); err == nil {
		t.Errorf("its licences are %v", ids)
	}
}

func TestALicenceOfAFolderCounts(t *testing.T) {
	folder := t.TempDir()
	inner := filepath.Join(folder, "forked", "sort")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, source := range map[string]string{filepath.Join(folder, "LICENSE"): "MIT.txt", filepath.Join(folder, "forked", "LICENSE"): "ISC.txt"} {
		text, err := os.ReadFile(filepath.Join("testdata", source))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := &linked{path: "example.com/module", version: "v1.0.0", folder: folder, packages: []string{inner}}
	if ids, err := m.licences(); err != nil || !slices.Equal(ids, []string{"ISC", "MIT"}) {
		t.Errorf("its licences are %v (%v)", ids, err)
	}
}
