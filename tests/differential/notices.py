"""notices.py DIFFERENTIAL GT: the tester finds what is wrong, and cuts it down to what matters."""

import pathlib
import re
import subprocess
import sys
import tempfile

DIFFERENTIAL, GT = sys.argv[1:]

with tempfile.TemporaryDirectory() as folder:
    done = subprocess.run([DIFFERENTIAL, "--sabotage", "1", "--programs", "1", "--dir", folder],
        capture_output=True, text=True, timeout=200)
    assert done.returncode == 1, done
    assert re.search(r"seed 1: fetch \d+, of t\d+: eager float\d+ .* with hot paths", done.stdout)
    (path,) = pathlib.Path(folder).iterdir()
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert f"cut down to {len(lines)} instructions: {path}" in done.stdout, done.stdout
    assert any("= tanh" in line for line in lines) and len(lines) <= 12, lines
    # Nothing but the sabotage was wrong.
    assert subprocess.run([DIFFERENTIAL, path], timeout=100).returncode == 0
    assert subprocess.run([GT, "run", path], timeout=100, capture_output=True).returncode == 0
