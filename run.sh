#!/bin/sh
# The entry point of the suite: builds cmd/msc4014 and runs it with the same arguments. See ./run.sh --help
set -eu

# The project's folder, even if this file is called through a symbolic link.
self=$0
while [ -L "$self" ]; do
	target=$(readlink "$self")
	case $target in
	/*) self=$target ;;
	*) self=$(dirname "$self")/$target ;;
	esac
done
MSC4014_ROOT=$(CDPATH='' cd "$(dirname "$self")" && pwd -P)
export MSC4014_ROOT
program=$MSC4014_ROOT/bin/msc4014

# An image of the suite (dockerfiles/suite) has its programs, and no Go.
if [ -f "$MSC4014_ROOT/bin/prebuilt" ]; then
	exec "$program" "$@"
fi

if ! command -v go >/dev/null 2>&1; then
	wanted=$(sed -n 's/^go //p' "$MSC4014_ROOT/go.mod")
	echo "run.sh: Go is not installed, or not in PATH. Install Go $wanted or newer: https://go.dev/dl" >&2
	exit 2
fi

# Build in a folder of its own and rename, so that concurrent runs do not interfere; start from a copy of the last build, so
# that go build links only if something changed. If this run is killed, the next one recognises the folder by its name and
# its lock, which tells live builds in other containers, and the compilers by the folder (cmd/internal/suitebinary).
work=$MSC4014_ROOT/bin/.building-$(uname -n)-$$
new=$work/msc4014
trap 'rm -f "$new"; rmdir "$work" 2>/dev/null || true' EXIT
trap 'exit 2' HUP INT TERM
mkdir -p "$work"
if command -v flock >/dev/null 2>&1; then
	exec 9<"$work"
	flock -n 9 2>/dev/null || true # some file systems have no locks
fi
if [ -f "$program" ]; then
	cp -p "$program" "$new"
fi
if ! (cd "$MSC4014_ROOT" && GOTMPDIR=$work go build -buildvcs=false -o "$new" ./cmd/msc4014) 9<&-; then
	echo "run.sh: could not build cmd/msc4014, see above" >&2
	exit 2
fi
mv -f "$new" "$program"
rm -rf "$work"
exec 9<&-
trap - EXIT HUP INT TERM
exec "$program" "$@"
