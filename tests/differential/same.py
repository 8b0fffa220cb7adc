"""same.py PROGRAM [ARGUMENT...]: it says the same however it is executed, times excepted: eagerly,
replayed (T1), by compiled kernels (T2), in a process that finds them on the disk, and in the rest of the
ways that there are."""

import os
import re
import subprocess
import sys
import tempfile

TIMES = re.compile(r"\d+(\.\d+)? (s|ms|µs|us|steps a second)\b")
HOT = {"GT_AUTO_COMPILE": "1"}
FOUND = {**HOT, "GT_COMPILE_SYNC": "1", "GT_HOTPATH_THRESHOLD": "2"}


def run(**settings):
    done = subprocess.run(
        sys.argv[1:],
        capture_output=True,
        text=True,
        env={**os.environ, "GT_QUIET": "1", "GT_CACHE_DIR": "", **settings},
    )
    return done.returncode, re.sub(" +", " ", TIMES.sub("?", done.stdout)), done.stderr


plain = run(GT_AUTO_COMPILE="0")
failed = 0
with tempfile.TemporaryDirectory() as folder:
    for settings in (
        {**FOUND, "GT_HOTPATH_TIER": "1"},
        {**FOUND, "GT_CACHE_DIR": folder},
        {**HOT, "GT_CACHE_DIR": folder},     # warm
        HOT,
        {**HOT, "GT_CHECK": "1"},
        {"GT_COMPILE": "1", "GT_COMPILE_MODE": "reduce-overhead"},
    ):
        other = run(**settings)
        if other != plain:
            print(f"with {settings}:\n{other}\ninstead of\n{plain}")
            failed = 1
    kinds = {name.partition(".")[2] for name in os.listdir(folder)}
    if "kernel" in kinds and "recipes" not in kinds:
        print("kernels were kept, but nothing that a warm start finds them by")
        failed = 1
print(plain[1], end="")
sys.exit(failed or plain[0])
