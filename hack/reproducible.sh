#!/usr/bin/env bash
# Builds the last commit twice, each time in a clone of its own below another path, with another cache,
# another folder for temporary files and another clock's reading, and compares the image of both
# architectures and the bill of materials. The first build may use what this machine has built before, the
# second nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

build() {
	local place=$1
	git clone -q --no-hardlinks . "$place/src"
	mkdir -p "$place/tmp"
	# The version is that of the commit, whichever tags the clone has; a build for release fetches them all.
	TMPDIR=$place/tmp GOTMPDIR=$place/tmp make -C "$place/src" image sbom IMG=tokenrequest-operator:reproduced >"$place/log" 2>&1 ||
		{ tail -n 20 "$place/log" >&2 && return 1; }
	(cd "$place/src" && sha256sum bin/manager bin/linux-*/manager dist/image.tar dist/sbom.cdx.json)
}

mkdir -p "$temp/first" "$temp/second-place"
build "$temp/first" >"$temp/first.sums"
GOCACHE=$temp/cache build "$temp/second-place" >"$temp/second.sums"
if ! diff "$temp/first.sums" "$temp/second.sums"; then
	echo 'The two builds differ.' >&2
	exit 1
fi
cat "$temp/first.sums"
