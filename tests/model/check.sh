#!/bin/bash
# Check role.pml with spin: the protocol as it is has no error, and without any one of its steps it
# has.
#
#   tests/model/check.sh          every case that takes seconds
#   tests/model/check.sh deep     two clients with full rings and a late reader, too: hours
set -euo pipefail

model=$(realpath "$(dirname "$0")")/role.pml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Exhausts the states of the model under these definitions; prints spin's summary. A compiler that
# optimises takes longer than it saves; the deep search runs for hours, in as little memory as it can.
compile="-O0"
[ "${1:-}" != deep ] || compile="-O2 -DCOLLAPSE"

search() {
	spin -a "$@" "$model" > /dev/null
	${CC:-cc} $compile -w -DSAFETY -DMEMLIM=8000 -o pan pan.c
	./pan -m1000000 > out 2>&1 || true
	grep -o 'errors: [0-9]*' out || { cat out; exit 1; }
}

holds() {
	local found
	found=$(search "$@")
	if [ "$found" != "errors: 0" ] || grep -q 'not completed\|max search depth' out; then
		cat out
		echo "FAILED: the protocol is wrong with: $*"
		exit 1
	fi
	echo "holds in $(sed -n 's/^ *\([0-9.e+]*\) states, stored$/\1/p' out) states: $*"
}

breaks() {
	if [ "$(search "$@")" = "errors: 0" ]; then
		echo "FAILED: the model does not notice: $*"
		exit 1
	fi
	echo "noticed: $*"
}

one="-DONE_CLIENT -DPUSHES=2 -DCAPACITY=1"
two="-DNO_READER -DPUSHES=1 -DCAPACITY=1"
holds $one
holds $two
breaks $one -DBREAK_UNMARK
breaks $two -DBREAK_DROP
breaks $two -DBREAK_MARK
breaks $two -DBREAK_CLOSE
breaks $one -DBREAK_WATCH
if [ "${1:-}" = deep ]; then
	holds -DPUSHES=1 -DCAPACITY=1
	holds -DPUSHES=2 -DCAPACITY=1 -DNO_READER
fi
