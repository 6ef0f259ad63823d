#!/bin/sh
# Builds a base image from Debian's packages, if no registry has it: of sid for Synapse, of bookworm for real clients.
# ./run.sh synapse --bootstrap-base runs it. To run it by hand, as root on Linux:
#
#     dockerfiles/debian/base.sh make sid /tmp/sid.tar
#     docker import --change 'CMD ["bash"]' /tmp/sid.tar msc4014/debian:sid
#
# It installs nothing on this machine and does not change apt's settings and package lists: missing packages that debootstrap
# needs are unpacked in a temporary folder.
set -eu

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
left_out='/usr/share/doc /usr/share/groff /usr/share/info /usr/share/linda /usr/share/lintian /usr/share/locale /usr/share/man'
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" # also without root's PATH

usage() {
	echo "usage: base.sh plan SUITE      say what make would do, or why it cannot
       base.sh sources         print the Debian archive and the proxy that apt uses on this machine
       base.sh make SUITE TAR  make the root file system of a Debian suite and pack it into TAR
SUITE is the code name of a release of Debian, such as bookworm or sid" >&2
	exit 2
}

fail() {
	echo "base.sh: $*" >&2
	exit 1
}

# archives prints the archives in apt's sources.
archives() {
	apt-get indextargets --no-release-info --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		while read -r uri; do
			case $uri in
			mirror+file:*) # a file with one archive per line, followed by a tab and its priority
				list=${uri#mirror+file:}
				cut -f 1 "${list%/}" 2>/dev/null || true
				;;
			*) echo "$uri" ;;
			esac
		done
}

# mirror prints the first Debian archive among them, else deb.debian.org, Debian's CDN. Debian archives
# end in /debian; those of security updates and of other distributions do not.
mirror() {
	found=$(archives | sed -n 's|/*$||; \|^https*://..*/debian$|p' | sed 1q)
	echo "${found:-http://deb.debian.org/debian}"
}

# proxy prints the HTTP proxy of this machine, or an empty line if it has none.
proxy() {
	V=
	eval "$(apt-config shell V Acquire::http::Proxy 2>/dev/null || true)"
	case $V in
	[Dd][Ii][Rr][Ee][Cc][Tt] | false) V= ;;
	esac
	echo "${http_proxy:-$V}"
}

# missing prints the packages that make needs and that this machine lacks.
missing() {
	command -v debootstrap >/dev/null || echo debootstrap
	command -v gpgv >/dev/null || echo gpgv
	[ -e "$keyring" ] || echo debian-archive-keyring
}

# possible exits with the reason if this machine cannot build the image.
possible() {
	[ "$(uname -s)" = Linux ] ||
		fail "debootstrap runs on Linux only: load the image from a machine that has it (docker save, docker load)"
	[ "$(id -u)" = 0 ] ||
		fail "debootstrap needs root: run this once as root, or load the image from a machine that has it (docker save, docker load)"
	if [ -n "$(missing)" ] && ! command -v apt-get >/dev/null; then
		fail "there is no apt-get to download these with; install them: $(missing | xargs)"
	fi
}

plan() {
	possible
	echo "debootstrap installs a minimal Debian $suite from $(mirror) in a temporary folder (300 MB, about a minute)," \
		"which becomes the image"
	if [ -n "$(missing)" ]; then
		echo "this machine lacks $(missing | xargs): downloaded by apt-get and unpacked in the temporary folder"
	fi
	echo "nothing is installed on this machine, and apt's settings do not change"
}

# fetch downloads packages and unpacks them in the folder tools.
fetch() {
	set -- "$@" -o APT::Sandbox::User=root -o Dir::Cache="$work/cache"
	mkdir -p "$work/cache/archives/partial" "$work/packages"
	cd "$work/packages"
	if ! apt-get -q download "$@" >&2; then # usually because package lists are missing or outdated
		set -- "$@" -o Dir::State::lists="$work/lists" -o Acquire::Check-Valid-Until=false -o Acquire::Languages=none
		mkdir -p "$work/lists/partial"
		apt-get -q update "$@" >&2 || true # archives other than Debian's may not answer
		apt-get -q download "$@" >&2 || fail "apt-get could not download what is missing: $(missing | xargs)"
	fi
	for package in *.deb; do
		dpkg-deb -x "$package" "$work/tools"
	done
	cd /
}

make() {
	possible
	[ ! -e "$2" ] || fail "$2 exists: remove it, or name another file"
	tar=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
	# In separate namespaces, all processes and mounts end with this one. It also works without them, because some containers
	# do not allow them.
	if [ $# = 2 ] && unshare --mount --pid --fork true 2>/dev/null; then
		exec unshare --mount --pid --fork --kill-child /bin/sh "$0" make "$suite" "$tar" isolated
	fi
	work=$(mktemp -d "$(dirname "$tar")/base.XXXXXX")
	root=$work/root
	mkdir "$root"
	if [ $# = 3 ] && mount --bind "$root" "$root"; then
		trap 'umount --lazy "$root"; rm -rf --one-file-system "$work"' EXIT
		mount -o remount,bind,exec,dev,suid "$root" || true # the folder may be mounted with nodev or noexec
	else
		trap 'rm -rf --one-file-system "$work"' EXIT
	fi
	trap 'exit 1' HUP INT TERM

	lacking=$(missing)
	if [ -n "$lacking" ]; then
		echo "downloading $(echo "$lacking" | xargs)"
		# shellcheck disable=SC2086 # one word per package
		fetch $lacking
		PATH=$work/tools/usr/sbin:$work/tools/usr/bin:$PATH
		[ ! -d "$work/tools/usr/share/debootstrap" ] || export DEBOOTSTRAP_DIR="$work/tools/usr/share/debootstrap"
		[ -e "$keyring" ] || keyring=$work/tools$keyring
	fi

	echo "debootstrap of $suite from $(mirror)"
	http_proxy=$(proxy) debootstrap --variant=minbase --force-check-gpg --keyring="$keyring" "$suite" "$root" "$(mirror)" >&2

	# As in Debian's own slim images: no manuals, no syncing to disk, no services started. The engine provides hostname and
	# resolv.conf.
	{
		echo force-unsafe-io
		printf 'path-exclude %s/*\n' $left_out
		echo 'path-include /usr/share/doc/*/copyright'
	} >"$root/etc/dpkg/dpkg.cfg.d/docker"
	printf 'Acquire::Languages "none";\nAPT::AutoRemove::SuggestsImportant "false";\n' >"$root/etc/apt/apt.conf.d/docker"
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	: >"$root/etc/hostname"
	: >"$root/etc/resolv.conf"
	echo "packing the root file system"
	for folder in /dev /proc /sys /run /var/lib/apt/lists /var/cache/apt $left_out; do
		echo ".$folder/*"
	done >"$work/excluded"
	tar -C "$root" --numeric-owner --anchored --wildcards --wildcards-match-slash --exclude-from="$work/excluded" -cf "$tar" . ||
		{ rm -f "$tar"; fail "the root file system could not be packed into $tar"; }
}

suite=${2:-}
case $suite in
*[!a-z]*) usage ;;
esac
case ${1:-} in
plan) [ $# = 2 ] || usage; plan ;;
sources) [ $# = 1 ] || usage; mirror; proxy ;;
make) [ $# = 3 ] || [ "$#${4:-}" = 4isolated ] || usage; shift; make "$@" ;;
*) usage ;;
esac
