#!/usr/bin/env bash
# Prints the packages whose tests need an API server ("envtest"), or those whose tests don't
# ("unit"). What a test binary links decides, so that no list has to be kept.
set -euo pipefail
cd "$(dirname "$0")/.."

go list -test -f '{{.ImportPath}} {{join .Deps ","}}' ./... |
	awk -v want="$1" '$1 ~ /\.test$/ {
		kind = $2 ~ /sigs\.k8s\.io\/controller-runtime\/pkg\/envtest/ ? "envtest" : "unit"
		if (kind == want) { sub(/\.test$/, "", $1); print $1 }
	}'
