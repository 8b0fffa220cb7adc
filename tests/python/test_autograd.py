"""Gradients from Python: the table's rows by finite differences, modes, errors."""

import threading

import pytest

import gt
from test_ops import ROWS, UNARY, gen_ops

F64 = gt.float64
KEPT = gt.tensor([[0.1, 0.9, 0.5], [0.7, 0.2, 1.0]], dtype=F64)


def leaf(*shape, low=0.3, high=1.7, seed=0):
    gt.manual_seed(seed)
    return (gt.rand(*shape, dtype=F64) * (high - low) + low).requires_grad_()


@pytest.mark.parametrize(
    "row", [r for r in ROWS if r["grad"] not in ("none", "zero")], ids=lambda r: r["name"]
)
def test_rows(row):
    f = getattr(gt, gen_ops.python_name(row))
    x, y = leaf(2, 3), leaf(2, 3, seed=1)
    if row["call"] == "UNARY":
        assert gt.autograd.gradcheck(f, x)
        if UNARY[row["name"]][1] <= -2:
            assert gt.autograd.gradcheck(lambda x: f(x.T - 1.05), x)
    elif row["call"] == "BINARY":
        assert gt.autograd.gradcheck(f, (x, y))
        assert gt.autograd.gradcheck(f, (x, leaf(3, seed=2)))
        assert gt.autograd.gradcheck(lambda x: f(x, 1.3), x) and gt.autograd.gradcheck(
            lambda x: f(1.3, x), x
        )
    elif row["call"] == "REDUCE":
        for axis in (None, 0, -1, (0, 1)):
            g = lambda x: f(x, axis)
            assert gt.autograd.gradcheck(
                lambda x: g(x).values if isinstance(g(x), tuple) else g(x), x
            )
    elif row["call"] == "AXIS":
        assert gt.autograd.gradcheck(lambda x: f(x, 0), x) and gt.autograd.gradcheck(
            lambda x: f(x, 1) * y.detach(), x
        )
    elif row["name"] == "where":
        assert gt.autograd.gradcheck(lambda x, y: gt.where(x > 1, x, y), (x, y))
    else:
        assert gt.autograd.gradcheck(lambda x: gt.clamp(x, 0.7, 1.4), x)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x @ x.T,
        lambda x: x[0] @ x[1],
        lambda x: x @ x[0],
        lambda x: x[None] @ x.T,
        lambda x: x.var(1),
        lambda x: x.std(correction=0),
        lambda x: x.reshape(3, 2) * 2,
        lambda x: x.permute(1, 0)[1:],
        lambda x: x[:, ::-2],
        lambda x: x[[0, 0, 1]],
        lambda x: x[:, gt.tensor([2, 0])],
        lambda x: x[x.detach() > 1],
        lambda x: x.flip(0),
        lambda x: gt.cat([x, x * 2], 1),
        lambda x: gt.stack([x, x.exp()]),
        lambda x: x.split(2, 1)[0],
        lambda x: x.tril(),
        lambda x: x.gather(1, gt.tensor([[0, 1], [2, 2]])),
        lambda x: x.scatter_add(0, gt.tensor([[1, 0, 1]]), x[:1] * 2),
        lambda x: x.index_select(1, gt.tensor([1, 1])),
        lambda x: x.expand(4, 2, 3),
        lambda x: x.norm(),
        lambda x: x.norm(3, 1),
        lambda x: x.masked_fill(x.detach() > 1, 0.5),
        lambda x: x.repeat(2, 2),
        lambda x: x.roll(1, 1),
        lambda x: gt.leaky_relu(x - 1),
        lambda x: gt.layer_norm(x, (3,)),
        lambda x: gt.cross_entropy(x, gt.tensor([2, 0])),
        lambda x: gt.mse_loss(x, KEPT),
        lambda x: gt.binary_cross_entropy(x / 2, gt.ones(2, 3, dtype=F64)),
        lambda x: gt.nll_loss(gt.log_softmax(x, 1), gt.tensor([1, 1])),
        lambda x: gt.binary_cross_entropy_with_logits(x, KEPT, reduction="sum"),
        lambda x: x.unsqueeze(1).squeeze(1),
        lambda x: gt.scaled_dot_product_attention(x, x * 2, x + 1),
        lambda x: gt.scaled_dot_product_attention(x, x, x, is_causal=True),
        lambda x: gt.linear(x, x * 2, x[:, 0]),
        lambda x: gt.embedding(gt.tensor([[0, 1, 1]]), x),
        lambda x: x.max(1).values,
        lambda x: gt.outer(x[0], x[1]),
        lambda x: x.to(F64) ** 2,
        lambda x: gt.binary_cross_entropy(x / 2, KEPT),
        lambda x: x.mT / x.sum(),
    ],
    ids=lambda f: "",
)
def test_functions(f):
    assert gt.autograd.gradcheck(f, leaf(2, 3))


def test_accumulation():
    x = gt.tensor([1.0, 2.0], requires_grad=True)
    (x * 3).sum().backward()
    (x * x).sum().backward()
    assert x.grad.tolist() == [5, 7]
    x.grad.zero_()
    assert x.grad.tolist() == [0, 0]
    x.grad = None
    assert x.grad is None
    x.grad = gt.ones(2)
    x.sum().backward()
    assert x.grad.tolist() == [2, 2]
    with pytest.raises(gt.GTError):
        x.grad = gt.ones(3)
    with pytest.raises(TypeError):
        x.grad = 3


def test_leaves():
    x = gt.ones(2, requires_grad=True)
    y = x * 2
    assert (
        x.is_leaf
        and not y.is_leaf
        and y.requires_grad
        and not y.detach().requires_grad
        and y.detach().is_leaf
    )
    assert x.grad_fn is None and y.grad_fn == "<MulBackward>" and gt.ones(1).is_leaf
    assert gt.ones(2).requires_grad_().requires_grad and not x.requires_grad_(False).requires_grad
    with pytest.raises(gt.GTError):
        y.requires_grad = False
    with pytest.raises(gt.DtypeError):
        gt.arange(3).requires_grad_()


def test_backward_arguments():
    x = gt.ones(2, requires_grad=True)
    with pytest.raises(gt.GradError):
        (x * 2).backward()
    (x * 2).backward(gt.tensor([1.0, 10.0]))
    assert x.grad.tolist() == [2, 20]
    (x * 2).backward(gradient=[1.0, 1.0])
    y = x.square().sum()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(gt.GradError, match="retain_graph"):
        y.backward()
    with pytest.raises(gt.GradError):
        gt.ones(1).backward()


def test_modes():
    x = gt.ones(1, requires_grad=True)
    with gt.no_grad():
        assert not gt.is_grad_enabled() and not (x * 2).requires_grad
        with gt.enable_grad():
            assert (x * 2).requires_grad
        assert not gt.is_grad_enabled()
        x += 1
    assert gt.is_grad_enabled() and (x * 2).requires_grad and x.item() == 2

    @gt.no_grad()
    def f(a, b=1):
        """Text."""
        return x * a * b

    @gt.no_grad
    def g():
        return x * 2

    assert (
        not f(2, b=3).requires_grad
        and f.__name__ == "f"
        and f.__doc__ == "Text."
        and not g().requires_grad
    )
    gt.set_grad_enabled(False)
    assert not (x * 2).requires_grad
    with gt.set_grad_enabled(True):
        assert (x * 2).requires_grad
    assert not gt.is_grad_enabled()
    gt.set_grad_enabled(True)
    with pytest.raises(KeyError):
        with gt.no_grad():
            raise KeyError
    assert gt.is_grad_enabled()


def test_modes_belong_to_threads():
    x = gt.ones(1, requires_grad=True)
    inside, leave, seen = threading.Event(), threading.Event(), []

    def other():
        seen.append(gt.is_grad_enabled())
        with gt.no_grad():
            inside.set()
            leave.wait()
            seen.append((x * 2).requires_grad)

    t = threading.Thread(target=other)
    t.start()
    inside.wait()
    assert gt.is_grad_enabled() and (x * 2).requires_grad
    leave.set()
    t.join()
    assert seen == [True, False] and (x * 2).requires_grad


def test_in_place_and_gradients():
    x = gt.ones(3, requires_grad=True)
    with pytest.raises(gt.GradError):
        x += 1
    with pytest.raises(gt.GradError):
        x[0] = 1
    y = x * 2
    y *= 3
    y[0] = 0
    y.sum().backward()
    assert x.grad.tolist() == [0, 6, 6]
    x.data -= 1
    x.data = x.data * 5 + 1
    assert (
        x.tolist() == [1, 1, 1] and x.requires_grad and x.is_leaf and x.grad.tolist() == [0, 6, 6]
    )
    z = x.detach()
    z += 1
    assert x.tolist() == [2, 2, 2]


def test_saved_values_are_kept():
    x = gt.tensor([2.0], requires_grad=True)
    y = x * x
    with gt.no_grad():
        x += 10
    y.backward()
    assert x.grad.item() == 4


def test_grad_function():
    x, y = gt.ones(2, requires_grad=True), gt.ones(2, requires_grad=True)
    (a,) = gt.autograd.grad((x * 3).sum(), x)
    assert a.tolist() == [3, 3] and x.grad is None
    a, b = gt.autograd.grad([(x * y).sum(), (x * 2).sum()], [x, y])
    assert a.tolist() == [3, 3] and b.tolist() == [1, 1]
    (a,) = gt.autograd.grad(x * 2, x, grad_outputs=gt.tensor([1.0, 5.0]))
    assert a.tolist() == [2, 10]
    with pytest.raises(gt.GradError, match="allow_unused"):
        gt.autograd.grad((x * 2).sum(), [x, y])
    a, b = gt.autograd.grad((x * 2).sum(), [x, y], allow_unused=True)
    assert b is None
    (first,) = gt.autograd.grad((x**3).sum(), x, create_graph=True)
    (second,) = gt.autograd.grad(first.sum(), x)
    assert second.tolist() == [6, 6]
    gt.autograd.backward([(x * 2).sum(), (x * y).sum()])
    assert x.grad.tolist() == [3, 3]


def test_gradcheck_finds_errors():
    x = leaf(3)
    wrong = lambda x: x * x.detach()
    with pytest.raises(gt.GradError, match="element 0"):
        gt.autograd.gradcheck(wrong, x)
    assert not gt.autograd.gradcheck(wrong, x, raise_exception=False)
    assert gt.autograd.gradcheck(lambda x, y: (x * y, x.sum()), (x, leaf(3, seed=1)))


def test_deep_graphs():
    x = gt.ones(1, requires_grad=True)
    y = x
    for _ in range(20_000):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1
    for _ in range(20_000):
        y = y * 1.0 + x
    del y


def test_evaluation_without_no_grad_leaks_nothing():
    w = gt.ones(1, requires_grad=True)
    for _ in range(1000):
        (w * 2).sum().item()
    with pytest.raises(gt.GradError):
        gt.autograd.grad(gt.ones(1), w)


def test_clamp_at_its_bounds():
    """An end belongs to the range, whether there is another or not."""
    for bounds in ({"min": 1}, {"max": 1}, {"min": 1, "max": 1}, {"min": gt.ones(1)}):
        x = gt.ones(2, requires_grad=True)
        x.clamp(**bounds).sum().backward()
        assert x.grad.tolist() == [1, 1]
    assert gt.tensor([-1, 3]).clamp(min=0).tolist() == [0, 3]


def test_overwriting_keeps_the_gradient():
    for write in (lambda y: y.zero_(), lambda y: y.fill_(2), lambda y: y.copy_(gt.ones(3))):
        x = gt.ones(3, requires_grad=True)
        y = x * 2
        write(y)
        assert y.requires_grad
        y.sum().backward()
        assert x.grad.tolist() == [0, 0, 0]


def test_views_of_detached_leaves_are_not_written_to():
    x = gt.ones(2).detach().requires_grad_()
    y = x[0]
    with pytest.raises(gt.GradError, match="no_grad"):
        y += 1
    with gt.no_grad():
        y += 1
    assert x.tolist() == [2, 1]
