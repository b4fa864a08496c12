#!/usr/bin/env bash
# Builds programs of Kubernetes and etcd, named by the further arguments, into the directory named by
# the first, with the Go tool alone, from the module named by PIN: the one here, or that of an older
# minor in a folder beside. A control plane takes about eight minutes once on two cores, kubelet and
# kube-scheduler two more; a finished binary is not built again.
set -euo pipefail

script=$(cd "$(dirname "$0")" && pwd)/build.sh
out=$(mkdir -p "$1" && cd "$1" && pwd)
shift
cd "$(dirname "$script")/${PIN:-.}"

# Read from go.mod alone, so that a finished control plane costs no module download to recognise.
kubernetes=$(awk '$1 == "k8s.io/kubernetes" { print $2; exit }' go.mod)
minor=${kubernetes#v1.} && minor=${minor%%.*}
stamp=$(cat go.mod go.sum "$script" | cksum | cut -d' ' -f1)

# One line of progress: rewritten in place on a terminal, every hundredth package elsewhere.
progress() {
	local name=$1 count=0 line
	while read -r line; do
		case $line in
		go:* | *.go:*) printf '%s\n' "$line" >&2 && continue ;; # downloads and compiler errors
		esac
		count=$((count + 1))
		if [ -t 2 ]; then
			printf '\r  %-23s %5d packages compiled' "$name" "$count" >&2
		elif [ $((count % 100)) -eq 0 ]; then
			printf '  %-23s %5d packages compiled\n' "$name" "$count" >&2
		fi
	done
	if [ -t 2 ]; then printf '\r\033[K' >&2; fi
}

build() {
	local name=$1 package=$2 started=$SECONDS
	if [ -x "$out/$name" ] && [ "$(cat "$out/.$name.stamp" 2>/dev/null)" = "$stamp" ]; then
		return
	fi
	printf 'Building %s from %s\n' "$name" "$package" >&2
	local version=k8s.io/component-base/version
	CGO_ENABLED=0 go build -v -trimpath -o "$out/.$name.partial" -ldflags "-s -w \
		-X $version.gitVersion=$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=$minor" \
		"$package" 2> >(progress "$name")
	mv "$out/.$name.partial" "$out/$name"
	echo "$stamp" >"$out/.$name.stamp"
	printf '  %-23s built in %d s\n' "$name" $((SECONDS - started)) >&2
}

for program in "$@"; do
	case $program in
	etcd) build etcd go.etcd.io/etcd/server/v3 ;;
	*) build "$program" "k8s.io/kubernetes/cmd/$program" ;;
	esac
done
