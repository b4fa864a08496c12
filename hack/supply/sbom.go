// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"
)

// bom is as much of CycloneDX 1.6 as is told here. It has no time and no random serial number, which it may
// lack, so that it is the same for the same binary.
type bom struct {
	Schema       string       `json:"$schema"`
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Ref        string     `json:"bom-ref"`
	Type       string     `json:"type"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Licences   []licence  `json:"licenses"`
	URL        string     `json:"purl"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type licence struct {
	Licence struct {
		ID string `json:"id"`
	} `json:"license"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

const standardLibrary = "std"

// billOfMaterials tells what is in a binary: what Go wrote into it, with the licences and the imports of
// each module.
func billOfMaterials(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	built, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading how %s was built: %w", path, err)
	}
	modules, err := modulesOf(built)
	if err != nil {
		return nil, err
	}
	b := bom{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
	}
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		m := modules[path]
		ids, err := m.licences()
		if err != nil {
			return nil, err
		}
		c := library(path, m.version, ids)
		needs := []string{packageURL(standardLibrary, goVersion(built))}
		for _, imported := range m.imports {
			needs = append(needs, packageURL(imported, modules[imported].version))
		}
		b.Dependencies = append(b.Dependencies, dependency{c.Ref, needs})
		if path == built.Main.Path {
			c.Type, c.Hashes, c.Properties = "application", []hash{{"SHA-256", digest(content)}}, settings(built)
			b.Metadata.Component = c
			continue
		}
		b.Components = append(b.Components, c)
	}
	std := library(standardLibrary, goVersion(built), []string{"BSD-3-Clause"})
	b.Components, b.Dependencies = append(b.Components, std), append(b.Dependencies, dependency{Ref: std.Ref})
	return indented(b)
}

// modulesOf are the modules in a binary, with what only their sources tell. It fails where the sources here
// aren't those of the binary.
func modulesOf(built *debug.BuildInfo) (map[string]*linked, error) {
	modules, err := linkedModules([]string{setting(built, "GOARCH")})
	if err != nil {
		return nil, err
	}
	if main := modules[built.Main.Path]; main != nil {
		main.version = built.Main.Version
	}
	for _, dep := range append(built.Deps, &built.Main) {
		if m := modules[dep.Path]; m == nil || m.version != dep.Version {
			return nil, fmt.Errorf("the binary has %s %s, and the sources here don't: build it anew", dep.Path, dep.Version)
		}
	}
	if len(modules) != len(built.Deps)+1 {
		return nil, fmt.Errorf("the sources here have %d modules, and the binary %d: build it anew", len(modules), len(built.Deps)+1)
	}
	return modules, nil
}

func library(path, version string, ids []string) component {
	c := component{Ref: packageURL(path, version), Type: "library", Name: path, Version: version, URL: packageURL(path, version)}
	for _, id := range ids {
		var l licence
		l.Licence.ID = id
		c.Licences = append(c.Licences, l)
	}
	return c
}

// packageURL names a module as vulnerability scanners look it up (github.com/package-url/purl-spec).
func packageURL(path, version string) string {
	return "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
}

// goVersion is the standard library's: that of Go, without what a distribution added to it.
func goVersion(built *debug.BuildInfo) string {
	version, _, _ := strings.Cut(strings.TrimPrefix(built.GoVersion, "go"), " ")
	return version
}

// settings are how the binary was built.
func settings(built *debug.BuildInfo) []property {
	var all []property
	for _, s := range built.Settings {
		all = append(all, property{"go:" + s.Key, s.Value})
	}
	return all
}

func setting(built *debug.BuildInfo, key string) string {
	for _, s := range built.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func indented(value any) ([]byte, error) {
	text, err := json.MarshalIndent(value, "", "  ")
	return append(text, '\n'), err
}
