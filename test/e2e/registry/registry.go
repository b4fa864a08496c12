// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package registry is a container registry that has one image, and gives it to whom it admits alone. It
// answers as much of the OCI distribution specification as a pull asks for.
package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"tokenrequest.dev/operator/test/onenode/image"
)

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar"
)

// document is what a registry has under a digest.
type document struct {
	mediaType string
	content   []byte
}

// descriptor is how a manifest refers to a document.
func (d document) descriptor() map[string]any {
	return map[string]any{"mediaType": d.mediaType, "digest": image.Digest(d.content), "size": len(d.content)}
}

// New serves an image under its name to whoever comes with a user name and a password that are admitted,
// by Basic authentication (RFC 7617).
func New(name, tag string, of image.Image, admits func(user, password string) bool) (http.Handler, error) {
	layer, config, err := of.Content()
	if err != nil {
		return nil, fmt.Errorf("making the image: %w", err)
	}
	documents := []document{{configType, config}, {layerType, layer}}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": documents[0].descriptor(), "layers": []any{documents[1].descriptor()},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the manifest: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v2/{$}", func(http.ResponseWriter, *http.Request) {})
	for path, one := range map[string]document{
		"/manifests/" + tag:                    {manifestType, manifest},
		"/manifests/" + image.Digest(manifest): {manifestType, manifest},
		"/blobs/" + image.Digest(config):       documents[0],
		"/blobs/" + image.Digest(layer):        documents[1],
	} {
		mux.HandleFunc("GET /v2/"+name+path, one.serve)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || !admits(user, password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			http.Error(w, "a token is wanted as the password", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}), nil
}

func (d document) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", d.mediaType)
	w.Header().Set("Docker-Content-Digest", image.Digest(d.content))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(d.content))
}
