"""Inputs that the operations are tried on: dtypes, shapes, and ways to lie in memory."""

import numpy as np

import gt

DTYPES = {
    "float32": gt.float32,
    "float64": gt.float64,
    "int32": gt.int32,
    "int64": gt.int64,
    "bool": gt.bool,
}
FLOATS = ("float32", "float64")
SHAPES = [(), (0,), (1,), (5,), (3, 4), (2, 0, 3), (1, 1), (2, 3, 4), (70, 33)]

# The same view of an array and of a tensor; each takes an array of any rank.
LAYOUTS = {
    "plain": lambda a: a,
    "transposed": lambda a: a.T,
    "stepped": lambda a: a[..., ::2] if a.ndim else a,
    "offset": lambda a: a[1:] if a.ndim else a,
    "expanded": lambda a: broadcast(a[..., None], (*a.shape, 3)),
}


def broadcast(a, shape):
    return np.broadcast_to(a, shape) if isinstance(a, np.ndarray) else a.expand(shape)


def numbers(shape, dtype="float32", low=-3.0, high=3.0, seed=0):
    """An array of random numbers of a dtype."""
    rng = np.random.default_rng([seed, len(shape), int(np.prod(shape))])
    if dtype == "bool":
        return np.asarray(rng.random(shape) < 0.5)
    values = rng.uniform(low, high, shape)
    return np.asarray(np.round(values * 3) if dtype.startswith("int") else values).astype(dtype)


def views(shape, dtype="float32", **how):
    """Name, array and tensor for every layout."""
    a = numbers(shape, dtype, **how)
    x = gt.tensor(a)
    for name, view in LAYOUTS.items():
        yield name, view(a), view(x)


def check(x, expected, tolerance=None, text=""):
    """A tensor against an array: shape, dtype (of the array, if it has the kind that counts),
    elements."""
    got = np.asarray(x)
    expected = np.asarray(expected)
    assert got.shape == expected.shape, f"{text}: shape {got.shape}, expected {expected.shape}"
    if got.dtype.kind != "f":
        assert (
            got.dtype.kind == expected.dtype.kind
        ), f"{text}: dtype {got.dtype}, expected {expected.dtype}"
        np.testing.assert_array_equal(got, expected, err_msg=text)
        return
    tolerance = tolerance or (2e-6 if got.dtype == np.float32 else 1e-13)
    with np.errstate(over="ignore"):
        expected = expected.astype(got.dtype)
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance, err_msg=text)
