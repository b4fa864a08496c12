#!/usr/bin/env bash
# Leaves the operator of an earlier commit in bin/previous: its program, manager, and its manifests,
# install.yaml, with the image tokenrequest-operator:previous. The commit is noted beside them.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! commit=$(git rev-parse --verify --quiet "$1^{commit}"); then
	echo "There is no commit $1 here to upgrade from: fetch more of the history, or set UPGRADE_FROM." >&2
	exit 1
fi
out=$PWD/bin/previous
if [ "$(cat "$out/commit" 2>/dev/null)" = "$commit" ]; then exit; fi
rm -rf "$out"
mkdir -p "$out/source"
git archive "$commit" | tar -xf - -C "$out/source"
CGO_ENABLED=0 go build -C "$out/source" -trimpath -ldflags '-s -w' -o "$out/manager" ./cmd
bin/kustomize build "$out/source/config/default" |
	sed 's|image: tokenrequest-operator:latest$|image: tokenrequest-operator:previous|' >"$out/install.yaml"
rm -r "$out/source"
echo "$commit" >"$out/commit"
