// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// descriptor names a blob (github.com/opencontainers/image-spec).
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    map[string]string `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// entry is an entry of an archive; a folder if it has no content.
type entry struct {
	name    string
	mode    int64
	content []byte
}

// layout is an image layout that is being filled.
type layout struct{ blobs []entry }

// image is an archive of the operator's image for the architecture of each binary: an OCI image layout, which
// also has the manifest that older Docker looks for and which names the first.
func image(name string, binaries []string) ([]byte, error) {
	modules, err := linkedModules(architectures)
	if err != nil {
		return nil, err
	}
	licences, err := licenceTexts(modules)
	if err != nil {
		return nil, err
	}
	roots, err := rootCertificates()
	if err != nil {
		return nil, err
	}
	beside := []entry{
		{"etc/", 0o755, nil}, {"etc/ssl/", 0o755, nil}, {"etc/ssl/certs/", 0o755, nil},
		{"etc/ssl/certs/ca-certificates.crt", 0o644, roots}, {"licenses.txt", 0o644, licences},
	}
	var l layout
	var manifests []descriptor
	var legacy []byte
	for _, binary := range binaries {
		described, named, err := l.addPlatform(name, binary, beside)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", binary, err)
		}
		manifests = append(manifests, described)
		if legacy == nil {
			legacy = named
		}
	}
	all, err := l.addJSON(typeIndex, map[string]any{"schemaVersion": 2, "mediaType": typeIndex, "manifests": manifests})
	if err != nil {
		return nil, err
	}
	all.Annotations = map[string]string{
		"io.containerd.image.name": qualified(name), "org.opencontainers.image.ref.name": name[strings.LastIndex(name, ":")+1:],
	}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": typeIndex, "manifests": []descriptor{all}})
	if err != nil {
		return nil, fmt.Errorf("encoding the index: %w", err)
	}
	return archive(append(l.blobs,
		entry{"oci-layout", 0o644, []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		entry{"index.json", 0o644, index}, entry{"manifest.json", 0o644, legacy}))
}

// addPlatform adds the image of one binary, and returns the descriptor of its manifest and the manifest of
// Docker's own format.
func (l *layout) addPlatform(name, binary string, beside []entry) (described descriptor, legacy []byte, err error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return described, nil, err
	}
	built, err := buildinfo.ReadFile(binary)
	if err != nil {
		return described, nil, fmt.Errorf("reading how it was built: %w", err)
	}
	files, err := archive(append([]entry{{"manager", 0o755, content}}, beside...))
	if err != nil {
		return described, nil, err
	}
	packed, err := compressed(files)
	if err != nil {
		return described, nil, err
	}
	layer := l.add(typeLayer, packed)
	architecture := setting(built, "GOARCH")
	config, err := l.addJSON(typeConfig, map[string]any{
		"created": "1970-01-01T00:00:00Z", "architecture": architecture, "os": "linux",
		"config": map[string]any{
			"Entrypoint": []string{"/manager"}, "User": "65532:65532",
			"Labels": map[string]string{
				"org.opencontainers.image.version":  built.Main.Version,
				"org.opencontainers.image.revision": setting(built, "vcs.revision"),
				"org.opencontainers.image.licenses": "Apache-2.0",
			},
		},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest(files)}},
	})
	if err != nil {
		return described, nil, err
	}
	described, err = l.addJSON(typeManifest, map[string]any{
		"schemaVersion": 2, "mediaType": typeManifest, "config": config, "layers": []descriptor{layer},
	})
	if err != nil {
		return described, nil, err
	}
	described.Platform = map[string]string{"architecture": architecture, "os": "linux"}
	legacy, err = json.Marshal([]map[string]any{{
		"Config": blobName(config), "RepoTags": []string{qualified(name)}, "Layers": []string{blobName(layer)},
	}})
	return described, legacy, err
}

// add adds a blob.
func (l *layout) add(mediaType string, content []byte) descriptor {
	d := descriptor{MediaType: mediaType, Digest: "sha256:" + digest(content), Size: len(content)}
	l.blobs = append(l.blobs, entry{blobName(d), 0o644, content})
	return d
}

func (l *layout) addJSON(mediaType string, value any) (descriptor, error) {
	content, err := json.Marshal(value)
	if err != nil {
		return descriptor{}, fmt.Errorf("encoding %s: %w", mediaType, err)
	}
	return l.add(mediaType, content), nil
}

func blobName(d descriptor) string { return "blobs/" + strings.Replace(d.Digest, ":", "/", 1) }

// qualified is an image's name with its registry: without one it is Docker Hub's, where names of one part are
// in library.
func qualified(name string) string {
	host, _, found := strings.Cut(name, "/")
	switch {
	case !found:
		return "docker.io/library/" + name
	case !strings.ContainsAny(host, ".:") && host != "localhost":
		return "docker.io/" + name
	default:
		return name
	}
}

// archive packs entries with neither times nor owners.
func archive(entries []entry) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.content)), Format: tar.FormatUSTAR}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("archiving %s: %w", e.name, err)
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, fmt.Errorf("archiving %s: %w", e.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("ending an archive: %w", err)
	}
	return out.Bytes(), nil
}

func compressed(content []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	if _, err := io.Copy(w, bytes.NewReader(content)); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	return out.Bytes(), nil
}
