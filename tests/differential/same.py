"""same.py PROGRAM [ARGUMENT...]: it says the same with and without hot paths, times excepted."""

import os
import re
import subprocess
import sys

TIMES = re.compile(r"\d+(\.\d+)? (s|ms|µs|us|steps a second)\b")


def run(**settings):
    done = subprocess.run(
        sys.argv[1:],
        capture_output=True,
        text=True,
        env={**os.environ, "GT_QUIET": "1", **settings},
    )
    return done.returncode, re.sub(" +", " ", TIMES.sub("?", done.stdout)), done.stderr


plain = run(GT_AUTO_COMPILE="0")
failed = 0
for settings in (
    {"GT_AUTO_COMPILE": "1"},
    {"GT_AUTO_COMPILE": "1", "GT_COMPILE_SYNC": "1", "GT_HOTPATH_THRESHOLD": "2"},
    {"GT_AUTO_COMPILE": "1", "GT_CHECK": "1"},
    {"GT_COMPILE": "1"},
):
    other = run(**settings)
    if other != plain:
        print(f"with {settings}:\n{other}\ninstead of\n{plain}")
        failed = 1
print(plain[1], end="")
sys.exit(failed or plain[0])
