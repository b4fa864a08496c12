#!/usr/bin/env bash
# Fails when the tests of a package cover less than the given percentage of its own statements:
# hack/coverage.sh 95 ./internal/oautherr ./internal/schedule
set -euo pipefail
cd "$(dirname "$0")/.."

least=$1
shift
go test -cover "$@" | awk -v least="$least" '
	{ print }
	match($0, /coverage: [0-9.]+%/) {
		counted++
		if (substr($0, RSTART + 10, RLENGTH - 11) + 0 < least) low = low " " $2
	}
	END {
		if (low != "") { print "Less than " least " % covered:" low > "/dev/stderr"; exit 1 }
		if (counted == 0) { print "No coverage was reported." > "/dev/stderr"; exit 1 }
	}'
