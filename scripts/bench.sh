#!/bin/bash
# bench.sh: the C benchmarks of build/, then the Python ones (bench/bench_*.py), one after another:
# two at once would measure each other.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

meson test --benchmark --no-rebuild --verbose -C build
shopt -s nullglob
for script in bench/bench_*.py; do
	printf '\n== %s\n' "$script"
	python "$script"
done
