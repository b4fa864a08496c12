// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package image_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/test/onenode/image"
)

func TestParse(t *testing.T) {
	got, err := image.Parse("operator:latest=65532:/bin/manager,/bin/reader")
	want := image.Image{Name: "operator:latest", User: "65532", Binaries: []string{"/bin/manager", "/bin/reader"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, (-want +got):\n%s", err, diff)
	}
	for _, text := range []string{"", "operator:latest", "operator=1:/manager", "operator:latest=/manager", "operator:latest=1:manager"} {
		if got, err := image.Parse(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func TestArchive(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "manager")
	if err := os.WriteFile(binary, []byte("a program"), 0o600); err != nil {
		t.Fatal(err)
	}
	archive, err := image.Image{Name: "operator:latest", User: "65532", Binaries: []string{binary}}.Archive()
	if err != nil {
		t.Fatal(err)
	}
	files := unpack(t, archive)

	var manifest []struct {
		Config           string
		RepoTags, Layers []string
	}
	decode(t, files["manifest.json"], &manifest)
	if len(manifest) != 1 || len(manifest[0].Layers) != 1 || !cmp.Equal(manifest[0].RepoTags, []string{"docker.io/library/operator:latest"}) {
		t.Fatalf("manifest %+v", manifest)
	}
	var config struct {
		Config struct {
			Entrypoint []string
			User       string
		}
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	decode(t, files[manifest[0].Config], &config)
	layer := files[manifest[0].Layers[0]]
	if want := fmt.Sprintf("sha256:%x", sha256.Sum256(layer)); !cmp.Equal(config.RootFS.DiffIDs, []string{want}) {
		t.Errorf("the configuration names layers %v, the layer is %s", config.RootFS.DiffIDs, want)
	}
	if !cmp.Equal(config.Config.Entrypoint, []string{"/manager"}) || config.Config.User != "65532" {
		t.Errorf("it runs %v as %q", config.Config.Entrypoint, config.Config.User)
	}
	if content := unpack(t, layer)["manager"]; string(content) != "a program" {
		t.Errorf("the layer's program is %q", content)
	}
}

func unpack(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func decode(t *testing.T, content []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(content, into); err != nil {
		t.Fatalf("%v in %s", err, content)
	}
}
