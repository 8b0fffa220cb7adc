#!/bin/bash
# setup.sh: everything that `make demo` and `make test` need, from a fresh Debian 12.
#
#   scripts/setup.sh tools     Debian packages, .venv with the build and test tools
#   scripts/setup.sh package   the same, then the Python package gt, built and installed into .venv
#
# Each step looks first and does nothing when nothing is missing, so running it again is cheap.
# SKIP_PACKAGES=1 leaves the system's packages alone (other distributions: install the equivalents).
set -euo pipefail
cd "$(dirname "$0")/.."

PACKAGES=(
	gcc libc6-dev pkg-config    # the compiler; libgcc brings the sanitizers
	clang libclang-rt-14-dev    # the second compiler and libFuzzer
	libopenblas-dev             # matrix products of float64
	llvm-19-dev                 # the code generator
	libxxhash-dev               # names and checksums of the code cache
	libcmocka-dev libmpfr-dev   # C tests
	spin                        # checks the model of the executor's role
	python3 python3-dev python3-venv ca-certificates
)

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

missing_packages() {
	local installed p
	installed=" $(dpkg-query -W -f='${Package}:${db:Status-Status} ' "${PACKAGES[@]}" \
		2>/dev/null || true)"
	for p in "${PACKAGES[@]}"; do
		[[ $installed == *" $p:installed "* ]] || printf '%s ' "$p"
	done
}

# How to become root here: nothing, sudo without a password, or sudo that may ask a person for one.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif sudo -n true 2>/dev/null; then
		sudo -n "$@"
	elif [ -t 0 ] && command -v sudo >/dev/null; then
		sudo "$@"
	else
		return 1
	fi
}

install_packages() {
	local missing
	[ -z "${SKIP_PACKAGES:-}" ] || return 0
	command -v dpkg-query >/dev/null || die "this is not a Debian system: install the" \
		"equivalents of '${PACKAGES[*]}', then run with SKIP_PACKAGES=1"
	missing=$(missing_packages)
	[ -n "$missing" ] || return 0
	say "installing $missing"
	# shellcheck disable=SC2086
	as_root sh -c 'apt-get update -q && DEBIAN_FRONTEND=noninteractive \
		apt-get install -q -y --no-install-recommends "$@"' sh $missing >&2 && return 0
	die "these packages are missing and could not be installed; run as root, then make again:
    apt-get update && apt-get install -y --no-install-recommends $missing"
}

usable() {
	"$1" -c 'import sys, sysconfig, os, venv, ensurepip
sys.exit(sys.version_info < (3, 11)
	or not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' 2>/dev/null
}

choose_python() {
	local p
	for p in python3 /usr/bin/python3; do
		if usable "$p"; then
			echo "$p"
			return
		fi
	done
	die "no usable Python: 3.11 or newer with venv, ensurepip and Python.h is needed"
}

# A .venv whose interpreter went away, or that came here from another place (its scripts name the
# place in their first line), is made anew.
make_venv() {
	.venv/bin/python -c '' 2>/dev/null &&
		head -n 1 .venv/bin/pip | grep -qF "$PWD/.venv/" && return
	say "making .venv"
	rm -rf build-python
	"$(choose_python)" -m venv --clear .venv
}

# Run `$2...` unless the stamp named $1 still holds the hash given on standard input.
unless_stamped() {
	local stamp=.venv/stamp-$1 hash
	hash=$(sha256sum)
	shift
	if [ "$(cat "$stamp" 2>/dev/null)" != "$hash" ]; then
		rm -f "$stamp"
		"$@"
		printf '%s\n' "$hash" >"$stamp"
	fi
}

install_tools() {
	say "installing the tools of scripts/requirements.txt into .venv"
	.venv/bin/python -m pip install -q --disable-pip-version-check -r scripts/requirements.txt
}

package_inputs() {
	find meson.build meson.options pyproject.toml README.md LICENSE src include python -type f \
		! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
	.venv/bin/python --version
}

# The build folder is kept, so a changed file costs its own compilation only. The vector kernels,
# half of what there is to compile, are those of build/, which the tests need as well; a folder
# that compiled its own is made anew.
install_package() {
	say "building the Python package"
	grep -qsF "$PWD/build/libgt_base.a.p/" build-python/build.ninja || rm -rf build-python
	CC=gcc scripts/build.sh default libgt_base.a libgt_avx2.a libgt_avx512.a >&2
	PATH="$PWD/.venv/bin:$PATH" CC=gcc .venv/bin/python -m pip install -q \
		--disable-pip-version-check --no-build-isolation --no-deps --force-reinstall \
		--config-settings=build-dir=build-python \
		--config-settings=setup-args=-Dkernels="$PWD/build" .
}

install_packages
make_venv
{ cat scripts/requirements.txt; .venv/bin/python --version; } | unless_stamped tools install_tools
case ${1:-package} in
tools) ;;
package) package_inputs | unless_stamped package install_package ;;
*) die "unknown step '$1': expected tools or package" ;;
esac
