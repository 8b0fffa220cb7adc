"""The examples and the README's lines run and do what they say. (make demo runs the digits to
the end.)"""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*args, timeout=100):
    return subprocess.run(
        [sys.executable, *map(str, args)],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd="/",
        env={name: value for name, value in os.environ.items() if not name.startswith("GT_")}
        | {"GT_CACHE_DIR": ""},
    )


def test_digits():
    done = run(ROOT / "examples" / "digits.py", "--steps", 1500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"after: +9[5-9]\.\d%", done.stdout) and "\r" not in done.stdout
    assert len(re.findall(r"^step +\d+/1500", done.stdout, re.M)) == 10


def test_digits_says_when_it_fails():
    assert run(ROOT / "examples" / "digits.py", "--steps", 1).returncode == 1


def test_train_mlp():
    done = run(ROOT / "examples" / "train_mlp_gt.py")
    assert done.returncode == 0 and "the loss fell" in done.stdout, done.stdout + done.stderr


def test_char_gpt(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog. " * 300)
    done = run(ROOT / "examples" / "char_gpt.py", text, "--seconds", 6)
    assert done.returncode == 0 and "bigram" in done.stdout, done.stdout + done.stderr
    text.write_text("short")
    assert "too few" in run(ROOT / "examples" / "char_gpt.py", text).stderr


@pytest.mark.parametrize(
    "example",
    [
        ["train_mlp_gt.py"],
        ["digits.py", "--steps", "1500"],
        ["char_gpt.py", ROOT / "src" / "ir" / "ops.def", "--steps", "25"],
    ],
    ids=lambda example: example[0],
)
def test_same_with_hot_paths(example):
    """Not a digit differs, whether loops are looked for or not."""
    script = ROOT / "examples" / example[0]
    done = run(ROOT / "tests" / "differential" / "same.py", sys.executable, script, *example[1:])
    assert "with {" not in done.stdout and "loss" in done.stdout, done.stdout + done.stderr


def test_digits_shows_hot_paths():
    done = run(ROOT / "examples" / "digits.py", "--steps", 4000, "--hot-paths")
    assert done.returncode == 0, done.stdout + done.stderr
    for line in (
        r"Worker worker_0: Hot path detection enabled \(threshold=10\)",
        r"\[HotPath\] Detected hot sequence after 10 reps: Stream\(\w+:\d+ops\)",
        r"hot paths: a loop of \d+ operations ran \d+ times; \d+\.\d% of all operations were replayed "
        r"since, \d+\.\d% by compiled kernels",
        r"a step: +\d+\.\d µs eager, \d+\.\d µs (compiled|replayed) \(\d\.\d\dx; medians\)",
        r"break-even: (after \d+|not within 29\d\d) steps; waiting for the compiler took \d\.\d{3} s",
        r"of it the worker: replayed \d+\.\d+ us \(median",
    ):
        # Not at the beginning of a line: another thread may speak between a line and its end.
        assert re.search(line, done.stdout), done.stdout
    few = run(ROOT / "examples" / "digits.py", "--steps", 99, "--hot-paths")
    assert few.returncode == 2 and "400 steps or more" in few.stderr


@pytest.mark.parametrize(
    "times, at",
    [([3, 1, 1, 1], 20), ([1, 1], 10), ([3, 3], None), ([1, 4, 1, 1], 30), ([2, 2], 10)],
)
def test_break_even(times, at):
    """Behind as long as the sum of ten steps each is more than that of eager ones, 2 a step."""
    sys.path.insert(0, str(ROOT / "examples"))
    import digits

    watch = digits.Stopwatch(10)
    watch.times = times
    assert digits.break_even(2, watch) == at


def test_break_even_counts_the_wait():
    sys.path.insert(0, str(ROOT / "examples"))
    import digits

    watch = digits.Stopwatch(10)
    watch.times, watch.waited = [1] * 4, 15
    assert digits.break_even(2, watch) == 20
    watch.waited = 41
    assert digits.break_even(2, watch) is None


def test_readme():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert blocks
    done = run("-c", blocks[0])
    assert done.returncode == 0, done.stderr
    assert float(re.search(r"loss (\S+)", done.stdout)[1]) < 1e-3
