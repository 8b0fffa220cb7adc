"""Exchange by DLPack, with NumPy on the other side."""

import numpy as np
import pytest

import gt
from shapes import DTYPES, SHAPES, check, numbers


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_both_ways(dtype, shape):
    a = numbers(shape, dtype)
    x = gt.from_dlpack(a)
    check(x, a)
    assert x.dtype.name == dtype
    b = np.from_dlpack(x)
    check(x, b)
    assert b.dtype == a.dtype and (a.size == 0 or not b.flags.writeable)


def test_layouts():
    a = numbers((4, 6))
    for b in (
        a.T,
        a[::2, ::3],
        a[::-1],
        np.asfortranarray(a),
        np.broadcast_to(a[0], (3, 6)),
        a[1:1],
    ):
        check(gt.from_dlpack(b), b)
    x = gt.tensor(a).T[::2]
    check(x, np.from_dlpack(x))


def test_gt_to_gt_and_copies():
    x = gt.arange(5)
    y = gt.from_dlpack(x)
    y += 1
    assert x.tolist() == [0, 1, 2, 3, 4] and y.tolist() == [1, 2, 3, 4, 5]
    assert x.__dlpack_device__() == (1, 0)
    assert '"dltensor"' in repr(x.__dlpack__()), "consumers of old get a copy without a version"
    assert '"dltensor_versioned"' in repr(x.__dlpack__(max_version=(1, 0)))
    copy = gt.from_dlpack(x.__dlpack__(copy=True, max_version=(1, 1)))
    assert copy.tolist() == x.tolist()


def test_elements_outlive_the_tensor():
    a = np.from_dlpack(gt.arange(1000))
    gt.randn(1000).sum().item()
    assert a.sum() == 499500


def test_a_capsule_is_used_once():
    capsule = gt.ones(2).__dlpack__()
    assert gt.from_dlpack(capsule).tolist() == [1, 1]
    with pytest.raises(ValueError):
        gt.from_dlpack(capsule)
    del capsule
    for _ in range(100):
        gt.ones(2).__dlpack__(max_version=(1, 0))


def test_mistakes():
    with pytest.raises(gt.DtypeError, match="8 bits"):
        gt.from_dlpack(np.zeros(2, np.int8))
    with pytest.raises(gt.LimitError, match="9 dims"):
        gt.from_dlpack(np.zeros((1,) * 9))
    with pytest.raises(MemoryError):
        gt.from_dlpack(np.broadcast_to(np.zeros(1), (1 << 47,)))
    with pytest.raises(AttributeError):
        gt.from_dlpack([1])
