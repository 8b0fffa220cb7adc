"""What docs/hotpaths.md shows is what happens: its program prints what stands below it, figures
excepted, and its other blocks run."""

import os
import pathlib
import re
import subprocess
import sys

PAGE = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "hotpaths.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.S)
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith("GT_")}


def run(path, **settings):
    done = subprocess.run(
        [sys.executable, path],
        capture_output=True,
        text=True,
        timeout=100,
        env={**PLAIN, "GT_CACHE_DIR": "", **settings},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def shape(text):
    """The lines without figures, hashes and times; without those that come only now and then."""
    text = re.sub(r"\([0-9a-f]{12}:", "(#:", text)
    text = re.sub(r"\S*loop\.py:(\d+)( <module>)?", r"loop.py line \1", text)
    lines = [re.sub(r"\d+(\.\d+)?", "#", line).rstrip() for line in text.splitlines()]
    return [line for line in lines if line and "broke off" not in line and " us" not in line]


def test_the_loop(tmp_path):
    shown = re.search(r"```\n(Worker worker_0: .*?)```", PAGE, re.S)[1]
    path = tmp_path / "loop.py"
    path.write_text(PROGRAMS[0])
    out = run(path, GT_AUTO_COMPILE="1", GT_HOTPATH_TIER="1", GT_COMPILE_SYNC="1")
    assert shape(out) == shape(shown)
    assert "are not looked for" in run(path, GT_AUTO_COMPILE="0")


def test_the_other_programs(tmp_path):
    assert len(PROGRAMS) > 1
    for program in PROGRAMS[1:]:
        path = tmp_path / "program.py"
        path.write_text(program)
        run(path)
