#!/usr/bin/env python3
"""digest.py HEADER DEPFILE NAME...: a C header with one hash over files and folders of files.

What is compiled by one build of GT must not be taken for what another build would make: the hash of
everything that decides about the code is part of the code cache's key.
"""
import hashlib
import pathlib
import sys


def main():
	header, depfile, *names = sys.argv[1:]
	files = sorted(f for name in names for f in
		(pathlib.Path(name).iterdir() if pathlib.Path(name).is_dir() else [pathlib.Path(name)])
		if f.suffix in (".c", ".h", ".def"))
	digest = hashlib.sha256()
	for f in files:
		data = f.read_bytes()
		digest.update(b"%s %d\n" % (f.name.encode(), len(data)) + data)
	pathlib.Path(header).write_text(f'#define GT_DIGEST "{digest.hexdigest()[:32]}"\n')
	pathlib.Path(depfile).write_text(f"{header}: " + " ".join(
		str(f).replace(" ", "\\ ") for f in files) + "\n")


main()
