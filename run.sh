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

# Build under a temporary name and rename, so that concurrent runs do not interfere; start from a copy of the last build,
# so that go build links only if something changed. If this run is killed, the next one recognises what it left by these
# two names, and its compilers by the folder.
new=$program.new-$$
work=$MSC4014_ROOT/bin/.building-$$
trap 'rm -f "$new"; rmdir "$work" 2>/dev/null || true' EXIT
trap 'exit 2' HUP INT TERM
mkdir -p "$work"
if [ -f "$program" ]; then
	cp -p "$program" "$new"
fi
if ! (cd "$MSC4014_ROOT" && GOTMPDIR=$work go build -buildvcs=false -o "$new" ./cmd/msc4014); then
	echo "run.sh: could not build cmd/msc4014, see above" >&2
	exit 2
fi
mv -f "$new" "$program"
rm -rf "$work"
trap - EXIT HUP INT TERM
exec "$program" "$@"
