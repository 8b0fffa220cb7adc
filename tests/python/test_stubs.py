"""The type stubs say what the package has: all names, and the parts made from the op table."""

import ast
import inspect
import pathlib
import re
import subprocess
import sys

import gt
from test_ops import ROOT, gen_ops

PACKAGE = pathlib.Path(gt.__file__).parent
STUB = (ROOT / "python" / "gt" / "_gt.pyi").read_text()
TREE = ast.parse(STUB)


def names_of(body):
    names = set()
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            names.add(node.target.id)
    return names


def public(names):
    return {n for n in names if not n.startswith("_")}


def class_in_stub(name):
    (node,) = (n for n in TREE.body if isinstance(n, ast.ClassDef) and n.name == name)
    return names_of(node.body)


def test_functions():
    assert public(names_of(TREE.body)) - {"ValuesIndices"} == public(dir(gt._gt))


def test_private_functions():
    stubbed = {n for n in names_of(TREE.body) if n.startswith("_") and not n.startswith("__")}
    assert stubbed == {n for n in dir(gt._gt) if n.startswith("_") and not n.startswith("__")}


def test_methods():
    assert public(class_in_stub("Tensor")) == public(dir(gt.Tensor))
    own = {n for n in vars(gt.Tensor) if n.startswith("__")} - {
        "__doc__",
        "__module__",
        "__weakref__",
        "__new__",
        "__getattribute__",
        "__repr__",
    }
    stubbed = {n for n in class_in_stub("Tensor") if n.startswith("__")}
    assert stubbed - {"__buffer__"} == own


def test_dtype():
    assert public(class_in_stub("dtype")) == public(dir(gt.dtype))


def test_parts_made_from_the_op_table():
    made = gen_ops.pyi(gen_ops.read_rows())
    for part in made.split("# methods\n"):
        assert (
            part in STUB
        ), "run scripts/gen_ops.py --pyi and put its output into python/gt/_gt.pyi"


def test_spellings_in_the_stub_are_accepted():
    """Each argument of a stubbed function is in the signature that its documentation shows."""
    for node in TREE.body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        doc = getattr(gt._gt, node.name).__doc__
        shown = set(re.split(r"[^\w]+", doc.split(")\n")[0]))
        args = [
            a.arg
            for a in [*node.args.args, *node.args.kwonlyargs, *filter(None, [node.args.vararg])]
        ]
        assert set(args) <= shown, f"{node.name}: {set(args) - shown} not in {doc}"


def test_errors():
    stub = ast.parse((ROOT / "python" / "gt" / "errors.pyi").read_text())
    classes = {
        n.name: {ast.unparse(b).removeprefix("builtins.") for b in n.bases}
        for n in stub.body
        if isinstance(n, ast.ClassDef)
    }
    runtime = {
        n: {b.__name__ for b in c.__bases__}
        for n, c in gt._gt._errors.items()
        if c is not KeyboardInterrupt
    }
    assert classes == runtime
    listed = next(
        ast.literal_eval(n.value)
        for n in stub.body
        if isinstance(n, ast.Assign) and n.targets[0].id == "__all__"
    )
    assert listed == gt.errors.__all__


def test_everything_public_is_documented():
    for owner in (gt._gt, gt.Tensor, gt.nn, gt.optim, gt.autograd, gt.signal):
        for name in public(dir(owner)):
            thing = getattr(owner, name)
            if callable(thing):
                assert inspect.getdoc(thing), f"{owner.__name__}.{name}"


def test_py_typed_is_installed():
    assert (
        (PACKAGE / "py.typed").exists()
        and (PACKAGE / "_gt.pyi").exists()
        and (PACKAGE / "errors.pyi").exists()
    )


PROGRAM = '''
from typing import assert_type

import gt
from gt import nn
from gt.nn import SGD, Linear, Module

class Net(Module):
    def __init__(self) -> None:
        self.a = Linear(2, 3)

    def forward(self, x: gt.Tensor) -> gt.Tensor:
        return gt.relu(self.a(x))

x = gt.randn(3, 2, dtype=gt.float64, requires_grad=True)
assert_type(x, gt.Tensor)
assert_type(x @ x.T + 1, gt.Tensor)
assert_type(2 - x[0, :, None], gt.Tensor)
assert_type(x.shape, tuple[int, ...])
assert_type(x.size(0), int)
values, indices = x.max(dim=1)
assert_type(values, gt.Tensor)
assert_type(x.max(), gt.Tensor)
assert_type(gt.sum(x, dim=1, keepdim=True), gt.Tensor)
assert_type(x.split(2), tuple[gt.Tensor, ...])
with gt.no_grad():
    x -= 0.1
optimizer = SGD(Net().parameters(), lr=0.1)
optimizer.step()
x.backward()
gt.save({"x": x}, "x.safetensors")
'''

WRONG = '''
import gt
gt.randn("a")
gt.ones(2).sum(axes=1)
gt.ones(2).nothing
gt.zeros(2, dtyp=gt.float32)
'''


def mypy(program, tmp_path):
    path = tmp_path / "program.py"
    path.write_text(program)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--no-error-summary",
            "--cache-dir",
            str(tmp_path / "cache"),
            str(path),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"MYPYPATH": str(ROOT / "python"), "PATH": "/usr/bin"},
    )
    return done.stdout + done.stderr


def test_programs_are_checked(tmp_path):
    assert mypy(PROGRAM, tmp_path) == ""


def test_mistakes_are_found(tmp_path):
    out = mypy(WRONG, tmp_path)
    assert [int(n) for n in re.findall(r"program.py:(\d+): error", out)] == [3, 4, 5, 6], out
