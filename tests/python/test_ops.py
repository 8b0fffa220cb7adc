"""Every function of the op table against NumPy, over dtypes, shapes and layouts.

The table itself is walked: a row without a reference below is a failure.
"""

import importlib.util
import itertools
import math
import pathlib
import warnings

import numpy as np
import pytest

import gt
from shapes import DTYPES, FLOATS, SHAPES, check, numbers, views

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("gen_ops", ROOT / "scripts" / "gen_ops.py")
gen_ops = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(gen_ops)
ROWS = [r for r in gen_ops.read_rows() if r["call"] != "NONE"]

erf = np.vectorize(math.erf, otypes=[float])
erfc = np.vectorize(math.erfc, otypes=[float])


def wide(f):
    """Computed in float64, so that the reference is better than what is tested."""
    return lambda a, *args, **names: f(np.asarray(a, np.float64), *args, **names)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


# name: reference, lowest, highest input
UNARY = {
    "neg": (np.negative, -3, 3),
    "abs": (np.abs, -3, 3),
    "sign": (np.sign, -3, 3),
    "square": (np.square, -3, 3),
    "reciprocal": (wide(np.reciprocal), 0.1, 3),
    "sqrt": (wide(np.sqrt), 0, 9),
    "rsqrt": (wide(lambda a: 1 / np.sqrt(a)), 0.1, 9),
    "exp": (wide(np.exp), -9, 9),
    "expm1": (wide(np.expm1), -2, 2),
    "log": (wide(np.log), 0.01, 99),
    "log1p": (wide(np.log1p), -0.9, 9),
    "sin": (wide(np.sin), -9, 9),
    "cos": (wide(np.cos), -9, 9),
    "tanh": (wide(np.tanh), -3, 3),
    "sigmoid": (wide(sigmoid), -9, 9),
    "relu": (lambda a: np.maximum(a, 0).astype(a.dtype), -3, 3),
    "gelu": (wide(lambda a: a * erfc(-a / math.sqrt(2)) / 2), -3, 3),
    "silu": (wide(lambda a: a * sigmoid(a)), -3, 3),
    "erf": (wide(erf), -3, 3),
    "softplus": (wide(lambda a: np.logaddexp(a, 0)), -9, 9),
    "floor": (np.floor, -3, 3),
    "ceil": (np.ceil, -3, 3),
    "round": (np.round, -3, 3),
    "isnan": (np.isnan, -3, 3),
    "isfinite": (np.isfinite, -3, 3),
    "not": (np.invert, -3, 3),
    "clone": (np.copy, -3, 3),
}
BINARY = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.true_divide,
    "floordiv": np.floor_divide,
    "mod": np.mod,
    "pow": np.power,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}
REDUCE = {
    "sum": np.sum,
    "prod": np.prod,
    "max": np.max,
    "min": np.min,
    "any": np.any,
    "all": np.all,
    "argmax": np.argmax,
    "argmin": np.argmin,
    "mean": np.mean,
    "logsumexp": lambda a, axis=None, keepdims=False: np.logaddexp.reduce(
        a, axis=axis, keepdims=keepdims
    ),
}


def softmax(a, axis):
    e = np.exp(a - a.max(axis, keepdims=True)) if a.size else a
    return e / e.sum(axis, keepdims=True)


AXIS = {"softmax": softmax, "log_softmax": lambda a, axis: np.log(softmax(a, axis))}
TERNARY = {"where": np.where, "clamp": np.clip}
REFERENCES = {"UNARY": UNARY, "BINARY": BINARY, "REDUCE": REDUCE, "AXIS": AXIS, "TERNARY": TERNARY}


def takes(row, dtype):
    return {"f": "f", "i": "i", "b": "b"}[dtype[0]] in row["types_in"] or row[
        "types_out"
    ] == "float"


def rows(form):
    return pytest.mark.parametrize(
        "row", [r for r in ROWS if r["call"] == form], ids=lambda r: r["name"]
    )


def function(row):
    return getattr(gt, gen_ops.python_name(row))


def test_every_row_has_a_reference():
    assert {(r["call"], r["name"]) for r in ROWS} == {
        (f, name) for f, t in REFERENCES.items() for name in t
    }


def test_every_row_is_a_function_and_a_method():
    for row in ROWS:
        name = gen_ops.python_name(row)
        assert callable(getattr(gt, name)) and callable(getattr(gt.Tensor, name)), name


@rows("UNARY")
def test_unary(row):
    reference, low, high = UNARY[row["name"]]
    method = getattr(gt.Tensor, gen_ops.python_name(row))
    for dtype, shape in itertools.product(DTYPES, SHAPES):
        if not takes(row, dtype):
            with pytest.raises(gt.DtypeError, match=row["name"]):
                method(gt.ones(2, dtype=dtype))
            continue
        low_ = max(low, 1) if low > 0 and dtype.startswith("int") else low
        for name, a, x in views(shape, dtype, low=low_, high=high):
            if dtype == "bool" and row["types_out"] == "float":
                a = a.astype(np.float32)
            with np.errstate(all="ignore"):
                check(
                    method(x),
                    reference(a),
                    3e-6 if dtype != "float64" else 1e-12,
                    f"{dtype} {shape} {name}",
                )
            check(function(row)(x), method(x).numpy())


def test_special_values():
    inf, nan = float("inf"), float("nan")
    x = gt.tensor([inf, -inf, nan, 0.0, -0.0])
    assert str(gt.exp(x).tolist()) == str([inf, 0.0, nan, 1.0, 1.0])
    assert str(gt.tanh(x).tolist()) == str([1.0, -1.0, nan, 0.0, -0.0])
    assert str(gt.relu(x).tolist()[:3]) == str([inf, 0.0, nan])
    assert str(gt.sqrt(x).tolist()[:1]) == str([inf]) and math.isnan(gt.sqrt(x)[1].item())
    assert gt.isnan(x).tolist() == [False, False, True, False, False]
    assert gt.isfinite(x).tolist() == [False, False, False, True, True]
    assert (
        math.isnan(gt.maximum(x, 1.0)[2].item())
        and math.isnan(x.max().item())
        and math.isnan(x.sum().item())
    )


PAIRS = [
    ((3, 4), (3, 4)),
    ((3, 4), (4,)),
    ((3, 1), (1, 4)),
    ((), (3, 2)),
    ((2, 1, 3), (4, 1)),
    ((0, 3), (3,)),
    ((1,), (0,)),
    ((2, 0, 3), (1, 1, 3)),
    ((65, 40), (65, 1)),
    ((1, 1, 1), (7,)),
]


@rows("BINARY")
def test_binary(row):
    name, reference = row["name"], BINARY[row["name"]]
    for dtype, (s, t) in itertools.product(DTYPES, PAIRS):
        if not takes(row, dtype):
            continue
        a, b = numbers(s, dtype, seed=1), numbers(t, dtype, seed=2)
        if name in ("floordiv", "mod", "div") and dtype != "bool":
            b = np.where(np.abs(b) < 0.5, 1, b).astype(dtype)
        if name == "pow":
            a, b = (np.abs(a), b) if dtype in FLOATS else (a, np.abs(b) % 4)
        if dtype == "bool" and name in ("sub",):
            continue
        with np.errstate(all="ignore"):
            expected = reference(a, b)
        if name == "floordiv" and dtype == "float32":
            expected = np.floor(a.astype(np.float64) / b.astype(np.float64))
        check(
            function(row)(gt.tensor(a), gt.tensor(b)),
            expected,
            3e-6 if dtype != "float64" else 1e-12,
            f"{dtype} {s} {t}",
        )


@rows("BINARY")
def test_binary_layouts(row):
    name, dtype = row["name"], "int64" if "i" in row["types_in"] else "float32"
    for (layout, a, x), (_, b, y) in itertools.product(
        views((4, 6), dtype, low=1, high=3), views((4, 6), dtype, low=1)
    ):
        if a.shape != b.shape:
            continue
        b = np.where(b == 0, 1, np.abs(b))
        check(
            function(row)(x, gt.where(y == 0, 1, y.abs())),
            BINARY[name](a, b),
            3e-6,
            f"{name} {layout}",
        )


@rows("BINARY")
def test_binary_with_numbers(row):
    if "i" not in row["types_in"]:
        x, n = gt.tensor([1.5, 2.5]), 2.0
    else:
        x, n = gt.tensor([1, 2, 3]), 2
    f, reference = function(row), BINARY[row["name"]]
    check(f(x, n), reference(x.numpy(), n))
    check(f(n, x), reference(n, x.numpy()))
    check(f(n, n), reference(n, n))
    check(f(x, x.tolist()), reference(x.numpy(), x.numpy()))
    check(f(x.numpy(), x), reference(x.numpy(), x.numpy()))


def axes_of(shape):
    return [None, *range(-len(shape), len(shape)), *itertools.combinations(range(len(shape)), 2)]


@rows("REDUCE")
def test_reduce(row):
    name, reference = row["name"], REDUCE[row["name"]]
    index = name.startswith("arg")
    for dtype, shape in itertools.product(DTYPES, SHAPES):
        if not takes(row, dtype):
            continue
        for layout, a, x in views(shape, dtype):
            for axis, keep in itertools.product(axes_of(a.shape), (False, True)):
                some = index and isinstance(axis, tuple) and len(axis) < a.ndim
                if index and isinstance(axis, tuple) and not some:
                    axis = None
                extent = (
                    a.size if axis is None else np.prod([a.shape[k] for k in np.atleast_1d(axis)])
                )
                if row["shape"] == "reduce_nonempty" and extent == 0 or some:
                    with pytest.raises(gt.GTError, match=name):
                        function(row)(x, axis=axis)
                    continue
                b = (
                    a.astype(np.int64)
                    if name in ("sum", "prod") and dtype in ("bool", "int32")
                    else a
                )
                b = (
                    a.astype(np.float64)
                    if dtype == "float32" and name in ("sum", "prod", "mean", "logsumexp")
                    else b
                )
                with warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore")
                    expected = reference(b, axis=axis, keepdims=keep)
                got = function(row)(x, axis=axis, keepdims=keep)
                if name in ("max", "min") and isinstance(axis, int):
                    check(got.indices, reference_index(name, a, axis, keep))
                    got = got.values
                check(
                    got,
                    expected,
                    2e-5 if dtype == "float32" else 1e-12,
                    f"{name} {dtype} {shape} {layout} {axis}",
                )


def reference_index(name, a, axis, keep):
    return (np.argmax if name == "max" else np.argmin)(a, axis=axis, keepdims=keep)


@rows("AXIS")
def test_axis(row):
    for dtype, shape in itertools.product(FLOATS, SHAPES[1:]):
        for layout, a, x in views(shape, dtype):
            for axis in range(-a.ndim, a.ndim):
                with np.errstate(all="ignore"):
                    expected = AXIS[row["name"]](a.astype(np.float64), axis)
                check(function(row)(x, axis), expected, 3e-6, f"{dtype} {shape} {layout} {axis}")
                check(function(row)(x, dim=axis), expected, 3e-6)


def test_where():
    for dtype, (s, t) in itertools.product(DTYPES, PAIRS):
        a, b = numbers(s, dtype, seed=1), numbers(t, dtype, seed=2)
        c = numbers(np.broadcast_shapes(s, t), "bool", seed=3)
        check(gt.where(gt.tensor(c), gt.tensor(a), gt.tensor(b)), np.where(c, a, b))
    x = gt.tensor([1.0, -2.0])
    assert gt.where(x > 0, x, 0).tolist() == [1.0, 0.0]
    assert gt.where(x > 0, 1.0, 2.0).tolist() == [1.0, 2.0]
    assert x.where(x > 0, -1).tolist() == [1.0, -1.0]


def test_clamp():
    for dtype, shape in itertools.product(("float32", "float64", "int32", "int64"), SHAPES):
        for layout, a, x in views(shape, dtype):
            check(x.clamp(-1, 1), np.clip(a, -1, 1), text=f"{dtype} {shape} {layout}")
            check(x.clamp(min=0), np.clip(a, 0, None))
            check(gt.clamp(x, max=0), np.clip(a, None, 0))
    assert gt.arange(5).clip(gt.tensor(1), gt.tensor([3, 3, 3, 2, 2])).tolist() == [1, 1, 2, 2, 2]
    with pytest.raises(gt.GTError, match="clamp"):
        gt.ones(2).clamp()


def test_python_operators():
    a, b = numbers((3, 4), low=1), numbers((3, 4), low=1, seed=2)
    x, y = gt.tensor(a), gt.tensor(b)
    check(x + y, a + b)
    check(x - y, a - b)
    check(x * y, a * b)
    check(x / y, a / b)
    check(x // y, a // b, 1e-5)
    check(x % y, a % b, 1e-5)
    check(x**y, a**b, 1e-5)
    check(1 + x, 1 + a)
    check(1 - x, 1 - a)
    check(2 * x, 2 * a)
    check(1 / x, 1 / a)
    check(2**x, 2**a, 1e-5)
    check(7 // x, 7 // a)
    check(7 % x, 7 % a, 1e-5)
    check(-x, -a)
    check(+x, a)
    check(abs(-x), a)
    check(x < y, a < b)
    check(x <= y, a <= b)
    check(x == y, a == b)
    check(x != y, a != b)
    check(2 > x, 2 > a)
    m, n = a > b, a < 2
    p, q = gt.tensor(m), gt.tensor(n)
    check(p & q, m & n)
    check(p | q, m | n)
    check(p ^ q, m ^ n)
    check(~p, ~m)
    check(p & True, m & True)
    for op in ("+=", "-=", "*=", "/=", "//=", "%=", "**="):
        names = {"x": gt.tensor(a), "a": a.copy(), "y": y, "b": b}
        exec(f"x {op} y; a {op} b", names)
        check(names["x"], names["a"], 1e-5, op)


def test_division_of_integers():
    a, b = np.array([7, -7, 7, -7]), np.array([2, 2, -2, -2])
    x, y = gt.tensor(a), gt.tensor(b)
    check(x // y, a // b)
    check(x % y, a % b)
    check(x / y, (a / b).astype(np.float32))
    with pytest.raises(ZeroDivisionError, match="floordiv"):
        (x // gt.tensor([1, 0, 1, 1])).tolist()
    with pytest.raises(gt.errors.ZeroDivisionError, match="mod"):
        (x % 0).tolist()


def test_powers():
    x = gt.tensor([0.25, 1.0, 4.0])
    a = x.numpy()
    for p in (2, 3, 0.5, -1, 1, 0, -0.5, 2.5):
        check(x**p, a**p, text=str(p))
    assert (gt.tensor([2, 3]) ** 2).tolist() == [4, 9]
    with pytest.raises(ValueError, match="pow"):
        gt.tensor([2, 3]) ** -1


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize(
    "a,b",
    [
        ((3, 4), (4, 5)),
        ((4,), (4,)),
        ((4,), (4, 5)),
        ((3, 4), (4,)),
        ((2, 3, 4), (4, 5)),
        ((2, 3, 4), (2, 4, 5)),
        ((5, 1, 3, 4), (2, 4, 2)),
        ((2, 3, 4), (4,)),
        ((4,), (2, 4, 5)),
        ((0, 4), (4, 5)),
        ((3, 0), (0, 5)),
        ((2, 0, 4), (4, 3)),
        ((130, 70), (70, 90)),
        ((1, 1), (1, 1)),
        ((200, 3), (3, 1)),
    ],
)
def test_matmul(a, b, dtype):
    p, q = numbers(a, dtype, seed=1), numbers(b, dtype, seed=2)
    expected = p.astype(np.float64) @ q.astype(np.float64) if dtype == "float32" else p @ q
    x, y = gt.tensor(p), gt.tensor(q)
    check(x @ y, expected, 1e-4 if dtype == "float32" else 1e-12)
    check(gt.matmul(x, y), (x @ y).numpy())
    if p.ndim > 1 and q.ndim > 1:
        turned = gt.tensor(np.ascontiguousarray(np.swapaxes(p, -1, -2))).mT
        check(turned @ y, expected, 1e-4)
        stepped = gt.tensor(np.repeat(q, 2, -1))[..., ::2]
        check(x @ stepped, expected, 1e-4)


def test_products():
    x, y = gt.tensor([1.0, 2.0]), gt.tensor([3.0, 4.0])
    assert gt.dot(x, y).item() == 11
    assert gt.outer(x, y).tolist() == [[3.0, 4.0], [6.0, 8.0]]
    assert gt.mm(gt.eye(2), gt.eye(2)).tolist() == [[1, 0], [0, 1]]
    assert gt.bmm(gt.ones(2, 1, 3), gt.ones(2, 3, 1)).tolist() == [[[3.0]], [[3.0]]]
    assert gt.mv(gt.eye(2), y).tolist() == [3.0, 4.0]
    assert ([[1.0, 0.0]] @ gt.eye(2)).tolist() == [[1.0, 0.0]]
    for bad in (lambda: gt.mm(x, y), lambda: gt.dot(gt.eye(2), y), lambda: gt.outer(gt.eye(2), y)):
        with pytest.raises(gt.ShapeError):
            bad()
    with pytest.raises(TypeError):
        x @ 2


def test_var_and_std():
    for dtype, shape in itertools.product(FLOATS, [(5,), (3, 4), (2, 3, 4)]):
        for layout, a, x in views(shape, dtype):
            for axis, n in itertools.product(axes_of(a.shape), (0, 1)):
                if a.shape and min(a.shape) < 2:
                    continue
                check(x.var(axis, correction=n), a.astype(float).var(axis, ddof=n), 1e-5)
                check(
                    x.std(axis, ddof=n, keepdims=True),
                    a.astype(float).std(axis, ddof=n, keepdims=True),
                    1e-5,
                )
    x = gt.tensor([1.0, 2.0, 4.0])
    assert x.var(False).item() == pytest.approx(x.numpy().var())
    assert x.var(0, True).item() == pytest.approx(x.numpy().var(ddof=1))
    assert x.var(unbiased=False).item() == pytest.approx(x.numpy().var())


def test_shapes():
    a = numbers((2, 3, 4))
    x = gt.tensor(a)
    check(x.reshape(6, 4), a.reshape(6, 4))
    check(x.reshape((-1, 2)), a.reshape(-1, 2))
    check(x.view(24), a.ravel())
    check(x.permute(2, 0, 1), a.transpose(2, 0, 1))
    check(x.permute((0, 2, 1)), a.transpose(0, 2, 1))
    check(x.transpose(0, 2), a.swapaxes(0, 2))
    check(x.T, a.T)
    check(x.mT, a.swapaxes(1, 2))
    check(x.unsqueeze(1), a[:, None])
    check(x.unsqueeze(-1), a[..., None])
    check(gt.ones(1, 2, 1).squeeze(), np.ones(2))
    check(gt.ones(1, 2, 1).squeeze(0), np.ones((2, 1)))
    check(gt.ones(1, 2, 1).squeeze((0, 2)), np.ones(2))
    check(gt.ones(1, 2, 1).squeeze(1), np.ones((1, 2, 1)))
    check(gt.ones(2, 1).expand(2, 3), np.ones((2, 3)))
    check(gt.ones(2, 1).expand(4, -1, 3), np.ones((4, 2, 3)))
    check(x.flatten(), a.ravel())
    check(x.flatten(1), a.reshape(2, 12))
    check(x.flatten(0, 1), a.reshape(6, 4))
    check(x.flip(0), a[::-1])
    check(x.flip(0, 2), a[::-1, :, ::-1])
    check(x.flip((1,)), a[:, ::-1])
    check(gt.cat([x, x], 1), np.concatenate([a, a], 1))
    check(gt.cat((x, x), dim=-1), np.concatenate([a, a], -1))
    check(gt.stack([x, x], 1), np.stack([a, a], 1))
    check(gt.concatenate([x]), a)
    check(x[0].tril(), np.tril(a[0]))
    check(x.triu(1), np.triu(a, 1))
    check(gt.tril(x[0], diagonal=-1), np.tril(a[0], -1))
    check(x[0].t(), a[0].T)
    check(x.swapaxes(0, 1), a.swapaxes(0, 1))
    check(gt.broadcast_to(x[0], (5, 3, 4)), np.broadcast_to(a[0], (5, 3, 4)))
    check(x.expand_as(gt.ones(2, 3, 4)), a)
    check(x.view_as(gt.ones(24)), a.ravel())
    many = [gt.full((1,), k) for k in range(150)]
    assert gt.cat(many).tolist() == list(range(150))
    assert gt.cat([gt.ones(1, dtype=gt.int64), gt.ones(1)]).dtype is gt.float32


def test_pieces():
    x = gt.arange(10)
    assert [p.tolist() for p in x.split(4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert [p.tolist() for p in x.split([3, 0, 7])] == [[0, 1, 2], [], [3, 4, 5, 6, 7, 8, 9]]
    assert [p.tolist() for p in x.chunk(4)] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    assert [p.shape for p in gt.zeros(3, 0).split(2, 1)] == [(3, 0)]
    assert [p.tolist() for p in x.reshape(2, 5).unbind()] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert len(x.reshape(2, 5).unbind(1)) == 5 and len(gt.zeros(0, 3).unbind()) == 0
    assert [p.shape for p in x.reshape(2, 5).split(2, dim=1)] == [(2, 2), (2, 2), (2, 1)]
    for bad in (
        lambda: x.split(0),
        lambda: x.split([3, 3]),
        lambda: x.split([11, -1]),
        lambda: x.chunk(0),
        lambda: x.split(2, 3),
        lambda: gt.cat([]),
        lambda: gt.stack([gt.ones(2), gt.ones(3)]),
    ):
        with pytest.raises(gt.GTError):
            bad()


def test_sugar():
    a = numbers((3, 4))
    x = gt.tensor(a)
    check(x.repeat(2, 3), np.tile(a, (2, 3)))
    check(x.repeat((2, 1, 2)), np.tile(a, (2, 1, 2)))
    check(x.repeat(0, 1), np.tile(a, (0, 1)))
    check(gt.ones(1, 1, 1, 1, 1).repeat(2, 1, 1, 1, 3), np.ones((2, 1, 1, 1, 3)))
    check(x.roll(1), np.roll(a, 1))
    check(x.roll(-2, 1), np.roll(a, -2, 1))
    check(x.roll((1, 5), (0, 1)), np.roll(a, (1, 5), (0, 1)))
    i = np.argsort(a, 1)
    check(gt.take_along_axis(x, gt.tensor(i), 1), np.take_along_axis(a, i, 1))
    check(gt.take_along_axis(x, gt.tensor(i[:1]), 0 + 1), np.take_along_axis(a, i[:1], 1))
    check(x.norm(), np.linalg.norm(a))
    check(x.norm(1, 0), np.abs(a).sum(0))
    check(x.norm(3), (np.abs(a) ** 3).sum() ** (1 / 3))
    check(x.norm(float("inf")), np.abs(a).max())
    check(x.norm(0), np.float32(12))
    check(x.norm(dim=1, keepdim=True), np.linalg.norm(a, axis=1, keepdims=True))
    check(gt.leaky_relu(x), np.where(a > 0, a, a * np.float32(0.01)))
    assert (
        gt.allclose(x, x + 1e-9)
        and not gt.allclose(x, x + 1)
        and gt.equal(x, x)
        and not x.equal(x.T)
    )
    p, q = gt.tensor([0, 1, 2]), gt.tensor([0, 0, 3])
    assert gt.logical_and(p, q).tolist() == [False, False, True] and gt.logical_or(
        p, q
    ).tolist() == [False, True, True]
    assert gt.logical_xor(p, q).tolist() == [False, True, False] and gt.logical_not(p).tolist() == [
        True,
        False,
        False,
    ]
    assert (
        gt.negative(p).tolist() == [0, -1, -2]
        and p.multiply(2).tolist() == [0, 2, 4]
        and gt.asarray(p) is p
    )
    assert (
        p.masked_fill(p > 1, 9).tolist() == [0, 1, 9]
        and p.masked_fill(p > 1, 2.9).dtype is gt.int64
    )
    p.masked_fill_(p > 1, 7)
    assert p.tolist() == [0, 1, 7]


def test_index_functions():
    a = numbers((4, 5))
    x = gt.tensor(a)
    i = gt.tensor([[0, 1, 2, 3, 0], [1, 1, 1, 1, -1]])
    check(x.gather(0, i), np.take_along_axis(a, i.numpy() % 4, 0))
    check(gt.index_select(x, 1, gt.tensor([3, 0])), a[:, [3, 0]])
    check(x.index_select(0, [1, 1]), a[[1, 1]])
    expected = a.copy()
    np.add.at(expected, ([0, 0, 1], [1, 1, 2]), 1)
    check(
        gt.zeros(4, 5).scatter_add(0, gt.tensor([[0, 1]]), gt.ones(1, 2)),
        np.eye(4, 5)[:, :5] * [1, 1, 0, 0, 0],
    )
    y = x.clone()
    y.scatter_add_(1, gt.tensor([[0, 0], [1, 1]]), gt.ones(2, 2))
    check(y[:2] - x[:2], np.array([[2, 0, 0, 0, 0], [0, 2, 0, 0, 0]], np.float32), 1e-5)
    check(gt.embedding(gt.tensor([[0, 3], [1, 1]]), x), a[[[0, 3], [1, 1]]])
    assert gt.one_hot(gt.tensor([0, 2]), 3).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert gt.one_hot(gt.tensor([0, 2])).shape == (2, 3)


def test_reductions_take_a_dtype():
    x = gt.ones(3, dtype=gt.int32)
    assert x.sum(dtype=gt.float64).dtype is gt.float64 and gt.mean(x, dtype="float32").item() == 1
    assert x.sum().dtype is gt.int64 and (x > 0).sum().item() == 3


def test_max_is_pytorchs():
    x = gt.tensor([[1.0, 5.0, 5.0], [7.0, 0.0, 7.0]])
    values, indices = x.max(dim=1)
    assert values.tolist() == [5, 7] and indices.tolist() == [1, 0] and indices.dtype is gt.int64
    assert x.min(1).values.tolist() == [1, 0] and x.max(1, keepdim=True).values.shape == (2, 1)
    assert x.max().item() == 7 and gt.max(x, gt.tensor(3.0)).min().item() == 3
    assert x.max((0, 1)).item() == 7 and x.amax(1).tolist() == [5, 7] and x.amin().item() == 0


def test_sums_have_the_dtype_asked_for():
    x = gt.ones(2, 3, dtype=gt.int32)
    assert x.sum().dtype == gt.int64 and x.sum(dtype=gt.int32).dtype == gt.int32
    assert x.sum(0, dtype=gt.float64).dtype == gt.float64


def test_tile_with_fewer_sizes():
    assert gt.tile(gt.ones(2, 3), (2,)).shape == (2, 6)
    assert gt.ones(3).tile(2, 2).shape == (2, 6)
