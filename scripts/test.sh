#!/bin/bash
# test.sh: what `make test` runs after the set-up. Every stage runs even when one before it failed,
# each ends in one line of the summary, and one failure makes the whole fail.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
unset CC CFLAGS LDFLAGS "${!GT_@}"   # settings of whoever runs the tests are not part of them
export GT_CACHE_DIR=                 # nor is what earlier runs compiled

FUZZ_SECONDS=${FUZZ_SECONDS:-30}
summary=()
failed=0
begin=$SECONDS

# stage NAME PATTERN COMMAND...: the summary shows the last line of the output that matches PATTERN.
stage() {
	local name=$1 pattern=$2 log started=$SECONDS verdict=ok detail
	shift 2
	log=$(mktemp)
	printf '\n== %s\n' "$name"
	if ! "$@" </dev/null 2>&1 | tee "$log"; then
		verdict=FAILED
		failed=1
	fi
	detail=$(grep -E "$pattern" "$log" | tail -n 1 | sed 's/^[= ]*//; s/[= ]*$//')
	rm -f "$log"
	printf -v log '%-14s %-7s %4d s  %s' "$name" "$verdict" $((SECONDS - started)) "$detail"
	summary+=("$log")
}

# A build folder, then its C tests. Sanitizers slow the tests down, so they get more time.
c_tests() {
	local name=$1 dir=build-$1

	[ "$name" != default ] || dir=build
	scripts/build.sh "$name" && meson test -C "$dir" --print-errorlogs -t 4 --no-rebuild |
		awk '/^(Ok|Fail|Timeout|Skipped|Unexpected Pass|Expected Fail):/ {
				if ($NF) s = s " " $0 }
			{ print } END { gsub(/ +/, " ", s); print "tests:" s }'
}

fuzz() {
	scripts/build.sh fuzz && scripts/fuzz.sh "$FUZZ_SECONDS"
}

# Twice side by side, for each has one processor's work: as it is, and with everything that repeats
# replayed and what is replayed compared. What bash starts in the background, all of this maybe, ignores
# Ctrl-C unless told.
python_tests() {
	local log hot verdict=0
	log=$(mktemp)
	env --default-signal=INT GT_AUTO_COMPILE=1 GT_HOTPATH_THRESHOLD=2 GT_COMPILE_SYNC=1 \
		GT_CHECK=1 GT_QUIET=1 python -m pytest -p no:cacheprovider >"$log" 2>&1 &
	hot=$!
	env --default-signal=INT python -m pytest -p no:cacheprovider || verdict=1
	wait "$hot" || verdict=1
	printf '\n== Python tests, replayed\n'
	cat "$log"
	rm -f "$log"
	return $verdict
}

stage "C tests" '^tests:' c_tests default
stage "C under ASan" '^tests:' c_tests asan
stage "fuzzing" '^fuzz:' fuzz
stage "Python tests" '(passed|failed|error)' python_tests

printf '\n== summary\n'
printf '%s\n' "${summary[@]}"
if [ "$failed" = 0 ]; then
	printf 'all passed in %d s\n' $((SECONDS - begin))
else
	printf 'FAILED (%d s)\n' $((SECONDS - begin))
fi
exit $failed
