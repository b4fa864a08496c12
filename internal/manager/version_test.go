// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"runtime/debug"
	"testing"
)

func TestTheVersionIsWhatTheBuildStamped(t *testing.T) {
	for want, build := range map[string]*debug.BuildInfo{
		"tokenrequest-operator v1.2.3, commit 0123abc, go1.26.8": {
			GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123abc"}, {Key: "vcs.modified", Value: "false"}},
		},
		"tokenrequest-operator v1.2.4-0.20260101000000-0123abc+dirty, commit 0123abc with changes, go1.26.8": {
			GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.4-0.20260101000000-0123abc+dirty"},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123abc"}, {Key: "vcs.modified", Value: "true"}},
		},
		"tokenrequest-operator unknown, commit unknown, unknown": {},
	} {
		if got := describe(build); got != want {
			t.Errorf("it is called %q, not %q", got, want)
		}
	}
}
