// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Supply writes what is shipped with the operator's binaries: the document of the licences, the bill of
// materials and the image. The same sources and the same Go give the same bytes, anywhere.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "supply:", err)
		os.Exit(1)
	}
}

// root is the top of the repository, from this module's folder, where go run -C runs.
const root = "../.."

func run(args []string) error {
	var content []byte
	var err error
	switch {
	case len(args) == 2 && args[0] == "licences":
		content, err = licencesDocument()
	case len(args) == 3 && args[0] == "sbom":
		content, err = billOfMaterials(args[2])
	case len(args) > 3 && args[0] == "image":
		content, err = image(args[2], args[3:])
	default:
		return errors.New("usage: licences FILE | sbom FILE BINARY | image FILE NAME BINARIES")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if err := os.MkdirAll(filepath.Dir(args[1]), 0o755); err != nil {
		return err
	}
	return os.WriteFile(args[1], content, 0o644)
}
