#!/bin/bash
# build.sh NAME [meson options] [targets]: configure (once) and build the folder build or
# build-NAME, everything or the targets named.
#
#   scripts/build.sh default   scripts/build.sh asan   scripts/build.sh mine -Dbench=false
#
# The names below have options of their own. CC chooses the compiler (gcc if unset) except for clang
# and fuzz. Needs scripts/setup.sh tools to have run.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=build-$1
export PATH="$PWD/.venv/bin:$PATH" CC=${CC:-gcc}
options=(-Db_lundef=false -Dbench=false) targets=()
case $1 in
default) dir=build options=() ;;
# Traces name lines; more would only be compiled. Tests spend their time in the sanitizer's checks.
asan) options+=(-Db_sanitize=address -Doptimization=1 -Dc_args=-g1) ;;
ubsan) options+=(-Db_sanitize=undefined -Dc_args=-fno-sanitize-recover=all) ;;
tsan) options+=(-Db_sanitize=thread) ;;
fuzz) CC=clang options+=(-Db_sanitize=address,undefined -Dfuzz=true) ;;
clang) CC=clang options=() ;;
*) options=() ;;
esac
shift
for argument; do
	case $argument in
	-*) options+=("$argument") ;;
	*) targets+=("$argument") ;;
	esac
done
# A folder that came here with a copied or moved tree still builds the old place's sources.
if [ ! -f "$dir/build.ninja" ] || [ "$(cat "$dir/source")" != "$PWD" ]; then
	rm -rf "$dir"
	meson setup "$dir" "${options[@]}"
	printf '%s\n' "$PWD" >"$dir/source"
fi
exec ninja -C "$dir" "${targets[@]}"
