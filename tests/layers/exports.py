"""exports.py LIBRARY INCLUDE,... HEADER,... COMPILER...: what a user of libgt gets.

libgt exports what gt/gt.h declares, and only that; the header is read after preprocessing, since
functions of the op table's rows are declared by macros. The headers that get installed are all that
there are in the first INCLUDE folder. gt/gt.h compiles alone with warnings as errors, as C and,
where the compiler is clang (which needs no C++ library for that), as C++.
"""
import re
import subprocess
import sys
from pathlib import Path

MARK = re.compile(r'__attribute__\s*\(\(visibility\("default"\)\)\)([^;{]*)')


def run(*command, **options):
	done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **options)
	return done.stdout


def exported(library):
	lines = run("nm", "-D", "--defined-only", library).splitlines()
	return {line.split()[-1].split("@")[0] for line in lines}


def preprocessed(compiler):
	return run(*compiler, "-E", "-P", "-x", "c", "-", input="#include <gt/gt.h>\n")


def compile_alone(compiler, language):
	run(*compiler, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", language, "-",
		input="#include <gt/gt.h>\n")


def main():
	library, folders, installed, *compiler = sys.argv[1:]
	folders = folders.split(",")
	compiler += [f"-I{folder}" for folder in folders]
	compile_alone(compiler, "c")
	if "clang" in run(*compiler, "--version"):
		compile_alone(compiler, "c++")

	out = exported(library)
	promised = {re.search(r"(\w+)\s*\(", after).group(1)
		for after in MARK.findall(preprocessed(compiler))}
	headers = {h.name for h in Path(folders[0], "gt").glob("*.h")}
	problems = [f"exported, not gt_*: {n}" for n in sorted(out) if not n.startswith("gt_")]
	problems += [f"exported, but not declared: {n}" for n in sorted(out - promised)]
	problems += [f"declared, but not exported: {n}" for n in sorted(promised - out)]
	problems += [f"not installed, or not there: gt/{n}"
		for n in sorted(headers ^ set(installed.split(",")))]
	print("\n".join(problems) or f"{len(out)} functions")
	return bool(problems) or not out


if __name__ == "__main__":
	sys.exit(main())
