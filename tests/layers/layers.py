"""layers.py: includes point down only, and a library's headers stay in its own room.

Reads the #include lines of the tree (its root is the only argument). Every room of src/ needs a row
here: a new room begins by saying what it may know.
"""
import re
import sys
from pathlib import Path

ANY = "any room"
# A room may include itself, the public headers and what its row names: rooms, or single files.
KNOWS = {
	"base": [],
	"ir": ["base"],
	"link": ["ir", "base"],
	"client": ["link", "ir", "base"],
	"nn": ["base/mem.h", "base/error.h"],
	"dispatcher": ["link", "ir", "base"],
	"engine": ["ir", "base"],
	"group": ["engine", "ir", "base"],
	"cache": ["codegen/codegen.h", "group", "hotpath", "ir", "base"],
	"codegen": ["cache/image.h", "group", "ir", "base"],
	"hotpath": ["ir", "base"],
	"region": ["hotpath", "group", "engine", "ir", "base"],
	"worker": ["link", "cache", "codegen/codegen.h", "region", "group", "hotpath", "engine", "ir", "base"],
	"embed": [ANY],
	"tools": [ANY],
}
# Outside src/: the extension is made from the op table and otherwise stands on the public API.
OUTSIDE = {"include": [], "python": ["ir/ops.def"], "examples": [], "tests": [ANY], "bench": [ANY]}
# Public headers that the build makes.
GENERATED = ["gt/ops.h"]
# Where the headers of a library may be included: a folder or one file.
LIBRARIES = {
	"cblas.h": "src/engine/", "openblas": "src/engine/", "llvm-c/": "src/codegen/",
	"llvm/": "src/codegen/",
	"mpi.h": "src/comm/", "zmq": "src/link/", "Python.h": "python/", "cmocka.h": "tests/",
	"mpfr.h": "tests/", "xxhash.h": "src/cache/",
}
# The language is data: it opens nothing and starts nothing.
IR_HEADERS = re.compile(r"(pthread|threads|unistd|fcntl|poll|signal)\.h$|^sys/")
IR_CALLS = re.compile(r"\b(fopen|fdopen|popen|fread|fgets|getline|getc|fscanf|fprintf|printf|puts"
	r"|fputs|fwrite|putc|putchar|fflush|perror)\s*\(")
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def files(root):
	for top in ["src", *OUTSIDE]:
		for path in sorted((root / top).rglob("*")):
			if path.suffix in (".c", ".h", ".def"):
				yield path


def allowed(room, knows, name):
	return name.split("/")[0] == room or ANY in knows or any(
		name == known or name.startswith(known + "/") for known in knows)


def check_own(root, name, room, knows):
	"""An include in quotes: a file of src/, outside of it also a neighbour or a generated one."""
	if not (root / "src" / name).is_file():
		if not (room in OUTSIDE and ("/" not in name or (root / room / name).is_file())):
			yield f'"{name}" is no file of src/: quoted includes are named from there'
	elif not allowed(room, knows, name):
		yield f'"{name}": {room} may include {", ".join(knows) or "nothing"} besides itself'


def is_public(root, name):
	return name in GENERATED or (root / "include" / name).is_file()


def check_library(relative, name):
	for prefix, home in LIBRARIES.items():
		if name.startswith(prefix) and not relative.startswith(home):
			yield f"<{name}> belongs into {home} only"


def check_file(root, path):
	relative = path.relative_to(root).as_posix()
	parts = relative.split("/")
	room = parts[1] if parts[0] == "src" else parts[0]
	knows = KNOWS[room] if parts[0] == "src" else OUTSIDE[room]
	text = COMMENT.sub("", path.read_text())
	for own, library in INCLUDE.findall(text):
		if own:
			yield from check_own(root, own, room, knows)
		elif library.startswith("gt/") and not is_public(root, library):
			yield f"<{library}> is no public header"
		yield from check_library(relative, own or library)
		if room == "ir" and IR_HEADERS.search(library):
			yield f"<{library}>: ir does no I/O and starts no threads"
	if room == "ir":
		for call in IR_CALLS.findall(text):
			yield f"{call}(): ir does no I/O"


def violations(root):
	for folder in sorted((root / "src").iterdir()):
		if folder.is_dir() and folder.name not in KNOWS:
			yield f"src/{folder.name}: a room without a row in KNOWS"
	for path in files(root):
		room = path.relative_to(root).parts[1]
		if path.relative_to(root).parts[0] == "src" and room not in KNOWS:
			continue
		for what in check_file(root, path):
			yield f"{path.relative_to(root)}: {what}"


def main():
	root = Path(sys.argv[1])
	found = list(violations(root))
	for line in found:
		print(line)
	count = sum(1 for _ in files(root))
	print(f"{count} files, {len(found)} violations")
	return bool(found) or count == 0


if __name__ == "__main__":
	sys.exit(main())
