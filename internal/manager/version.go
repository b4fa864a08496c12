// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"cmp"
	"fmt"
	"runtime/debug"
)

// Version says which operator this is, in one line: its version, the commit that it was built from, and the
// Go that built it.
func Version() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = &debug.BuildInfo{}
	}
	return describe(build)
}

func describe(build *debug.BuildInfo) string {
	var commit, changed string
	for _, s := range build.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = " with changes"
		}
	}
	return fmt.Sprintf("tokenrequest-operator %s, commit %s%s, %s",
		cmp.Or(build.Main.Version, unknown), cmp.Or(commit, unknown), changed, cmp.Or(build.GoVersion, unknown))
}

// userAgent names the operator and the version that it was built as.
func userAgent() string {
	version := unknown
	if build, ok := debug.ReadBuildInfo(); ok {
		version = cmp.Or(build.Main.Version, unknown)
	}
	return "tokenrequest-operator/" + version
}

// unknown takes the place of what the build didn't stamp.
const unknown = "unknown"
