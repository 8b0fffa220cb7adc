"""exports.py LIBRARY INCLUDE HEADER,... COMPILER...: libgt exports what its headers declare, only that.

The headers are read after preprocessing, since functions of the op table's rows are declared by
macros. The headers that get installed must be all that there are, and each must compile alone,
with warnings as errors.
"""
import re
import subprocess
import sys
from pathlib import Path

MARK = re.compile(r'__attribute__\s*\(\(visibility\("default"\)\)\)([^;{]*)')


def run(*command, **options):
	return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def exported(library):
	lines = run("nm", "-D", "--defined-only", library).splitlines()
	return {line.split()[-1].split("@")[0] for line in lines}


def declared(headers, include, compiler):
	every = "".join(f"#include <gt/{h.name}>\n" for h in headers)
	text = run(*compiler, "-E", "-P", "-I", include, "-x", "c", "-", input=every)
	return {re.search(r"(\w+)\s*\(", after).group(1) for after in MARK.findall(text)}


def compile_alone(header, include, compiler):
	flags = ["-std=gnu11", "-Wall", "-Wextra", "-Wstrict-prototypes", "-Werror", "-fsyntax-only"]
	run(*compiler, *flags, "-I", include, "-x", "c", "-", input=f"#include <gt/{header.name}>\n")


def main():
	library, include, installed, *compiler = sys.argv[1:]
	headers = sorted(Path(include, "gt").glob("*.h"))
	for header in headers:
		compile_alone(header, include, compiler)
	out, promised = exported(library), declared(headers, include, compiler)
	problems = [f"exported, not gt_*: {n}" for n in sorted(out) if not n.startswith("gt_")]
	problems += [f"not installed, or not there: gt/{n}"
		for n in sorted({h.name for h in headers} ^ set(installed.split(",")))]
	problems += [f"exported, but in no header: {n}" for n in sorted(out - promised)]
	problems += [f"declared GT_API, but not exported: {n}" for n in sorted(promised - out)]
	print("\n".join(problems) or f"{len(out)} functions in {len(headers)} headers")
	return bool(problems) or not out


if __name__ == "__main__":
	sys.exit(main())
