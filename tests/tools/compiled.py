"""compiled.py GT: what GT_DUMP and GT_PERF_MAP write about compiled loops."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

GT = sys.argv[1]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("GT_")}
SETTINGS = {"GT_AUTO_COMPILE": "1", "GT_COMPILE_SYNC": "1", "GT_QUIET": "1", "GT_CACHE_DIR": ""}

STEP = """t%2 = matmul t1, t%0
t%3 = mul t%2, 0.5
t%4 = tanh t%3
t%5 = sum t%4 axes=[0,1]
free t%2
free t%3
free t%4
fetch t%5
free t%5
"""


def run(path, **settings):
	done = subprocess.run([GT, "run", path], text=True, capture_output=True, timeout=60,
		env={**CLEAN, "GT_CACHE_DIR": "", **settings})
	assert done.returncode == 0, done.stderr
	return done.stdout


def loop():
	lines = ["t1 = randn float32 [32,48] seed=1 draw=1\n"]
	for k in range(1, 15):
		lines.append(f"t{k}0 = randn float32 [48,24] seed=1 draw={k}\n")
		lines.append(STEP.replace("%", str(k)) + f"free t{k}0\n")
	return "".join(lines)


def one(folder, pattern):
	(found,) = [f for f in folder.iterdir() if re.fullmatch(pattern, f.name)]
	return found


def check_region(folder):
	"""The region plays by itself, compiled too; the text says what became of it."""
	region = one(folder, r"\d+\.[0-9a-f]{12}\.gts")
	alone = run(region)
	assert alone.startswith("t") and alone == run(region, GT_CHECK="1", **SETTINGS)
	text = one(folder, r"\d+\.[0-9a-f]{12}\.txt").read_text()
	for part in (":5ops)", "%2 = mul %1, float ", "5 ops, ", "  %1 = matmul ", "kernel group 0 (",
			"  %3 = tanh %2", "\n%1 | %2: ", "group 0:\n"):
		assert part in text, (part, text)
	return re.search("group 0 is (.*)", text)[1]


def check_kernel(folder, name):
	ir = one(folder, rf"\d+\.{name}\.ll").read_text()
	assembly = one(folder, rf"\d+\.{name}\.s").read_text()
	assert ir.startswith(f"; {name}\n") and "define void @kernel(ptr" in ir
	assert assembly.startswith(f"# {name}\n") and "kernel:" in assembly and "ret" in assembly


def check_perf_map(folder, name):
	pid = one(folder, r"\d+\.0\.gts").name.partition(".")[0]
	path = pathlib.Path(f"/tmp/perf-{pid}.map")
	lines = path.read_text().splitlines()
	path.unlink()
	assert all(re.fullmatch(r"[0-9a-f]+ [0-9a-f]+ gt_\w+", line) for line in lines), lines
	assert [line.split()[2] for line in lines].count("gt_" + name) == 1, lines


def check_found_by_name(path, folder):
	"""What PATH leads to finds its code generator, and takes none from the current folder."""
	folder.mkdir()
	(folder / "libgt_codegen.so").write_text("no library")
	done = subprocess.run([os.path.basename(GT), "run", path], text=True, capture_output=True, timeout=60,
		cwd=folder, env={**CLEAN, **SETTINGS, "GT_QUIET": "0", "GT_DEBUG_COMPILE": "1",
			"PATH": os.path.dirname(os.path.abspath(GT))})
	assert done.returncode == 0 and "[COMPILE] Compilation complete" in done.stdout, done


with tempfile.TemporaryDirectory() as top:
	folder, path = pathlib.Path(top) / "dump", pathlib.Path(top) / "loop.gts"
	path.write_text(loop())
	eager = run(path)
	assert eager == run(path, GT_DUMP=str(folder), GT_PERF_MAP="1", **SETTINGS)
	if not any(f.suffix == ".txt" for f in folder.iterdir()):
		print("there is no code generator: nothing was compiled")
	else:
		kernel = check_region(folder)
		assert re.fullmatch(r"mul_tanh(_sum)?_[0-9a-f]{8}", kernel), kernel
		check_kernel(folder, kernel)
		check_perf_map(folder, kernel)
		check_found_by_name(path, folder.parent / "elsewhere")
