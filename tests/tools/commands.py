"""commands.py GT VERSION: the `gt` command: outputs, exit statuses, proposals for what was mistyped.

Exit statuses are part of the manual: 0 done, 1 it went wrong, 2 the command line was wrong.
"""
import os
import subprocess
import sys

GT, VERSION = sys.argv[1:]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("GT_")}
failures = []


def run(*arguments, stdout=subprocess.PIPE, **settings):
	return subprocess.run([GT, *arguments], text=True, stdout=stdout, stderr=subprocess.PIPE,
		env={**CLEAN, **settings}, timeout=60)


def expect(arguments, status, out=(), err=(), **settings):
	"""Status, and texts that must stand in each output; an output without texts must be empty."""
	done = run(*arguments, **settings)
	problems = [] if done.returncode == status else [f"exit status {done.returncode}, not {status}"]
	for name, text, wanted in ("stdout", done.stdout, out), ("stderr", done.stderr, err):
		problems += [f"{name} lacks {w!r}" for w in wanted if w not in text]
		if text and not wanted:
			problems.append(f"{name} should be empty")
	failures.extend(f"gt {' '.join(arguments)}: {p}\n{done.stdout}{done.stderr}" for p in problems)
	return done.stdout


def main():
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

	expect(["versoin"], 2, err=["unknown command 'versoin' (did you mean 'version'?)", "gt help"])
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
	expect(["flags"], 1, out=["GT_WORKERS       1 "], err=["GT_WORKERS='x': expected"], GT_WORKERS="x")
	expect(["flags"], 0, out=["GT_QUIET"], err=["GT_WORKER is ignored (did you mean GT_WORKERS?)"],
		GT_WORKER="3")

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

	print("\n".join(failures) or "all commands behave")
	return bool(failures)


if __name__ == "__main__":
	sys.exit(main())
