"""Result dtypes, against tables written down from PyTorch's documentation and behaviour."""

import numpy as np
import pytest

import gt

NAMES = ("bool", "int32", "int64", "float32", "float64")
# Rows and columns in the order of NAMES.
TENSORS = """
bool    int32   int64   float32 float64
int32   int32   int64   float32 float64
int64   int64   int64   float32 float64
float32 float32 float32 float32 float64
float64 float64 float64 float64 float64
"""
# Left: a tensor with dims; right: one without, which counts only where its kind is higher.
WITHOUT_DIMS = """
bool    int32   int64   float32 float64
int32   int32   int32   float32 float64
int64   int64   int64   float32 float64
float32 float32 float32 float32 float32
float64 float64 float64 float64 float64
"""
# Right: True, 2, 2.5
NUMBERS = """
bool    int64   float32
int32   int32   float32
int64   int64   float32
float32 float32 float32
float64 float64 float64
"""


def cells(table, columns):
    for left, row in zip(NAMES, table.split("\n")[1:-1]):
        for right, expected in zip(columns, row.split()):
            yield left, right, expected


def name(x):
    return x.dtype.name


@pytest.mark.parametrize("a,b,expected", list(cells(TENSORS, NAMES)))
def test_tensors(a, b, expected):
    x, y = gt.ones(2, dtype=a), gt.ones(2, dtype=b)
    assert name(x + y) == name(x * y) == name(gt.maximum(x, y)) == expected
    assert name(gt.where(x > 0, x, y)) == name(gt.cat([x, y])) == expected
    assert name(x == y) == "bool"
    assert name(x / y) == (expected if expected.startswith("float") else "float32")
    without = gt.ones((), dtype=a) + gt.ones((), dtype=b)
    assert name(without) == expected


@pytest.mark.parametrize("a,b,expected", list(cells(WITHOUT_DIMS, NAMES)))
def test_tensors_without_dims(a, b, expected):
    assert name(gt.ones(2, dtype=a) + gt.ones((), dtype=b)) == expected
    assert name(gt.ones((), dtype=b) + gt.ones(2, dtype=a)) == expected


@pytest.mark.parametrize("a,b,expected", list(cells(NUMBERS, (True, 2, 2.5))))
def test_numbers(a, b, expected):
    x = gt.ones(2, dtype=a)
    assert name(x + b) == name(b + x) == name(x * b) == expected
    assert name(x + np.asarray(b)[()]) == expected, "NumPy's scalars count as numbers"


@pytest.mark.parametrize("dtype", NAMES)
def test_results(dtype):
    x = gt.ones(3, dtype=dtype)
    is_float = dtype.startswith("float")
    assert name(gt.exp(x)) == (dtype if is_float else "float32")
    assert name(x.sum()) == (dtype if is_float else "int64")
    assert name(x.max()) == dtype
    assert name(x.argmax()) == "int64"
    assert name(x.any()) == name(gt.isnan(x)) == "bool"
    if not is_float:
        for f in (gt.mean, gt.softmax, gt.var):
            with pytest.raises(gt.DtypeError, match=f.__name__):
                f(x)


def test_in_place_keeps_the_dtype():
    x = gt.ones(2, dtype=gt.int64)
    x += 2
    assert x.dtype is gt.int64
    with pytest.raises(gt.DtypeError, match="add"):
        x += 1.5
    x[0] = 7.9
    assert x.tolist() == [7, 3]


@pytest.mark.parametrize(
    "spelling,expected",
    [
        ("float32", "float32"),
        (gt.int64, "int64"),
        (float, "float64"),
        (int, "int64"),
        (bool, "bool"),
        (np.float32, "float32"),
        (np.dtype("int32"), "int32"),
        ("gt.float64", "float64"),
        (gt.double, "float64"),
        (gt.long, "int64"),
        (gt.int, "int32"),
        (gt.float, "float32"),
    ],
)
def test_spellings(spelling, expected):
    assert gt.zeros(1, dtype=spelling).dtype.name == expected
    assert repr(gt.zeros(1, dtype=spelling).dtype) == f"gt.{expected}"


@pytest.mark.parametrize("spelling", ["int8", "floaty", 5, np.complex64, object(), str])
def test_no_dtypes(spelling):
    with pytest.raises(gt.DtypeError, match="float32, float64, int32, int64, bool"):
        gt.zeros(1, dtype=spelling)


def test_casts():
    x = gt.tensor([-1.7, 0.0, 2.5])
    assert x.int().tolist() == x.to(gt.int32).tolist() == x.long().tolist() == [-1, 0, 2]
    assert x.bool().tolist() == [True, False, True]
    assert x.double().dtype is gt.float64 and x.to("float64").dtype is gt.float64
    assert x.to(x.double()).dtype is gt.float64 and x.type_as(x.int()).dtype is gt.int32
    assert (
        x.to("cpu") is x
        and x.to(gt.float32) is x
        and x.float() is x
        and x.astype(float).dtype is gt.float64
    )
    assert x.to("cpu", gt.int64).dtype is gt.int64 and x.to(dtype=gt.bool).dtype is gt.bool
