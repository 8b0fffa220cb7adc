"""commands.py GT VERSION: the `gt` command: outputs, exit statuses, proposals for mistyped names.

Exit statuses are part of the manual: 0 done, 1 it went wrong, 2 the command line was wrong.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

GT, VERSION = sys.argv[1:]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("GT_")}
failures = []

STREAM = """# values of every kind
t1 = upload float32 [2,3] {1, -0, 2.5, inf, nan, 1e-45}
t2 = randn float32 [3,4] seed=0 draw=7
t3 = matmul t1, t2                          @ "train.py":12
t4 = slice t2 first=[0,3] count=[2,2] step=[1,-2]
t5 = upload bool [2] {true, false}
t6 = upload int64 [] {-9223372036854775808}
t7 = upload float64 [0,3] {}
t8 = cast t2 dtype=float64
fetch t1
fetch t2
fetch t4
fetch t5
fetch t6
fetch t7
fetch t8
"""
READ = ["t1 = upload float32 [2,3] {1, -0, 2.5, inf, nan, ", "t4 = upload float32 [2,2] {",
	"t5 = upload bool [2] {true, false}", "t6 = upload int64 [] {-9223372036854775808}",
	"t7 = upload float64 [0,3] {}"]
FAILING = """t1 = full float32 3.0 [2]
t2 = matmul t1, t4 @ "train.py":13
t3 = exp t2
t4 = full float32 1.0 [3]
t5 = exp t99
t6 = matmul t1, t4 @ "train.py":13
fetch t1
fetch t2
fetch t3
fetch t5
t7 = relu t1
fetch t7
"""


def run(*arguments, stdout=subprocess.PIPE, stdin="", **settings):
	return subprocess.run([GT, *arguments], text=True, stdout=stdout, stderr=subprocess.PIPE,
		input=stdin, env={**CLEAN, **settings}, timeout=60)


def expect(arguments, status, out=(), err=(), stdin="", **settings):
	"""Status, and texts that each output must have; an output without texts must be empty."""
	done = run(*arguments, stdin=stdin, **settings)
	problems = []
	if done.returncode != status:
		problems.append(f"exit status {done.returncode}, not {status}")
	for name, text, wanted in ("stdout", done.stdout, out), ("stderr", done.stderr, err):
		problems += [f"{name} lacks {w!r}" for w in wanted if w not in text]
		if text and not wanted:
			problems.append(f"{name} should be empty")
	command = "gt " + " ".join(arguments)
	failures.extend(f"{command}: {p}\n{done.stdout}{done.stderr}" for p in problems)
	return done.stdout


def check_commands():
	listed = expect(["--help"], 0, out=["usage: gt COMMAND", "gt help COMMAND"])
	if not expect(["help"], 0, out=["usage"]) == expect(["-h"], 0, out=["usage"]) == listed:
		failures.append("--help, -h and help differ")
	expect([], 2, err=["usage: gt COMMAND"])

	# Every command that is announced exists and explains itself.
	names = [line.split()[0] for line in listed.splitlines() if line.startswith("  ")]
	if not {"help", "version", "flags", "ops"} <= set(names):
		failures.append(f"commands listed: {names}")
	for name in names:
		text = expect(["help", name], 0, out=[f"usage: gt {name}"])
		if expect([name, "--help"], 0, out=["usage"]) != text:
			failures.append(f"gt {name} --help differs from gt help {name}")

	expect(["versoin"], 2, err=["unknown command 'versoin' (did you mean 'version'?)", "help"])
	expect(["xyzzy"], 2, err=["unknown command 'xyzzy'\n"])
	expect(["help", "op"], 2, err=["unknown command 'op' (did you mean 'ops'?)"])
	expect(["help", "ops", "flags"], 2, err=["usage: gt help"])
	expect(["version", "now"], 2, err=["usage: gt version"])
	expect(["flags", "x"], 2, err=["usage: gt flags"])

	for form in "version", "--version", "-V":
		if expect([form], 0, out=["gt "]) != f"gt {VERSION}\n":
			failures.append(f"gt {form} does not print the version {VERSION}")

	expect(["flags"], 0, out=["GT_WORKERS       1 ", "GT_BACKEND       cpu "])
	expect(["flags"], 0, out=["GT_WORKERS       3 "], GT_WORKERS="3")
	expect(["flags"], 1, out=["GT_WORKERS       1 "], err=["GT_WORKERS='x': expected"],
		GT_WORKERS="x")
	expect(["flags"], 0, out=["GT_QUIET"], GT_WORKER="3",
		err=["GT_WORKER is ignored (did you mean GT_WORKERS?)"])

	table = expect(["ops"], 0, out=["matmul", "relu", "1+"]).splitlines()
	codes = [int(line.split()[1]) for line in table]
	if len(table) < 50 or len(set(codes)) != len(codes):
		failures.append("gt ops: rows missing or a code used twice")
	both = expect(["ops", "relu", "matmul"], 0, out=["relu"]).splitlines()
	if [line.split()[0] for line in both] != ["relu", "matmul"]:
		failures.append(f"gt ops relu matmul printed {both}")
	expect(["ops", "relu", "matmull"], 2, out=["relu"], err=["(did you mean 'matmul'?)"])

	with open("/dev/full", "w") as full:
		done = run("ops", stdout=full)
	if done.returncode != 1 or "No space left" not in done.stderr:
		failures.append(f"a full disk: status {done.returncode}, {done.stderr!r}")


def check_run():
	with tempfile.TemporaryDirectory() as folder:
		path = os.path.join(folder, "stream.gts")
		with open(path, "w") as f:
			f.write(STREAM)
		out = expect(["run", path], 0, out=READ)
		if expect(["run", "-"], 0, out=READ, stdin=STREAM) != out:
			failures.append("gt run - differs from gt run FILE")
		if expect(["run", path], 0, out=READ, GT_BACKEND="reference", GT_ISA="base") != out:
			failures.append("the reference kernels read something else")

		# What is printed is a stream: it makes the values that it shows.
		again = expect(["run", "-"], 0, out=READ, stdin=out + "".join(
			f"fetch {line.split()[0]}\n" for line in out.splitlines()))
		if again != out:
			failures.append(f"run again, the output of gt run gives {again!r}")

		with open(path, "w") as f:
			f.write(FAILING)
		expect(["run", path], 1, out=["t1 = upload float32 [2] {3, 3}", "t7 = upload"],
			err=["gt: train.py:13: t2: matmul: ", "t3: ", f"{path}:5: t5: exp: input t99"])

	many = "".join(f"t{i} = full int64 {i} [1]\nfetch t{i}\nfree t{i}\n"
		for i in range(1, 2001))
	lines = expect(["run", "-"], 0, out=["t2000"], stdin=many).splitlines()
	if lines != [f"t{i} = upload int64 [1] {{{i}}}" for i in range(1, 2001)]:
		failures.append("2,000 reads did not come back in order")

	expect(["run", "-"], 0, stdin="")
	expect(["run", "-"], 0, err=["t1 = full int64 1", "t2 = neg t1"], GT_DEBUG_WORKER="1",
		stdin="t1 = full int64 1 [1]\nt2 = neg t1\n")
	expect(["run", "-"], 0, stdin="# nothing\n\nleave\n")
	expect(["run", "-"], 1, out=["t1 = upload"], err=["gt: standard input:3:6: "],
		stdin="t1 = full float32 1.0 [2]\nfetch t1\nt2 = reluu t1\nfetch t1\n")
	expect(["run", "-"], 1, err=["standard input:1:"], stdin="t1 = upload float32 [2] {1")
	expect(["run", "-"], 1, err=["GT_WORKERS='x': expected"], stdin="leave\n", GT_WORKERS="x")
	expect(["run", "/nowhere/at.gts"], 1, err=["gt: /nowhere/at.gts: No such file"])
	expect(["run", "/"], 1, err=["gt: /: Is a directory"])
	expect(["run"], 2, err=["usage: gt run FILE.gts"])
	expect(["run", "a", "b"], 2, err=["usage: gt run FILE.gts"])


def check_bench():
	text = expect(["bench", "compile", "--iters", "20", "--workload", "mlp train"], 0,
		out=["WORKLOAD: MLP Training Step\nIterations: 20 (warmup: 5)\n", "No Compile",
			"Warmup (first 5 iters):", "Steady state (remaining 15 iters):", "TOTAL TIME:",
			"VERDICT: ", "Break-even point: ", "Waiting for compilation: ", "SUMMARY"])
	if text.count("WORKLOAD") != 1 or "PATTERNS" in text:
		failures.append(f"gt bench compile --workload 'mlp train' printed:\n{text}")
	text = expect(["bench", "compile", "--json", "--iters", "20", "--workload", "simple"], 0,
		out=["break_even"])
	found = json.loads(text)
	if [f["workload"] for f in found] != ["Simple Matmul Chain", "Simple Ops"]:
		failures.append(f"gt bench compile --json has the workloads of {text}")
	for f in found:
		hotpath, launches = f["hotpath"], f["launches"]
		if f["iterations"] != 20 or not hotpath["matches"] or launches["eager"] < 10:
			failures.append(f"gt bench compile --json: {f}")
	expect(["bench", "compile", "--workload", "zzz"], 2, err=["no workload", "Simple Ops"])
	expect(["bench", "compile", "--iters", "5"], 2, err=["--iters 5: expected 6 to"])
	expect(["bench", "compile", "--iters"], 2, err=["usage: gt bench"])
	expect(["bench", "compiel"], 2, err=["unknown benchmark 'compiel' (did you mean 'compile'?)"])
	expect(["bench", "hotpath", "mpl"], 2, err=["unknown program 'mpl' (did you mean 'mlp'?)",
		"programs are mlp deep"])
	expect(["bench"], 2, err=["usage: gt bench"])


def loop_text(steps):
	"""A loop of five operations: w = w - tanh(x * w)'s mean."""
	lines = ["t1 = upload float32 [2,2] {1, 2, 3, 4}"]
	w = 1
	for at in range(10, 10 + 10 * steps, 10):
		lines += [f"t{at} = upload float32 [2,2] {{4, 3, 2, 1}}", f"t{at + 1} = mul t{at}, t{w}",
			f"t{at + 2} = tanh t{at + 1}", f"t{at + 3} = mul t{at + 2}, 0.01",
			f"t{at + 4} = sub t{w}, t{at + 3}", f"free t{w}"]
		lines += [f"free t{at + k}" for k in range(4)]
		w = at + 4
	return "\n".join(lines + [f"fetch t{w}", ""])


def check_prewarm():
	with tempfile.TemporaryDirectory() as folder:
		path = os.path.join(folder, "loop.gts")
		cache = {"GT_CACHE_DIR": os.path.join(folder, "cache")}
		hot = {"GT_AUTO_COMPILE": "1", "GT_HOTPATH_TIER": "2", "GT_COMPILE_SYNC": "1",
			"GT_DEBUG_COMPILE": "1", **cache}
		with open(path, "w") as f:
			f.write(loop_text(60))
		eager = run("run", path).stdout.splitlines()
		made = run("cache", "prewarm", path, **cache)
		if made.returncode:
			expect(["cache", "prewarm", path], 1, err=["no code generator"], **cache)
		else:
			expect(["cache", "prewarm", path], 0, out=["1 loop is kept", "0 files"], **cache)
			expect(["cache", "verify"], 0, out=["entries are sound"], **cache)
			warm = run("run", path, **hot).stdout.splitlines()
			if "Loaded from the cache" not in "".join(warm) or \
					"Compiling sequence" in "".join(warm) or eager[-1] not in warm:
				failures.append(f"a stream that was prewarmed printed {warm}, eagerly {eager}")
			expect(["cache", "prewarm", path, sys.executable, "-O", "train.py"], 0,
				out=["1 loop is kept", "1 file was"], **cache)
			expect(["cache", "ls"], 0, out=["1 loop of " + os.path.realpath(sys.executable) +
				" -O train.py"], **cache)
			expect(["cache", "prewarm", os.path.join(folder, "none")], 1,
				out=["1 loop is", "0 files"], err=["No such file"], **cache)
			expect(["cache", "prewarm", path, "/nowhere"], 1, err=["/nowhere: No such file"],
				**cache)
		expect(["cache", "prewarm"], 2, err=["usage: gt cache"], **cache)
		expect(["cache", "prewarm", path], 1, err=["nothing is kept"], GT_CACHE_DIR="")


def check_explain():
	text = loop_text(30)
	told = expect(["explain", "-"], 0, out=["executed 30 times: HOT PATH", "standard input:",
		"operation by operation (T1)"], stdin=text)
	kernel = re.search(r"^ +(\w+_[0-9a-f]{8}): ", told, re.M)
	full = expect(["explain", "--full", "-"], 0, out=["HOT PATH"], stdin=text)
	if kernel:
		expect(["explain", "--kernel", kernel[1], "-"], 0, out=[kernel[1], "ret"], stdin=text)
		if len(full) <= len(told):
			failures.append("gt explain --full says no more than without")
	expect(["explain", "-"], 0, out=["no operation has been executed"], stdin="# nothing\n")
	expect(["explain", "-"], 0, out=["nothing has been seen"], stdin="t1 = full float32 1.0 [2]\n")
	expect(["explain", "-"], 1, out=["nothing has been seen"], err=["standard input:2"],
		stdin="t1 = full float32 1.0 [2]\nt2\n")
	expect(["explain", "--kernel", "nobody", "-"], 1, out=["there is no kernel called 'nobody'"],
		stdin=text)
	expect(["explain", "/nowhere.gts"], 1, err=["No such file"])
	for wrong in ([], ["a", "b"], ["--kernel", "-"], ["--all", "-"]):
		expect(["explain", *wrong], 2, err=["usage: gt explain"])


def main():
	check_commands()
	check_prewarm()
	check_explain()
	check_run()
	check_bench()
	print("\n".join(failures) or "all commands behave")
	return bool(failures)


if __name__ == "__main__":
	sys.exit(main())
