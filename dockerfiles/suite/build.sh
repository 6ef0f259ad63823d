#!/bin/sh
# Builds the image of the suite for the engine's architecture, from the files that git knows:
#
#     dockerfiles/suite/build.sh [NAME[:TAG]]      default: msc4014-suite:<commit>
#
# Its base is debian:sid-slim, or msc4014/debian:sid where the engine has only that (./run.sh synapse --bootstrap-base builds it).
set -eu

fail() {
	echo "build.sh: $*" >&2
	exit 2
}

root=$(CDPATH='' cd "$(dirname "$0")/../.." && pwd -P)
cd "$root"
commit=$(git rev-parse HEAD) || fail "$root is not a git repository: which files belong to the suite is not known"
[ -z "$(git status --porcelain --untracked-files=no)" ] || commit=$commit+changes
name=${1:-msc4014-suite:$(printf '%.12s' "$commit")}
architecture=$(docker version --format '{{.Server.Arch}}') || fail "no container engine answers: start it, or set DOCKER_HOST"

base=
for each in debian:sid-slim msc4014/debian:sid; do
	if [ -z "$base" ] && docker image inspect "$each" >/dev/null 2>&1; then
		base=$each
	fi
done
if [ -z "$base" ]; then
	docker pull debian:sid-slim || fail "the engine has neither debian:sid-slim nor msc4014/debian:sid, and no registry gives the former;" \
		"./run.sh synapse --bootstrap-base builds the latter"
	base=debian:sid-slim
fi

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
trap 'exit 2' HUP INT TERM
mkdir -p "$context/suite/bin"
git ls-files -z | tar --null --files-from=- -cf - | tar -xf - -C "$context/suite"
for program in msc4014:./cmd/msc4014 suite:./tests probe:./runtime/docker/probe; do
	CGO_ENABLED=0 GOOS=linux GOARCH=$architecture GOFLAGS='' GOWORK=off \
		go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$context/suite/bin/${program%%:*}" "${program#*:}"
done
# The programs in bin/ are those of this commit, and nothing has to be built.
echo "$commit" >"$context/suite/bin/prebuilt"
cp dockerfiles/suite/Dockerfile "$context"

sources=$(sh dockerfiles/debian/base.sh sources)
mirror=$(echo "$sources" | sed -n 1p)
proxy=$(echo "$sources" | sed -n 2p)
case $mirror$proxy in
*127.0.0.1* | *localhost*) mirror='' proxy='' ;; # a build cannot reach it
esac
set -- --build-arg "BASE=$base" --build-arg "DEBIAN_MIRROR=$mirror"
[ -z "$proxy" ] || set -- "$@" --build-arg "http_proxy=$proxy"
DOCKER_BUILDKIT=0 docker build --tag "$name" "$@" "$context"
echo "built $name"
