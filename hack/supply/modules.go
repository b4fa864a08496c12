// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
)

// architectures are those that the operator is shipped for.
var architectures = []string{"amd64", "arm64"}

// linked is a module that has packages in the operator's binary.
type linked struct {
	path, version, folder string
	// packages are the folders of those that are linked, and imports the paths of the modules that they import.
	packages, imports []string
}

// listed is a package as go list prints it.
type listed struct {
	ImportPath, Dir string
	Standard        bool
	Imports         []string
	Module          *struct {
		Path, Version, Dir string
		Main               bool
	}
}

// linkedModules are the modules in the operator's binary for the architectures, by path. The operator's own
// is among them, without a version.
func linkedModules(architectures []string) (map[string]*linked, error) {
	modules := map[string]*linked{}
	for _, architecture := range architectures {
		packages, err := linkedPackages(architecture)
		if err != nil {
			return nil, err
		}
		home := map[string]string{}
		for _, p := range packages {
			home[p.ImportPath] = p.Module.Path
		}
		for _, p := range packages {
			m := modules[p.Module.Path]
			if m == nil {
				m = &linked{path: p.Module.Path, version: p.Module.Version, folder: p.Module.Dir}
				modules[m.path] = m
			}
			m.packages = append(m.packages, p.Dir)
			for _, imported := range p.Imports {
				if to := home[imported]; to != "" && to != m.path {
					m.imports = append(m.imports, to)
				}
			}
		}
	}
	for _, m := range modules {
		m.packages, m.imports = sortedSet(m.packages), sortedSet(m.imports)
	}
	return modules, nil
}

// linkedPackages are all but the standard library's.
func linkedPackages(architecture string) ([]listed, error) {
	list := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,Standard,Imports,Module", "./cmd")
	list.Dir = root
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+architecture, "CGO_ENABLED=0")
	var said bytes.Buffer
	list.Stderr = &said
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("listing packages: %w: %s", err, said.Bytes())
	}
	var packages []listed
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading what go list says: %w", err)
		}
		if !p.Standard {
			packages = append(packages, p)
		}
	}
}

func sortedSet(texts []string) []string {
	slices.Sort(texts)
	return slices.Compact(texts)
}
