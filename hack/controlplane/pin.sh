#!/usr/bin/env bash
# Prints which module pins the Kubernetes that is asked for, as 1.36, 1.36.3 or v1.36.3: "." for the
# one here, which is the newest, else the folder of the older minor. Fails where there is none.
set -euo pipefail
cd "$(dirname "$0")"

wanted=${1#v}
pinned=()
for mod in go.mod */go.mod; do
	version=$(awk '$1 == "k8s.io/kubernetes" { print substr($2, 2); exit }' "$mod")
	case $wanted in
	"$version" | "${version%.*}") dirname "$mod" && exit ;;
	esac
	pinned+=("$version")
done
echo "Kubernetes $1 isn't pinned here. There are: ${pinned[*]}." >&2
exit 1
