// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

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

// image is a container image of static binaries, the first of which is what it runs.
type image struct {
	name, user string
	binaries   []string
}

// parseImage reads name=user:/binary,/binary.
func parseImage(text string) (image, error) {
	name, rest, named := strings.Cut(text, "=")
	user, files, owned := strings.Cut(rest, ":/")
	if !named || !owned || !strings.Contains(name, ":") {
		return image{}, fmt.Errorf("image %q isn't written as name:tag=user:/binary,/binary", text)
	}
	return image{name, user, strings.Split("/"+files, ",")}, nil
}

// writeImages writes the archives of the images and of the one that holds a pod's namespaces.
func (c *cluster) writeImages(texts []string) error {
	images := []image{{pauseImage, "65535", []string{filepath.Join(c.programs, "pause")}}}
	for _, text := range texts {
		parsed, err := parseImage(text)
		if err != nil {
			return err
		}
		images = append(images, parsed)
	}
	for i, one := range images {
		archive, err := one.archive()
		if err != nil {
			return fmt.Errorf("making image %s: %w", one.name, err)
		}
		if err := os.WriteFile(c.path(imagesDir, fmt.Sprintf("%d.tar", i)), archive, 0o644); err != nil {
			return fmt.Errorf("writing image %s: %w", one.name, err)
		}
	}
	return nil
}

// archive is the image in the format of docker save, which every tool takes: a layer, the
// configuration and a manifest that names both.
func (i image) archive() ([]byte, error) {
	var files []file
	for _, binary := range i.binaries {
		content, err := os.ReadFile(binary)
		if err != nil {
			return nil, err
		}
		files = append(files, file{filepath.Base(binary), 0o755, content})
	}
	layer, err := archiveOf(files)
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": []string{"/" + files[0].name}, "User": i.user},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the configuration: %w", err)
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{"docker.io/" + qualified(i.name)}, "Layers": []string{"layer.tar"}}})
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
