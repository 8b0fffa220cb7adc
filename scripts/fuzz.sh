#!/bin/bash
# fuzz.sh SECONDS: run every libFuzzer target of build-fuzz, SECONDS of processor time in all, shared
# evenly, as many at a time as there are processors.
#
# Starts from the corpus in the tree, writes what it finds beside the build, never into the tree.
set -euo pipefail
cd "$(dirname "$0")/.."

total=${1:?usage: scripts/fuzz.sh SECONDS}
list=()
for t in build-fuzz/tests/fuzz/fuzz_*; do
	[ -f "$t" ] && [ -x "$t" ] && list+=("$t")
done
[ ${#list[@]} -gt 0 ] || { echo "fuzz: no targets in build-fuzz/tests/fuzz" >&2; exit 1; }
each=$((total / ${#list[@]}))
[ "$each" -ge 1 ] || each=1

run() {
	local t=$1 name=${1##*/fuzz_} runs
	local found=build-fuzz/corpus/$name log=build-fuzz/$name.log
	local args=(-max_total_time="$each" -timeout=10 -rss_limit_mb=2048 -verbosity=0
		-print_final_stats=1 -artifact_prefix="build-fuzz/$name-" "$found")

	mkdir -p "$found"
	[ ! -d "tests/fuzz/corpus/$name" ] || args+=("tests/fuzz/corpus/$name")
	[ ! -f "build-fuzz/tests/fuzz/$name.dict" ] || args+=(-dict="build-fuzz/tests/fuzz/$name.dict")
	if "$t" "${args[@]}" >"$log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
		printf 'fuzz: %-16s ok, %s runs in %s s\n' "$name" "$runs" "$each"
	else
		printf 'fuzz: %-16s FAILED\n%s\n' "$name" "$(tail -n 60 "$log")"
		return 1
	fi
}

failed=0 running=0
for t in "${list[@]}"; do
	if [ "$running" -ge "$(nproc)" ]; then
		wait -n || failed=1
		running=$((running - 1))
	fi
	run "$t" &
	running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
	wait -n || failed=1
	running=$((running - 1))
done
exit $failed
