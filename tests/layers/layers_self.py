"""layers_self.py: the layer test finds what it is there to find, in a small made-up tree."""
import sys
import tempfile
from pathlib import Path

import layers

GOOD = {
	"include/gt/error.h": "#include <stdint.h>\n",
	"src/base/mem.h": "", "src/base/buf.h": "", "src/base/error.h": "#include <gt/error.h>\n",
	"src/ir/ins.h": '#include "base/mem.h"\n#include <stdio.h>\n',
	"src/ir/ops.def": "/* fprintf(stderr) in a comment, #include \"engine/engine.h\" too */\n",
	"src/engine/engine.h": '#include "ir/ins.h"\n#include <cblas.h>\n',
	"src/nn/linear.c": '#include <gt/error.h>\n#include "base/mem.h"\n',
	"src/embed/embed.c": '#include "engine/engine.h"\n',
	"python/ext.c": '#include <Python.h>\n#include "ir/ops.def"\n',
	"tests/check.h": "#include <cmocka.h>\n",
	"tests/ir/test_ins.c": '#include "check.h"\n#include "ir/ins.h"\n',
}
BAD = [
	("src/ir/a.c", '#include "engine/engine.h"\n', "ir may include base"),
	("src/base/a.c", '# include "ir/ins.h"\n', "base may include nothing"),
	("src/client/a.c", '#include "engine/engine.h"\n', "client may include"),
	("src/nn/a.c", '#include "base/buf.h"\n', "nn may include base/mem.h"),
	("src/ir/a.c", '#include "ins.h"\n', "is no file of src/"),
	("src/ir/a.c", "#include <pthread.h>\n", "starts no threads"),
	("src/ir/a.c", "#include <sys/socket.h>\n", "starts no threads"),
	("src/ir/a.c", "void f(void) { fprintf(stderr, 0); }\n", "ir does no I/O"),
	("src/worker/a.c", "#include <cblas.h>\n", "belongs into src/engine/"),
	("src/embed/a.c", "#include <llvm-c/Core.h>\n", "belongs into src/codegen/"),
	("src/embed/a.c", "#include <Python.h>\n", "belongs into python/"),
	("src/embed/a.c", "#include <gt/none.h>\n", "is no public header"),
	("include/gt/a.h", '#include "base/mem.h"\n', "include may include nothing"),
	("examples/a.c", '#include "base/mem.h"\n', "examples may include nothing"),
	("src/newroom/a.c", "", "a room without a row"),
]


def violations(extra):
	with tempfile.TemporaryDirectory() as folder:
		for name, text in {**GOOD, **extra}.items():
			path = Path(folder, name)
			path.parent.mkdir(parents=True, exist_ok=True)
			path.write_text(text)
		return list(layers.violations(Path(folder)))


def main():
	failures = violations({})
	for name, text, expected in BAD:
		found = violations({name: text})
		if len(found) != 1 or expected not in found[0]:
			failures.append(f"{name} with {text!r}: expected '{expected}', got {found}")
	print("\n".join(failures) or f"{len(BAD)} mistakes found")
	return bool(failures)


if __name__ == "__main__":
	sys.exit(main())
