// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package image makes container images out of static binaries, without a registry or a builder.
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Image is a container image of static binaries.
type Image struct {
	// Name is its name and tag, and User whom it runs as.
	Name, User string
	// Binaries are files of this machine. It runs the first.
	Binaries []string
}

// Parse reads name:tag=user:/binary,/binary.
func Parse(text string) (Image, error) {
	name, rest, named := strings.Cut(text, "=")
	user, files, owned := strings.Cut(rest, ":/")
	if !named || !owned || !strings.Contains(name, ":") {
		return Image{}, fmt.Errorf("image %q isn't written as name:tag=user:/binary,/binary", text)
	}
	return Image{name, user, strings.Split("/"+files, ",")}, nil
}

// Content is the image's one layer and its configuration, which names that.
func (i Image) Content() (layer, config []byte, err error) {
	var files []file
	for _, binary := range i.Binaries {
		content, err := os.ReadFile(binary)
		if err != nil {
			return nil, nil, fmt.Errorf("reading a program of the image: %w", err)
		}
		files = append(files, file{filepath.Base(binary), 0o755, content})
	}
	if layer, err = archiveOf(files); err != nil {
		return nil, nil, err
	}
	config, err = json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": []string{"/" + files[0].name}, "User": i.User},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{Digest(layer)}},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("encoding the configuration: %w", err)
	}
	return layer, config, nil
}

// Digest is the name by which images refer to a content.
func Digest(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

// Archive is the image in the format of docker save, which every tool takes: a layer, the configuration
// and a manifest that names both.
func (i Image) Archive() ([]byte, error) {
	layer, config, err := i.Content()
	if err != nil {
		return nil, err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{"docker.io/" + qualified(i.Name)}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return nil, fmt.Errorf("encoding the manifest: %w", err)
	}
	return archiveOf([]file{{"layer.tar", 0o644, layer}, {"config.json", 0o644, config}, {"manifest.json", 0o644, manifest}})
}

// qualified is an image's name as Docker Hub has it: names of one part are in library.
func qualified(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	return "library/" + name
}

// file is an entry of an archive.
type file struct {
	name    string
	mode    int64
	content []byte
}

func archiveOf(files []file) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content))}); err != nil {
			return nil, fmt.Errorf("archiving %s: %w", f.name, err)
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, fmt.Errorf("archiving %s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("ending an archive: %w", err)
	}
	return out.Bytes(), nil
}
