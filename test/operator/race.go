// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

//go:build race

package operator

// buildFlags have the operator's own races found too.
func buildFlags() []string { return []string{"-race"} }
