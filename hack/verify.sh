#!/usr/bin/env bash
# Proves that what is generated, derived or promised in this checkout is true of it. The generators
# run in a copy, so that nothing here is written. A check holds when it prints nothing.
set -uo pipefail
cd "$(dirname "$0")/.."
git rev-parse --is-inside-work-tree >/dev/null || exit 1 # or nothing would be checked
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
failed=0

check() {
	local promise=$1 remedy=$2 found
	found=$("${promise// /_}" 2>&1)
	if [ -s "$temp/unknown" ]; then
		printf '?     %s: %s\n' "$promise" "$(cat "$temp/unknown")"
		rm "$temp/unknown"
		return
	fi
	if [ -z "$found" ]; then
		printf 'ok    %s\n' "$promise"
		return
	fi
	printf 'FALSE %s; %s:\n%s\n' "$promise" "$remedy" "$found" >&2
	failed=1
}

# files lists what is, or could be, committed.
files() {
	git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
		if [ -f "$file" ]; then printf '%s\n' "$file"; fi
	done
}

generated_files_are_fresh() {
	mkdir "$temp/before" "$temp/after"
	files >"$temp/files"
	tar -cf - -T "$temp/files" | tar -xf - -C "$temp/before"
	tar -cf - -T "$temp/files" | tar -xf - -C "$temp/after"
	rm -f "$temp"/after/config/crd/bases/* # so that a kind that went away leaves no CRD behind
	grep -l 'DO NOT EDIT' "$temp"/after/charts/*/templates/* | xargs rm -f # nor a template
	ln -s "$PWD/bin" "$temp/after/bin"
	make -C "$temp/after" generate >"$temp/log" 2>&1 || head -n 20 "$temp/log"
	rm "$temp/after/bin"
	(cd "$temp" && diff -rq before after | sed 's/^/  /')
}

modules_are_tidy() {
	local mod
	for mod in $(files '*go.mod'); do
		go -C "$(dirname "$mod")" mod tidy -diff >"$temp/log" 2>&1 || printf '  %s\n' "$mod"
	done
}

Go_files_are_formatted() {
	files '*.go' | xargs gofmt -l
}

# A file that names the machine it was written on works on no other.
no_file_names_a_machine() {
	files | xargs grep -nIE '/[w]ork/|/[h]ome/|/[U]sers/|[p]roxy\.golang\.org'
}

# A rule that can be switched off where it hurts is none.
no_lint_finding_is_suppressed_in_place() {
	files '*.go' | xargs grep -n '//[n]olint'
}

# mentions prints "document thing" for each thing in Markdown that the pattern $1 finds, less the
# characters $2.
mentions() {
	files '*.md' | xargs -r grep -oHE -- "$1" | sed 's/:/ /' | tr -d "$2" | sort -u
}

# A path in backticks counts as ours when it begins with an entry of the top level.
documents_name_paths_that_exist() {
	mentions '`[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*/?`' '`' | while read -r document path; do
		case $path in
		bin/*) continue ;; # built, not kept
		*/*) [ -e "${path%%/*}" ] || continue ;;
		*.md | Makefile | Dockerfile) ;;
		*) continue ;;
		esac
		[ -e "$path" ] || [ -e "$(dirname "$document")/$path" ] || printf '  %s: %s\n' "$document" "$path"
	done
}

documents_link_to_files_that_exist() {
	mentions '\]\([^):# ]+:?' '](' | while read -r document path; do
		case $path in *:) continue ;; esac # a URL
		[ -e "$(dirname "$document")/$path" ] || printf '  %s: %s\n' "$document" "$path"
	done
}

documents_name_make_targets_that_exist() {
	mentions '`make [a-z0-9-]+' '`' | while read -r document _ target; do
		grep -q "^$target:" Makefile || printf '  %s: %s\n' "$document" "$target"
	done
}

# The database of vulnerabilities isn't reachable from everywhere, and it not being there is no finding. One
# that GOVULNDB names, a copy at a file:// URL for instance, has to be there.
no_known_vulnerability_can_be_reached() {
	bin/govulncheck -db "${GOVULNDB:-https://vuln.go.dev}" ./cmd >"$temp/log" 2>&1
	case $? in
	0) ;;
	1)
		if [ -z "${GOVULNDB:-}" ] && grep -q 'https://vuln\.go\.dev' "$temp/log"; then
			echo 'not checked, https://vuln.go.dev cannot be reached; GOVULNDB may name a copy' >"$temp/unknown"
		else
			cat "$temp/log"
		fi
		;;
	*) cat "$temp/log" ;; # 3: found some
	esac
}

# Targets that begin with an underscore are the Makefile's own.
make_targets_have_a_line_of_help() {
	sed -n 's/^\.PHONY: \([^_].*\)/\1/p' Makefile | while read -r target; do
		grep -q "^$target:.* ## " Makefile || printf '  %s\n' "$target"
	done
}

check 'generated files are fresh' 'run make generate'
check 'modules are tidy' 'run go mod tidy beside'
check 'Go files are formatted' 'run make fmt'
check 'no file names a machine' 'write it without'
check 'no lint finding is suppressed in place' 'change the code, or .golangci.yml for all'
check 'documents name paths that exist' 'correct'
check 'documents link to files that exist' 'correct'
check 'documents name make targets that exist' 'correct'
check 'make targets have a line of help' 'add ## and a sentence to'
check 'no known vulnerability can be reached' 'update the module or Go'
exit "$failed"
