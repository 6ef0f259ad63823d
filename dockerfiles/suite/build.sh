#!/bin/sh
# Builds the image of the suite for the engine's architecture, from the files that git knows:
#
#     dockerfiles/suite/build.sh [NAME[:TAG]]      default: msc4014-suite:<commit>, or msc4014-suite:<commit>-changes if files differ from it
#
# Its base is debian:sid-slim, or msc4014/debian:sid where the engine has only that (./run.sh synapse --bootstrap-base builds it).
set -eu

fail() {
	echo "build.sh: $*" >&2
	exit 2
}

if [ $# -gt 1 ]; then
	fail "more than one name: usage: dockerfiles/suite/build.sh [NAME[:TAG]]"
fi
case ${1:-} in
-*) fail "$1 is not the name of an image: usage: dockerfiles/suite/build.sh [NAME[:TAG]]" ;;
esac

root=$(CDPATH='' cd "$(dirname "$0")/../.." && pwd -P)
cd "$root"
commit=$(git rev-parse HEAD) || fail "$root is not a git repository: which files belong to the suite is not known"
changed=$(git status --porcelain --untracked-files=no) || fail "git status failed in $root"
tag=$(printf '%.12s' "$commit")
if [ -n "$changed" ]; then
	commit=$commit+changes
	tag=$tag-changes # a tag has no plus
fi
name=${1:-msc4014-suite:$tag}
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
# The files as they are, without those that were removed: a copy of the index takes the changes. Git does not know bin/.
cp "$(git rev-parse --git-path index)" "$context/index"
export GIT_INDEX_FILE="$context/index"
git add --update && git checkout-index --all --prefix="$context/suite/" || fail "git does not give the files in $root"
unset GIT_INDEX_FILE
rm "$context/index"
# Built from the copy, so that no file takes part that git does not know.
cd "$context/suite"
for program in msc4014:./cmd/msc4014 suite:./tests probe:./runtime/docker/probe; do
	CGO_ENABLED=0 GOOS=linux GOARCH=$architecture GOFLAGS='' GOWORK=off \
		go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$context/suite/bin/${program%%:*}" "${program#*:}"
done
# The programs in bin/ are those of this commit, and nothing has to be built.
echo "$commit" >"$context/suite/bin/prebuilt"
cp dockerfiles/suite/Dockerfile "$context"
cd "$root"

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
