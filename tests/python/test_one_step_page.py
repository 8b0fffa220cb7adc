"""What docs/one-step.md shows is what its commands write. Above each block stands where it is from:

    <!-- stream: 12 lines from "t5 = " -->

`python tests/python/test_one_step_page.py` writes the blocks anew, those of machine code included, which
depend on the processor and on LLVM and are not compared."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

import pytest

PATH = pathlib.Path(__file__).resolve().parents[2] / "docs" / "one-step.md"
PAGE = PATH.read_text() if PATH.exists() else ""
PROGRAM = re.search(r"```python\n(.*?)```", PAGE, re.S)[1]
BLOCK = re.compile(r'<!-- (\w+): (\d+) lines from "(.*?)" -->\n\n```\n(.*?)```', re.S)
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith("GT_")}
SAME_EVERYWHERE = ("stream", "region", "explain")


def run(folder):
    """The texts that the page quotes, by name, as its commands write them."""
    path = pathlib.Path(folder) / "step.py"
    path.write_text(PROGRAM + "print(gt.debug.explain())\n")
    done = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, timeout=100, cwd=folder,
        env={**PLAIN, "GT_CACHE_DIR": "", "GT_QUIET": "1", "GT_AUTO_COMPILE": "1",
             "GT_COMPILE_SYNC": "1", "GT_THREADS": "1", "GT_DUMP": "dump"})
    assert done.returncode == 0, done.stderr
    files = list((pathlib.Path(folder) / "dump").iterdir())
    texts = {"explain": tidy(done.stdout)}
    for f in files:
        name = f.name.partition(".")[2]
        if name == "0.gts":
            texts["stream"] = f.read_text()
        elif re.fullmatch(r"[0-9a-f]{12}\.txt", name):
            texts["region"] = max(texts.get("region", ""), f.read_text(), key=len)
        else:
            texts[name] = f.read_text()
    return texts


def tidy(text):
    """explain's lines without what is another one every time."""
    text = re.sub(r"\S*step\.py:(\d+) <module>", r"step.py:\1", text)
    text = re.sub(r"\S*gt/(\w+)/(\w+)\.py:(\d+) \w+", r"gt/\1/\2.py", text)
    return "".join(line + "\n" for line in text.splitlines() if "of the executor" not in line)


def quote(texts, what, lines, start):
    """So many lines of a text, from the last one that begins so."""
    if what in ("ir", "assembly"):
        kernel = re.search(r"`(\w+_[0-9a-f]{8})`", PAGE)[1]
        text = texts.get(kernel + (".ll" if what == "ir" else ".s"), "")
    else:
        text = texts[what]
    all_lines = text.splitlines()
    found = [k for k, line in enumerate(all_lines) if line.startswith(start)]
    return "".join(line + "\n" for line in all_lines[found[-1]:][:lines]) if found else None


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    return run(tmp_path_factory.mktemp("one-step"))


def test_it_is_the_page_about_a_step():
    whats = [what for what, _, _, _ in BLOCK.findall(PAGE)]
    assert {"stream", "region", "explain", "ir", "assembly"} <= set(whats)
    assert PAGE.count("```") == 2 * len(whats) + 2 + 2 * PAGE.count("```sh")


def core(block):
    """Without the remarks on where values lie and what a kernel might cost: the operations, their
    wiring, and what is a kernel with what."""
    lines = (line.partition("    # ")[0] for line in block.splitlines())
    return [re.sub(r"\d+ bytes", "bytes", line) for line in lines if "launches saved" not in line]


def test_blocks(texts):
    if "region" not in texts:
        pytest.fail("the step was not compiled") if any(k.endswith(".ll") for k in texts) else None
        texts = {**texts, "region": ""}      # no code generator
    for what, lines, start, block in BLOCK.findall(PAGE):
        if what in SAME_EVERYWHERE and texts[what]:
            assert core(quote(texts, what, int(lines), start)) == core(block), (what, start)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        made = run(folder)

    def renew(found):
        what, lines, start, _ = found.groups()
        block = quote(made, what, int(lines), start)
        assert block, (what, start, sorted(made))
        return f'<!-- {what}: {lines} lines from "{start}" -->\n\n```\n{block}```'

    PATH.write_text(BLOCK.sub(renew, PAGE))
