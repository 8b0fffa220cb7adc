"""picture.py GT ROOT: docs/region.svg is what `gt mine --svg` draws."""

import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

GT, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
STREAM = ROOT / "tests" / "differential" / "corpus" / "late_frees.gts"


def mine(*arguments, stream=None):
    return subprocess.run([GT, "mine", *map(str, arguments)], input=stream, capture_output=True,
        text=True, timeout=60)


done = mine("--svg", STREAM)
assert done.returncode == 0, done.stderr
assert done.stdout == (ROOT / "docs" / "region.svg").read_text(), \
    "docs/region.svg is stale: gt mine --svg tests/differential/corpus/late_frees.gts makes it anew"
names = [e.text for e in ElementTree.fromstring(done.stdout).iter() if e.tag.endswith("text")]
assert {"in0", "in1", "%0 matmul", "%7 sub"} <= set(names), names

done = mine("--svg", "-", stream="t1 = full float32 1.0 [2]\n")
assert done.returncode == 1 and not done.stdout and "no loop is hot" in done.stderr, done
assert mine("--svg", "--json", STREAM).returncode == 2
