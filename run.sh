#!/bin/sh
# The one door of the suite: builds the command line and calls it with everything it was given. ./run.sh --help
set -eu

# The project's folder, also when this file is called through a symbolic link.
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

if ! command -v go >/dev/null 2>&1; then
	wanted=$(sed -n 's/^go //p' "$MSC4014_ROOT/go.mod")
	echo "run.sh: Go is not installed, or not in PATH. Install Go $wanted or newer: https://go.dev/dl" >&2
	exit 2
fi

# Built under a name of its own and renamed, so that two runs at once do not disturb each other; over a copy of the
# last one, so that it is linked only when something changed. The next run knows by the two names what a killed one left,
# and by the folder which compilers still work for it.
program=$MSC4014_ROOT/bin/msc4014
new=$program.new-$$
work=$MSC4014_ROOT/bin/.building-$$
trap 'rm -f "$new"; rmdir "$work" 2>/dev/null || true' EXIT
trap 'exit 2' HUP INT TERM
mkdir -p "$work"
if [ -f "$program" ]; then
	cp -p "$program" "$new"
fi
if ! (cd "$MSC4014_ROOT" && GOTMPDIR=$work go build -buildvcs=false -o "$new" ./cmd/msc4014); then
	echo "run.sh: the command line could not be built, see above" >&2
	exit 2
fi
mv -f "$new" "$program"
rm -rf "$work"
trap - EXIT HUP INT TERM
exec "$program" "$@"
