// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package operator

// buildFlags are those of a plain build.
func buildFlags() []string { return nil }
