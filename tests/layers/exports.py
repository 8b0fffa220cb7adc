"""exports.py LIBRARY INCLUDE,... HEADER,... COMPILER...: what a user of libgt gets.

libgt exports what its headers declare, and only that; they are read after preprocessing, since
functions of the op table's rows are declared by macros. The headers that get installed are all that
there are in the first INCLUDE folder. Those that a user includes, which are all but the parts of
gt/gt.h, compile alone with warnings as errors, as C and, where the compiler is clang (which needs
no C++ library for that), as C++.
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


def text_of(headers):
	return "".join(f"#include <gt/{header}>\n" for header in headers)


def parts(compiler):
	"""What including gt/gt.h includes."""
	return set(re.findall(r"/gt/(\w+\.h)", run(*compiler, "-M", "-x", "c", "-",
		input=text_of(["gt.h"]))))


def declared(headers, compiler):
	text = run(*compiler, "-E", "-P", "-x", "c", "-", input=text_of(["gt.h", *headers]))
	return {re.search(r"(\w+)\s*\(", after).group(1) for after in MARK.findall(text)}


def compile_alone(header, compiler, language):
	run(*compiler, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", language, "-",
		input=text_of([header]))


def main():
	library, folders, installed, *compiler = sys.argv[1:]
	folders = folders.split(",")
	compiler += [f"-I{folder}" for folder in folders]
	headers = {h.name for h in Path(folders[0], "gt").glob("*.h")}
	languages = ["c", "c++"] if "clang" in run(*compiler, "--version") else ["c"]
	for header in headers - parts(compiler) | {"gt.h"}:
		for language in languages:
			compile_alone(header, compiler, language)

	out, promised = exported(library), declared(sorted(headers), compiler)
	problems = [f"exported, not gt_*: {n}" for n in sorted(out) if not n.startswith("gt_")]
	problems += [f"exported, but not declared: {n}" for n in sorted(out - promised)]
	problems += [f"declared, but not exported: {n}" for n in sorted(promised - out)]
	problems += [f"not installed, or not there: gt/{n}"
		for n in sorted(headers ^ set(installed.split(",")))]
	print("\n".join(problems) or f"{len(out)} functions in {len(headers)} headers")
	return bool(problems) or not out


if __name__ == "__main__":
	sys.exit(main())
