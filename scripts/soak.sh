#!/bin/bash
# soak.sh [SECONDS]: random programs eagerly and with hot paths, without end or for SECONDS, in turn
# plain, with two compute threads, with two workers, and under the thread sanitizer. What goes wrong
# is cut down to differential-SEED.gts in soak/. Needs scripts/setup.sh tools to have run.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
unset CC CFLAGS LDFLAGS "${!GT_@}"

# Thread sanitizer needs addresses where it expects them; newer kernels randomise further than that.
FIXED=$(setarch -R true 2>/dev/null && echo "setarch -R")
TURN=60                                  # seconds each
left=${1:-0}
endless=$((left == 0))

scripts/build.sh default >/dev/null &&
	scripts/build.sh tsan >/dev/null || exit 1
mkdir -p soak

# play BUILD [NAME=VALUE...]: one turn, from a random seed on.
play() {
	local build=$1 n=$TURN
	shift
	[ "$endless" = 1 ] || n=$((left < TURN ? left : TURN))
	left=$((left - n))
	[ "$n" -gt 0 ] || return 0
	printf '\n== %s %s\n' "$build" "$*"
	env "$@" TSAN_OPTIONS=halt_on_error=1 $FIXED \
		"$build/tests/differential/differential" --seconds "$n" --dir soak \
		--tier "${TIER:-1}" --seed $((RANDOM * 1000000000 + RANDOM * 100000 + RANDOM)) || failed=1
}

failed=0
while [ "$failed" = 0 ] && { [ "$endless" = 1 ] || [ "$left" -gt 0 ]; }; do
	play build
	play build GT_THREADS=2
	TIER=2 play build
	play build GT_WORKERS=2
	play build-tsan
	TIER=2 play build-tsan GT_THREADS=2
done
exit $failed
