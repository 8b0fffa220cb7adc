"""x[...] and x[...] = v against NumPy, subscripts made up by hypothesis; aliasing as in PyTorch."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import gt
from shapes import check, numbers

SHAPES = [(5,), (3, 4), (2, 3, 4), (1, 1), (0, 3), (4, 1, 2), ()]


@st.composite
def slices(draw):
    bound = st.one_of(st.none(), st.integers(-7, 7))
    return slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1, 2, 3, -1, -2, -3])))


@st.composite
def basic(draw):
    """A shape and a subscript of ints, slices, ..., None that fits it."""
    shape = draw(st.sampled_from(SHAPES))
    entries = []
    for n in shape[: draw(st.integers(0, len(shape)))]:
        ints = [st.integers(-n, n - 1)] if n else []
        entries.append(draw(st.one_of(slices(), *ints)))
    if draw(st.booleans()):
        cut = draw(st.integers(0, len(entries)))
        tail = len(entries) - cut
        # Behind the ellipsis the entries belong to the last dims.
        for k in range(tail):
            n = shape[len(shape) - tail + k]
            if isinstance(entries[cut + k], int) and not -n <= entries[cut + k] < n:
                entries[cut + k] = slice(None)
        entries.insert(cut, Ellipsis)
    for _ in range(draw(st.integers(0, 2))):
        entries.insert(draw(st.integers(0, len(entries))), None)
    return shape, entries[0] if len(entries) == 1 and draw(st.booleans()) else tuple(entries)


@settings(max_examples=400, deadline=None)
@given(basic())
def test_basic(case):
    shape, key = case
    a = numbers(shape, "int64")
    check(gt.tensor(a)[key], a[key], text=str(key))


@settings(max_examples=300, deadline=None)
@given(basic(), st.booleans())
def test_basic_assignment(case, number):
    shape, key = case
    a = numbers(shape, "int64")
    x = gt.tensor(a)
    value = 99 if number else numbers(np.shape(a[key]), "int64", seed=5)
    x[key] = value if number else gt.tensor(value)
    a[key] = value
    check(x, a, text=str(key))


@st.composite
def advanced(draw):
    """A shape and a subscript with index arrays side by side, or a mask; other dims sliced."""
    shape = draw(st.sampled_from([(5,), (3, 4), (2, 3, 4), (4, 1, 2)]))
    first = draw(st.integers(0, len(shape) - 1))
    count = draw(st.integers(1, len(shape) - first))
    index_shape = draw(st.sampled_from([(), (1,), (3,), (2, 2), (0,)]))
    key = [draw(slices()) for _ in range(first)]
    if draw(st.booleans()) and count == 1:
        key.append(draw(st.lists(st.booleans(), min_size=shape[first], max_size=shape[first])))
        key[-1] = np.array(key[-1], bool)
    else:
        for n in shape[first : first + count]:
            size = int(np.prod(index_shape))
            values = draw(st.lists(st.integers(-n, n - 1), min_size=size, max_size=size))
            key.append(np.array(values, np.int64).reshape(index_shape))
    if draw(st.booleans()):
        key.append(Ellipsis)
    return shape, tuple(key)


def as_tensors(key):
    return tuple(gt.tensor(k) if isinstance(k, np.ndarray) else k for k in key)


@settings(max_examples=300, deadline=None)
@given(advanced())
def test_advanced(case):
    shape, key = case
    a = numbers(shape, "int64")
    check(gt.tensor(a)[as_tensors(key)], a[key], text=str(key))
    check(gt.tensor(a)[key], a[key], text="arrays as subscripts")


@settings(max_examples=300, deadline=None)
@given(advanced(), st.booleans())
def test_advanced_assignment(case, number):
    shape, key = case
    a = numbers(shape, "int64")
    x = gt.tensor(a)
    # Equal values where an index comes twice: which of two wins is not NumPy's promise.
    value = 7 if number else np.full(np.shape(a[key]), 8)
    x[as_tensors(key)] = value if number else gt.tensor(value)
    a[key] = value
    check(x, a, text=str(key))


def test_lists_and_masks():
    a = numbers((4, 5))
    x = gt.tensor(a)
    check(x[[0, 2]], a[[0, 2]])
    check(x[[True, False, True, False]], a[[True, False, True, False]])
    check(x[x > 0], a[a > 0])
    check(x[:, [1, 1]], a[:, [1, 1]])
    check(x[np.array([1, 3])], a[[1, 3]])
    check(x[range(2)], a[range(2)])
    check(x[np.int64(2), np.int32(1)], a[2, 1])
    check(x[gt.tensor(1)], a[1])
    check(x[[]], a[[]])
    check(x[True], a[True])
    check(x[..., None, 1], a[..., None, 1])
    check(x[[0, 1], :, None], a[[0, 1], :, None])
    check(x[gt.tensor([[0], [1]]), gt.tensor([2, 3])], a[[[0], [1]], [2, 3]])
    x[x > 0] = 0
    a[a > 0] = 0
    check(x, a)
    x[[0, 2], 1] = gt.tensor([5.0, 6.0])
    a[[0, 2], 1] = [5, 6]
    check(x, a)
    x[x == 0] = gt.arange(int((a == 0).sum())).float()
    a[a == 0] = np.arange((a == 0).sum())
    check(x, a)
    x[1] = [1, 2, 3, 4, 5]
    assert x[1].tolist() == [1, 2, 3, 4, 5]


def test_iteration_and_length():
    x = gt.arange(6).reshape(3, 2)
    assert len(x) == 3 and [r.tolist() for r in x] == [[0, 1], [2, 3], [4, 5]]
    assert 3 in x and 9 not in x and [v.item() for v in x[0]] == [0, 1]
    a, b, c = x
    assert b.tolist() == [2, 3] and list(gt.zeros(0, 3)) == []
    for bad in (len, iter, list):
        with pytest.raises(TypeError, match="without dims"):
            bad(gt.tensor(1))


@pytest.mark.parametrize(
    "key",
    [
        3,
        -4,
        (0, 5),
        (slice(None), 0, 0),
        "a",
        1.5,
        2**70,
        gt.tensor([0.5]),
        object(),
        (..., ...),
        [True, False],
        slice(0, 2, 0),
        False,
    ],
)
def test_wrong_subscripts(key):
    x = gt.zeros(3, 4)
    with pytest.raises((IndexError, ValueError, gt.GTError)):
        x[key]
    with pytest.raises((IndexError, ValueError, gt.GTError)):
        x[key] = 1
    assert x.sum().item() == 0


def test_wrong_values():
    x = gt.zeros(3, 4)
    with pytest.raises(gt.ShapeError, match=r"\(3\b"):
        x[0] = gt.ones(3)
    with pytest.raises(TypeError):
        x[0] = "a"
    with pytest.raises(TypeError, match="deleted"):
        del x[0]
    with pytest.raises(IndexError, match="out of range"):
        x[gt.tensor([0, 3])].tolist()


# ---- aliasing: writes through views, as PyTorch documents them -----------------------------------


def test_view_writes_through():
    x = gt.zeros(2, 3)
    y = x[0]
    y += 1
    assert x.tolist() == [[1, 1, 1], [0, 0, 0]]
    x[0, 1] = 5
    assert y.tolist() == [1, 5, 1]


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[1:],
        lambda x: x.T,
        lambda x: x.reshape(3, 2),
        lambda x: x.view(-1),
        lambda x: x[:, ::2],
        lambda x: x.unsqueeze(0),
        lambda x: x.permute(1, 0),
        lambda x: x[..., None],
        lambda x: x.flatten(),
        lambda x: x.detach(),
        lambda x: x.data,
        lambda x: x.split(1)[1],
        lambda x: x.chunk(2, 1)[0],
        lambda x: x[None, 1],
        lambda x: x[::-1],
        lambda x: x.transpose(0, 1)[1:].reshape(-1, 2),
        lambda x: x.unbind(1)[2],
    ],
)
def test_views_share(view):
    x = gt.arange(6).reshape(2, 3) + 0
    a = np.arange(6).reshape(2, 3).copy()
    v = view(x)
    v += 10
    plain = view(gt.arange(6).reshape(2, 3) + 0)
    check(v, plain.numpy() + 10)
    check(v, view(x).numpy(), text="the base shows the write")
    assert x.sum().item() == a.sum() + 10 * v.numel()
    x.zero_()
    assert v.numpy().sum() == 0


@pytest.mark.parametrize(
    "copy",
    [
        lambda x: x.clone(),
        lambda x: x + 0,
        lambda x: x[[0, 1]],
        lambda x: x.flip(0),
        lambda x: x.to(gt.float64),
        lambda x: gt.tensor(x),
        lambda x: gt.cat([x]),
        lambda x: x[x > -1],
        lambda x: x.tril(),
    ],
)
def test_copies_do_not_share(copy):
    x = gt.ones(2, 3)
    y = copy(x)
    before = y.tolist()
    x += 1
    assert y.tolist() == before
    y.zero_()
    assert x.tolist() == [[2, 2, 2], [2, 2, 2]]


def test_chain_of_views():
    x = gt.arange(24).reshape(2, 3, 4) + 0
    a = np.arange(24).reshape(2, 3, 4)
    y, b = x[1].T[1:, ::2], a[1].T[1:, ::2]
    y *= 2
    b *= 2
    check(x, a)
    z, c = y[0], b[0]
    z[1] = -1
    c[1] = -1
    check(x, a)
    check(y, b)
    x[1, 2, 1] = 77
    a[1, 2, 1] = 77
    check(z, c)


def test_overlapping_assignment():
    x, a = gt.arange(6) + 0, np.arange(6)
    x[1:] = x[:-1]
    a[1:] = a[:-1].copy()
    check(x, a)
    x[:] = x.flip(0)
    check(x, a[::-1])
    y = gt.arange(9).reshape(3, 3) + 0
    y += y.T
    check(y, np.arange(9).reshape(3, 3) + np.arange(9).reshape(3, 3).T)


def test_reads_keep_their_elements():
    x = gt.ones(3)
    before = x.numpy()
    x += 1
    assert before.tolist() == [1, 1, 1] and x.tolist() == [2, 2, 2]


def test_in_place_methods():
    x = gt.tensor([1.0, -2.0, 3.0])
    assert x.add_(1) is x and x.tolist() == [2, -1, 4]
    assert x.sub_(gt.ones(3), alpha=2).tolist() == [0, -3, 2] and x.mul_(2).tolist() == [0, -6, 4]
    assert x.div_(4).tolist() == [0, -1.5, 1] and x.clamp_(-1, 0.5).tolist() == [0, -1, 0.5]
    assert x.fill_(3).tolist() == [3, 3, 3] and x.zero_().tolist() == [0, 0, 0]
    assert x.copy_(gt.tensor(2, dtype=gt.int64)).tolist() == [2, 2, 2] and x.add_(
        [1, 2, 3]
    ).tolist() == [3, 4, 5]
    with pytest.raises(gt.ShapeError):
        x += gt.ones(2, 3)
    with pytest.raises(gt.GTError):
        gt.ones(1).expand(3).add_(1)
