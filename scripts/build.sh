#!/bin/bash
# build.sh NAME [meson options]: configure (once) and build the folder build or build-NAME.
#
#   scripts/build.sh default   scripts/build.sh asan -Db_sanitize=address
#
# CC chooses the compiler; gcc if unset. Needs scripts/setup.sh tools to have run.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH" CC=${CC:-gcc}

dir=build-$1
[ "$1" != default ] || dir=build
shift
# A folder that came here with a copied or moved tree still builds the old place's sources.
if [ ! -f "$dir/build.ninja" ] || [ "$(cat "$dir/source")" != "$PWD" ]; then
	rm -rf "$dir"
	meson setup "$dir" "$@"
	printf '%s\n' "$PWD" >"$dir/source"
fi
exec ninja -C "$dir"
