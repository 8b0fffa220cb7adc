"""Making tensors, and reading them as numbers, lists, arrays, buffers."""

import array
import copy
import io
import math
import pickle

import numpy as np
import pytest

import gt
from shapes import DTYPES, SHAPES, check, numbers

# ---- from data -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data,dtype,shape",
    [
        (1, "int64", ()),
        (1.5, "float32", ()),
        (True, "bool", ()),
        ([1, 2], "int64", (2,)),
        ([1, 2.5], "float32", (2,)),
        ([True, 2], "int64", (2,)),
        ([], "float32", (0,)),
        ([[], []], "float32", (2, 0)),
        ([[1], [2]], "int64", (2, 1)),
        ((1, (2, 3)[0]), "int64", (2,)),
        (range(3), "int64", (3,)),
        ([range(2), (3, 4)], "int64", (2, 2)),
        (np.float32(2), "float32", ()),
        (np.int32(2), "int32", ()),
        ([np.float64(1), 2], "float32", (2,)),
        (array.array("d", [1, 2]), "float64", (2,)),
        (memoryview(array.array("i", [1, 2])), "int32", (2,)),
        ([[[True]]], "bool", (1, 1, 1)),
        (np.zeros((2, 3)), "float64", (2, 3)),
        (np.zeros((), bool), "bool", ()),
    ],
)
def test_inference(data, dtype, shape):
    x = gt.tensor(data)
    assert (x.dtype.name, x.shape) == (dtype, shape)
    assert np.array_equal(x.numpy(), np.asarray(data))


def test_given_dtypes():
    assert gt.tensor([1.9, -1.9], dtype=gt.int32).tolist() == [1, -1]
    assert gt.tensor([1, 0], dtype=gt.bool).tolist() == [True, False]
    assert gt.tensor([True, False], dtype=gt.float64).tolist() == [1.0, 0.0]
    assert gt.tensor(np.arange(3, dtype=np.uint8), dtype=gt.float32).tolist() == [0, 1, 2]
    assert gt.tensor(np.arange(3), dtype="float32").dtype is gt.float32
    assert gt.tensor([gt.tensor(1), gt.tensor(2)]).tolist() == [1, 2]
    assert gt.tensor([gt.tensor(1.5), 2]).dtype is gt.float32
    assert gt.tensor([np.arange(2), np.arange(2)]).tolist() == [[0, 1], [0, 1]]


def test_tensor_copies_and_as_tensor_does_not():
    x = gt.ones(2, requires_grad=True)
    y = gt.tensor(x)
    assert not y.requires_grad and y.is_leaf
    with gt.no_grad():
        x += 1
    assert y.tolist() == [1, 1]
    assert gt.as_tensor(x) is x and gt.as_tensor(x, gt.float64).dtype is gt.float64
    a = np.ones(2)
    z = gt.from_numpy(a)
    a += 1
    assert z.tolist() == [1, 1]


@pytest.mark.parametrize("layout", ["C", "F", "reversed", "stepped", "transposed"])
def test_arrays_of_any_layout(layout):
    a = numbers((4, 6))
    b = {
        "C": a,
        "F": np.asfortranarray(a),
        "reversed": a[::-1, ::-1],
        "stepped": a[::2, ::3],
        "transposed": a.T,
    }[layout]
    check(gt.tensor(b), b)


@pytest.mark.parametrize(
    "data,error,text",
    [
        ([[1], [2, 3]], gt.ShapeError, "uneven"),
        ([1, [2]], gt.ShapeError, "uneven"),
        ([[1], 2], gt.ShapeError, "uneven"),
        ("abc", TypeError, "str"),
        (None, TypeError, "NoneType"),
        ([None], TypeError, "NoneType"),
        (["a"], TypeError, "str"),
        ({1: 2}, TypeError, "dict"),
        (1j, TypeError, "complex"),
        ([object()], TypeError, "object"),
        (np.zeros(2, np.complex64), gt.DtypeError, "complex64"),
        (np.zeros(2, np.int8), gt.DtypeError, "dtype="),
        (2**64, OverflowError, "int"),
        ([[[[[[[[[1]]]]]]]]], gt.LimitError, "8"),
        (np.array(["a"]), gt.GTError, "<U1"),
        (np.zeros((1,) * 9), gt.LimitError, "9"),
    ],
)
def test_what_cannot_be_a_tensor(data, error, text):
    with pytest.raises(error, match=text):
        gt.tensor(data)


def test_a_list_that_contains_itself():
    loop = []
    loop.append(loop)
    with pytest.raises(gt.LimitError, match="nested"):
        gt.tensor(loop)


def test_lists_that_change_while_they_are_read():
    class Odd:
        def __float__(self):
            rows.append([1.0])
            return 1.0

    rows = [1.0, Odd(), 2.0]
    with pytest.raises(gt.ShapeError):
        gt.tensor(rows)


def test_values_that_do_not_fit():
    with pytest.raises(OverflowError, match="int32"):
        gt.tensor([2**40], dtype=gt.int32)
    with pytest.raises((ValueError, OverflowError)):
        gt.tensor([float("nan")], dtype=gt.int64)
    assert gt.tensor([1e300]).tolist() == [float("inf")]


# ---- filled, in sequence, random -----------------------------------------------------------------


def test_filled():
    assert (
        gt.zeros(2, 3).tolist()
        == gt.zeros((2, 3)).tolist()
        == gt.zeros([2, 3]).tolist()
        == [[0.0] * 3] * 2
    )
    assert (
        gt.zeros().shape == gt.zeros(()).shape == ()
        and gt.zeros(0).tolist() == []
        and gt.zeros(size=(2,)).shape == (2,)
    )
    assert gt.ones(2, dtype=gt.int64).tolist() == [1, 1] and gt.empty(2, 0, 3).shape == (2, 0, 3)
    assert gt.full((2,), 7).dtype is gt.int64 and gt.full((2,), 1.5).tolist() == [1.5, 1.5]
    assert (
        gt.full((), True).dtype is gt.bool and gt.full(2, 1, dtype=gt.float64).dtype is gt.float64
    )
    x = gt.zeros(2, 3, dtype=gt.float64)
    for f in (gt.zeros_like, gt.ones_like, gt.empty_like, gt.rand_like, gt.randn_like):
        assert (
            f(x).shape == (2, 3)
            and f(x).dtype is gt.float64
            and f(x, dtype=gt.float32).dtype is gt.float32
        )
    assert gt.full_like(x, 3).sum().item() == 18
    assert gt.ones(2, requires_grad=True).requires_grad and not gt.ones(2).requires_grad
    with pytest.raises(gt.GTError):
        gt.ones(2, dtype=gt.int64, requires_grad=True)
    with pytest.raises(gt.UnsupportedError, match="cuda"):
        gt.zeros(2, device="cuda")


@pytest.mark.parametrize(
    "args",
    [(5,), (2, 7), (0, 10, 3), (10, 0, -3), (0, 1, 0.25), (1, 2, 0.3), (3, 3), (-2.5,), (0.0, 3.0)],
)
def test_arange(args):
    if args == (-2.5,):
        with pytest.raises(gt.GTError, match="arange"):
            gt.arange(*args)
    else:
        expected = np.arange(*args)
        check(
            gt.arange(*args),
            expected.astype(np.float32) if expected.dtype.kind == "f" else expected,
        )
        assert gt.arange(*args, dtype=gt.float64).dtype is gt.float64


def test_sequences():
    check(gt.linspace(0, 1, 5), np.linspace(0, 1, 5))
    check(gt.linspace(-3, 7, 8, dtype=gt.float64), np.linspace(-3, 7, 8))
    assert gt.linspace(2, 5, 1).tolist() == [2] and gt.linspace(0, 1, steps=0).shape == (0,)
    check(gt.eye(3), np.eye(3))
    check(gt.eye(2, 4, dtype=gt.int64), np.eye(2, 4, dtype=int))
    check(gt.eye(0), np.eye(0))
    for bad in (
        lambda: gt.arange(0, 5, 0),
        lambda: gt.arange(0, 5, -1),
        lambda: gt.linspace(0, 1, -1),
        lambda: gt.eye(-1),
        lambda: gt.zeros(-1),
        lambda: gt.zeros(2, -3),
    ):
        with pytest.raises(gt.GTError):
            bad()


def test_random():
    gt.manual_seed(7)
    a, b = gt.randn(1000), gt.rand(1000)
    gt.manual_seed(7)
    assert gt.equal(a, gt.randn(1000)) and gt.equal(b, gt.rand(1000))
    assert not gt.equal(a, gt.randn(1000))
    assert abs(a.mean().item()) < 0.15 and abs(a.std().item() - 1) < 0.1
    assert 0 <= b.min().item() and b.max().item() < 1 and abs(b.mean().item() - 0.5) < 0.05
    for x in (
        gt.randint(3, (500,)),
        gt.randint(0, 3, (500,)),
        gt.randint(low=0, high=3, size=(500,)),
    ):
        assert sorted(set(x.tolist())) == [0, 1, 2] and x.dtype is gt.int64
    assert gt.randint(-5, -4, (3,), dtype=gt.int32).tolist() == [-5, -5, -5]
    assert (
        gt.randn(3, 0).shape == (3, 0)
        and gt.rand(()).shape == ()
        and gt.randn(2, dtype=gt.float64).dtype is gt.float64
    )
    with pytest.raises(gt.GTError, match="randint"):
        gt.randint(3, 3, (2,))
    with pytest.raises(TypeError, match="randint"):
        gt.randint(3)


def test_prints_do_not_change_random_numbers():
    gt.manual_seed(1)
    gt.randn(2)
    expected = gt.randn(5).tolist()
    gt.manual_seed(1)
    str(gt.randn(2)), gt.zeros(5).sum().item()
    assert gt.randn(5).tolist() == expected


@pytest.mark.parametrize(
    "make",
    [
        lambda: gt.zeros(2**40, 2**30),
        lambda: gt.zeros(2**62),
        lambda: gt.randn(2**41),
        lambda: gt.ones((2,) * 9),
        lambda: gt.ones(2**20).expand(2**40, 2**20),
        lambda: gt.arange(2**50),
        lambda: gt.eye(2**32),
    ],
)
def test_huge_shapes(make):
    with pytest.raises(gt.GTError):
        make()


# ---- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_round_trip(dtype, shape):
    a = numbers(shape, dtype)
    x = gt.tensor(a)
    assert x.tolist() == a.tolist() and np.array_equal(x.numpy(), a) and x.numpy().dtype == a.dtype
    m = memoryview(x)
    assert m.shape == a.shape and m.readonly and m.nbytes == a.nbytes
    if 0 not in shape:
        assert m.tolist() == a.tolist()


def test_numpy_is_read_only_and_not_copied():
    x = gt.arange(5)
    a, b = x.numpy(), np.asarray(x)
    with pytest.raises(ValueError, match="read-only"):
        a[0] = 1
    assert np.shares_memory(a, b)
    c = x.numpy(copy=True)
    c[0] = 9
    assert np.array(x).flags.writeable and x.tolist() == [0, 1, 2, 3, 4]
    assert np.asarray(x, dtype=np.float32).dtype == np.float32 and np.array(x, copy=True)[1] == 1
    with pytest.raises((BufferError, TypeError), match="read-only|read-write"):
        io.BytesIO(b"12345678").readinto(x)
    assert np.frombuffer(x, np.int64).tolist() == [0, 1, 2, 3, 4]


def test_arrays_outlive_the_tensor():
    a = gt.arange(1000).numpy()
    gt.randn(1000), gt.ones(1000).sum().item()
    assert a.sum() == 499500


def test_python_numbers():
    assert float(gt.tensor(2)) == 2.0 and int(gt.tensor(2.9)) == 2 and bool(gt.tensor(0.0)) is False
    assert (
        [10, 20, 30][gt.tensor(1)] == 20
        and range(5)[gt.tensor([2])] == 2
        and hex(gt.tensor(255)) == "0xff"
    )
    assert (
        gt.tensor([[3]]).item() == 3
        and gt.tensor(True).item() is True
        and isinstance(gt.tensor(1.0).item(), float)
    )
    assert (
        f"{gt.tensor(1.23456):.2f}" == "1.23"
        and f"{gt.tensor(5)}" == "5"
        and f"{gt.tensor([1])}" == "tensor([1])"
    )
    assert str(gt.tensor(0.1).double().item()) == "0.10000000149011612"
    for bad in (
        lambda: gt.ones(2).item(),
        lambda: bool(gt.ones(2)),
        lambda: bool(gt.ones(0)),
        lambda: float(gt.ones(2)),
    ):
        with pytest.raises((ValueError, RuntimeError), match="element"):
            bad()
    for bad in (lambda: [1][gt.tensor(0.0)], lambda: [1, 2][gt.tensor([0, 1])]):
        with pytest.raises(TypeError):
            bad()


def test_facts():
    x = gt.zeros(2, 3, dtype=gt.float64)
    assert (
        x.shape == (2, 3) == x.size()
        and x.size(0) == 2 == x.size(dim=-2)
        and x.ndim == x.dim() == 2
    )
    assert (
        x.numel() == x.nelement() == gt.numel(x) == 6
        and x.element_size() == x.itemsize == 8
        and x.nbytes == 48
    )
    assert (
        x.device == "cpu"
        and x.is_floating_point()
        and x.dtype.is_floating_point
        and x.dtype.itemsize == 8
    )
    assert (
        x.contiguous() is x
        and x.cpu() is x
        and x.is_contiguous()
        and gt.is_tensor(x)
        and not gt.is_tensor(1)
    )
    with pytest.raises(gt.GTError):
        x.size(2)
    with pytest.raises(AttributeError):
        x.shape = (3, 2)
    with pytest.raises(AttributeError):
        x.foo = 1


def test_comparing_and_hashing():
    x = gt.ones(2)
    assert (
        (x == None) is False and (x != "a") is True and x in {x: 1} and {x: 1}[x] == 1
    )  # noqa: E711
    with pytest.raises(TypeError):
        x < "a"
    with pytest.raises(TypeError):
        x + "a"
    with pytest.raises(TypeError):
        x + None


def test_numpy_on_the_left():
    x = gt.ones(2)
    for left in (np.ones(2, np.float32), np.float32(1), np.float64(1), np.int64(1)):
        assert isinstance(left + x, gt.Tensor) and (left + x).tolist() == [2, 2]
        assert isinstance(left * x, gt.Tensor) and isinstance(left < x, gt.Tensor)
    assert isinstance(np.ones((1, 2), np.float32) @ x, gt.Tensor)
    assert (
        np.exp(x).shape == (2,) and np.sum(x.numpy()) == 2 and np.concatenate([x, x]).shape == (4,)
    )


def test_copy_and_pickle():
    x = gt.ones(2, requires_grad=True)
    y = copy.deepcopy(x)
    with gt.no_grad():
        x += 1
    assert y.tolist() == [1, 1] and y.requires_grad and y.is_leaf
    both = copy.deepcopy([x, x])
    assert both[0] is both[1] and copy.copy(x).tolist() == x.tolist()
    with pytest.raises(gt.GradError, match="detach"):
        copy.deepcopy(x * 2)
    with pytest.raises(TypeError, match="gt.save"):
        pickle.dumps(x)
    assert copy.deepcopy(gt.float32) is gt.float32


def test_weak_references():
    import weakref

    x = gt.ones(2)
    r = weakref.ref(x)
    assert r() is x
    del x
    assert r() is None


def test_many_tensors():
    many = [gt.full((), k) for k in range(100_000)]
    assert many[77_777].item() == 77_777 and gt.stack(many[::1000]).sum().item() == sum(
        range(0, 100_000, 1000)
    )


def test_no_instance_dictionary():
    import gc

    assert not hasattr(gt.ones(1), "__dict__") and not gc.is_tracked(gt.ones(1))
    with pytest.raises(TypeError, match="gt.tensor"):
        gt.Tensor([1, 2])


@pytest.mark.parametrize(
    "call",
    [
        lambda x: gt.full((2,), 2**40, dtype=gt.int32),
        lambda x: gt.full((2,), math.nan, dtype=gt.int64),
        lambda x: gt.randint(0, 2**40, (2,), dtype=gt.int32),
        lambda x: x.fill_(2**31),
        lambda x: x.fill_(float(2**31)),
        lambda x: x.__setitem__(0, 2**31),
        lambda x: x.__setitem__([0], 2**31),
        lambda x: x.__setitem__(x == 0, math.inf),
    ],
)
def test_numbers_that_an_integer_dtype_lacks(call):
    x = gt.zeros(2, dtype=gt.int32)
    with pytest.raises(ValueError, match="int(32|64); cast the tensor"):
        call(x)
    assert x.fill_(-(2**31)).tolist() == [-(2**31)] * 2
    assert x.fill_(2147483647.5).tolist() == [2**31 - 1] * 2
