// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"tokenrequest.dev/operator/test/e2e/registry"
	"tokenrequest.dev/operator/test/onenode/image"
)

func serve(t *testing.T) http.Handler {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "reader")
	if err := os.WriteFile(binary, []byte("a program"), 0o600); err != nil {
		t.Fatal(err)
	}
	handler, err := registry.New("private/reader", "1", image.Image{User: "65532", Binaries: []string{binary}},
		func(user, password string) bool { return user == "somebody" && password == "valid" })
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

func get(t *testing.T, handler http.Handler, path, password string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	if password != "" {
		request.SetBasicAuth("somebody", password)
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	return answer
}

func TestOnlyWhoIsAdmittedGetsAnything(t *testing.T) {
	handler := serve(t)
	for _, path := range []string{"/v2/", "/v2/private/reader/manifests/1"} {
		for _, password := range []string{"", "invalid"} {
			answer := get(t, handler, path, password)
			if answer.Code != http.StatusUnauthorized || answer.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s with password %q: status %d, challenge %q", path, password, answer.Code, answer.Header().Get("WWW-Authenticate"))
			}
		}
		if answer := get(t, handler, path, "valid"); answer.Code != http.StatusOK {
			t.Errorf("%s: status %d", path, answer.Code)
		}
	}
}

func TestEverythingThatTheManifestNamesIsThere(t *testing.T) {
	handler := serve(t)
	var manifest struct {
		Config struct{ Digest string }
		Layers []struct{ Digest string }
	}
	if err := json.Unmarshal(get(t, handler, "/v2/private/reader/manifests/1", "valid").Body.Bytes(), &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest.Layers) != 1 {
		t.Fatalf("manifest %+v", manifest)
	}
	for _, digest := range []string{manifest.Config.Digest, manifest.Layers[0].Digest} {
		answer := get(t, handler, "/v2/private/reader/blobs/"+digest, "valid")
		if got := image.Digest(answer.Body.Bytes()); answer.Code != http.StatusOK || got != digest {
			t.Errorf("status %d and %s, want %s", answer.Code, got, digest)
		}
	}
}
