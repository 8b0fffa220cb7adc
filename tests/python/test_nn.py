"""Modules, layers, losses, initialisation against formulas in NumPy."""

import collections
import math
import sys

import numpy as np
import pytest

import gt
from gt import nn
from gt.nn import functional as F
from shapes import check, numbers


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 8)
        self.fc2 = nn.Linear(8, 2, bias=False)
        self.drop = nn.Dropout(0.5)
        self.scale = nn.Parameter(gt.ones(1))
        self.register_buffer("seen", gt.zeros(1))
        self.register_buffer("scratch", gt.zeros(1), persistent=False)

    def forward(self, x):
        return self.fc2(self.drop(gt.relu(self.fc1(x)))) * self.scale


# ---- modules -------------------------------------------------------------------------------------


def test_names():
    m = MLP()
    names = ["scale", "fc1.weight", "fc1.bias", "fc2.weight"]
    assert [n for n, _ in m.named_parameters()] == names and len(list(m.parameters())) == 4
    assert [n for n, _ in m.named_children()] == ["fc1", "fc2", "drop"] and len(
        list(m.children())
    ) == 3
    assert [n for n, _ in m.named_modules()] == ["", "fc1", "fc2", "drop"] and len(
        list(m.modules())
    ) == 4
    assert list(m.state_dict()) == ["scale", "seen", "fc1.weight", "fc1.bias", "fc2.weight"]
    assert [n for n, _ in m.named_buffers()] == ["seen", "scratch"]
    assert [n for n, _ in m.named_parameters(prefix="net", recurse=False)] == ["net.scale"]
    assert all(
        isinstance(p, nn.Parameter) and p.is_leaf and p.requires_grad for p in m.parameters()
    )


def test_children_are_found_without_calling_init():
    class Bare(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(2, 2)
            self.w = gt.ones(2, requires_grad=True)
            self.x = gt.ones(2)

    assert [n for n, _ in Bare().named_parameters()] == ["w", "layer.weight", "layer.bias"]


def test_repr():
    assert repr(MLP()) == (
        "MLP(\n  (fc1): Linear(in_features=4, out_features=8, bias=True)\n"
        "  (fc2): Linear(in_features=8, out_features=2, bias=False)\n  (drop): Dropout(p=0.5)\n)"
    )
    assert (
        repr(nn.Sequential(nn.ReLU(), nn.Softmax(dim=1)))
        == "Sequential(\n  (0): ReLU()\n  (1): Softmax(dim=1)\n)"
    )
    assert repr(nn.LayerNorm(3)) == "LayerNorm((3,), eps=1e-05, elementwise_affine=True)"


@pytest.mark.parametrize(
    "value,name",
    [
        ([nn.ReLU()], "ModuleList"),
        ((nn.ReLU(), 1), "ModuleList"),
        ({"a": nn.ReLU()}, "ModuleList"),
        ([gt.ones(1, requires_grad=True)], "ParameterList"),
    ],
)
def test_hidden_members_are_refused(value, name):
    m = MLP()
    with pytest.raises(TypeError, match=name):
        m.layers = value
    m.sizes = [1, 2, 3]
    m.shapes = {"a": (1, 2)}


def test_foreign_modules_are_refused():
    class Compiled:
        """Has parameters, but is no Module: what other frameworks' compilers return."""

        def named_parameters(self):
            return iter(())

    m = MLP()
    with pytest.raises(TypeError, match="Compiled.*gt.nn.Module"):
        m.fc1 = Compiled()
    with pytest.raises(TypeError, match="gt.nn.Module"):
        nn.Sequential(Compiled())
    with pytest.raises(TypeError, match="function"):
        nn.ModuleList([lambda x: x])


def test_attributes():
    m = MLP()
    with pytest.raises(TypeError, match="scale is a parameter"):
        m.scale = m.scale * 2
    m.scale = nn.Parameter(gt.zeros(1))
    m.fc1.bias = None
    assert [n for n, _ in m.named_parameters()] == ["scale", "fc1.weight", "fc2.weight"]
    del m.scale, m.fc2
    assert [n for n, _ in m.named_parameters()] == ["fc1.weight"] and not hasattr(m, "fc2")
    with pytest.raises(AttributeError):
        m.nothing
    with pytest.raises(TypeError, match="buffer"):
        m.seen = 3
    m.seen = gt.ones(1)
    m.fc1 = nn.ReLU()
    m.drop = None
    assert list(m.parameters()) == [] and m.seen.item() == 1 and len(list(m.children())) == 1
    with pytest.raises(NotImplementedError, match="forward"):
        nn.Module()(1)


def test_shared_and_frozen_parameters():
    m = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    m[1].weight = m[0].weight
    assert len(list(m.parameters())) == 3 and len(m.state_dict()) == 4
    m.requires_grad_(False)
    assert len(list(m.parameters())) == 3 and not any(p.requires_grad for p in m.parameters())


def test_circles_and_depth():
    m = nn.Module()
    m.me = m
    m.w = nn.Parameter(gt.ones(1))
    assert len(list(m.modules())) == 1 and len(list(m.parameters())) == 1 and "..." in repr(m)
    top = m = nn.Module()
    for _ in range(5000):
        m.child = nn.Module()
        m = m.child
    m.w = nn.Parameter(gt.ones(1))
    top.eval()
    assert len(list(top.parameters())) == 1 and len(repr(top)) > 5000 and len(top.state_dict()) == 1

    class Forever(nn.Module):
        def forward(self, x):
            return self(x + 1)

    with pytest.raises(RecursionError):
        Forever()(gt.ones(1))
    assert gt.ones(1).item() == 1


def test_train_and_eval():
    m = MLP()
    assert m.training and m.drop.training and m.eval() is m and not m.drop.training
    x = gt.randn(3, 4)
    assert gt.equal(m(x), m(x))
    m.train()
    assert not gt.equal(m(gt.randn(50, 4)), m(gt.randn(50, 4)))


def test_state_dict():
    a, b = MLP(), MLP()
    result = b.load_state_dict({k: v.clone() for k, v in a.state_dict().items()})
    assert result == ([], []) and all(
        gt.equal(p, q) for p, q in zip(a.parameters(), b.parameters())
    )
    state = a.state_dict()
    state["fc1.bias"].zero_()
    assert a.fc1.bias.abs().sum().item() == 0, "a state dict shares the elements"
    del state["fc1.bias"]
    state["more"] = gt.ones(1)
    with pytest.raises(ValueError, match="fc1.bias is missing; more is not expected"):
        b.load_state_dict(state)
    result = b.load_state_dict(state, strict=False)
    assert result.missing_keys == ["fc1.bias"] and result.unexpected_keys == ["more"]
    state["fc2.weight"] = gt.ones(3)
    before = b.fc1.weight.tolist()
    with pytest.raises(ValueError, match=r"fc2.weight has shape \(3,\), expected \(2, 8\)"):
        b.load_state_dict(state, strict=False)
    assert b.fc1.weight.tolist() == before


def test_zero_grad_apply_to():
    m = MLP()
    m(gt.ones(1, 4)).sum().backward()
    m.zero_grad(set_to_none=False)
    assert all(p.grad.abs().sum().item() == 0 for p in m.parameters())
    m.zero_grad()
    assert all(p.grad is None for p in m.parameters())
    order = []
    assert (
        m.apply(lambda x: order.append(type(x).__name__)) is m
        and order[-1] == "MLP"
        and len(order) == 4
    )
    assert (
        m.double().fc1.weight.dtype is gt.float64
        and m.fc1.weight.requires_grad
        and m.to("cpu") is m
    )
    assert (
        m(gt.ones(1, 4, dtype=gt.float64)).dtype is gt.float64
        and m.float().scale.dtype is gt.float32
    )


def test_containers():
    layers = nn.ModuleList([nn.Linear(1, 2), nn.Linear(2, 3)])
    layers.append(nn.ReLU())
    layers.insert(1, nn.Tanh())
    assert [type(x).__name__ for x in layers] == ["Linear", "Tanh", "Linear", "ReLU"] and len(
        layers
    ) == 4
    assert isinstance(layers[1:3], nn.ModuleList) and layers[-1] is list(layers)[3]
    layers[1] = nn.GELU()
    del layers[3]
    assert [n for n, _ in layers.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    net = nn.Sequential(collections.OrderedDict(a=nn.Linear(2, 3), b=nn.ReLU()))
    assert (
        net(gt.ones(2)).shape == (3,)
        and [n for n, _ in net.named_children()] == ["a", "b"]
        and net[0] is net.a
    )
    assert (
        isinstance(net[:1], nn.Sequential) and len(nn.Sequential()) == 0 and nn.Sequential()(5) == 5
    )
    params = nn.ParameterList([gt.ones(2), nn.Parameter(gt.ones(3))])
    assert len(params) == 2 and len(list(params.parameters())) == 2 and params[1].shape == (3,)


def test_parameter():
    x = gt.ones(2)
    p = nn.Parameter(x)
    assert p.requires_grad and p.is_leaf and not x.requires_grad and isinstance(p, nn.Parameter)
    assert (
        not isinstance(x, nn.Parameter)
        and not isinstance(p * 2, nn.Parameter)
        and not isinstance(1, nn.Parameter)
    )
    assert not nn.Parameter(x, requires_grad=False).requires_grad


def test_gt_client_nn():
    import gt.client.nn
    import gt.client.nn.functional
    from gt.client.nn import Linear
    from gt.client import nn as same

    assert (
        gt.client.nn is gt.nn is same
        and Linear is nn.Linear
        and gt.client.nn.functional is gt.nn.functional
    )
    from gt.nn import Module, Linear, SGD  # noqa: F811

    assert SGD is gt.optim.SGD and Module is nn.Module


# ---- layers --------------------------------------------------------------------------------------


def test_linear():
    layer = nn.Linear(3, 5)
    x = numbers((2, 4, 3))
    w, b = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    check(layer(gt.tensor(x)), x @ w.T + b, 1e-5)
    check(layer(gt.tensor(x[0, 0])), x[0, 0] @ w.T + b, 1e-5)
    bound = 1 / math.sqrt(3)
    assert np.abs(w).max() <= bound and np.abs(b).max() <= bound and np.abs(w).max() > bound / 3
    with pytest.raises(gt.ShapeError, match="matmul"):
        layer(gt.ones(2, 4))
    assert nn.Linear(3, 5, dtype=gt.float64).weight.dtype is gt.float64


def test_embedding_and_layer_norm():
    e = nn.Embedding(10, 4)
    check(e(gt.tensor([[1, 9], [0, 0]])), e.weight.detach().numpy()[[[1, 9], [0, 0]]])
    with pytest.raises(IndexError):
        e(gt.tensor([10])).tolist()
    x = numbers((2, 3, 4))
    for shape, axes in ((4, (-1,)), ((3, 4), (-2, -1))):
        norm = nn.LayerNorm(shape)
        m, v = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        check(norm(gt.tensor(x)), (x - m) / np.sqrt(v + 1e-5), 1e-5)
        with gt.no_grad():
            norm.weight *= 3
            norm.bias += 1
        check(norm(gt.tensor(x)), 3 * (x - m) / np.sqrt(v + 1e-5) + 1, 1e-5)
    assert list(nn.LayerNorm(4, elementwise_affine=False).parameters()) == []
    assert len(list(nn.LayerNorm(4, bias=False).parameters())) == 1
    with pytest.raises(gt.ShapeError, match="layer_norm"):
        nn.LayerNorm(5)(gt.tensor(x))


def test_dropout():
    gt.manual_seed(0)
    y = nn.Dropout(0.25)(gt.ones(10000)).numpy()
    assert (
        set(np.round(np.unique(y), 4)) == {0, np.float32(1.3333)}
        and abs((y == 0).mean() - 0.25) < 0.02
    )
    assert gt.equal(F.dropout(gt.ones(5), 0.5, training=False), gt.ones(5))
    assert (
        F.dropout(gt.ones(5), 1.0).sum().item() == 0
        and F.dropout(gt.ones(5), 0.0).sum().item() == 5
    )
    with pytest.raises(ValueError):
        nn.Dropout(1.5)
    with pytest.raises(gt.GTError):
        F.dropout(gt.ones(5), -1.0)


def test_activations():
    x = gt.tensor(numbers((3, 4)))
    for layer, f in (
        (nn.ReLU(), gt.relu),
        (nn.GELU(), gt.gelu),
        (nn.SiLU(), gt.silu),
        (nn.Tanh(), gt.tanh),
        (nn.Sigmoid(), gt.sigmoid),
        (nn.Softmax(1), lambda x: gt.softmax(x, 1)),
        (nn.Identity(1, a=2), lambda x: x),
        (nn.Flatten(0), lambda x: x.flatten()),
        (nn.Flatten(), lambda x: x.flatten(1)),
    ):
        assert gt.equal(layer(x), f(x))


# ---- losses --------------------------------------------------------------------------------------


def log_softmax(a):
    a = a - a.max(-1, keepdims=True)
    return a - np.log(np.exp(a).sum(-1, keepdims=True))


REDUCTIONS = {"mean": np.mean, "sum": np.sum, "none": lambda a: a}


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_losses(reduction):
    reduce = REDUCTIONS[reduction]
    a, t = numbers((5, 3)), np.array([0, 2, 1, 1, 0])
    x, target = gt.tensor(a), gt.tensor(t)
    nll = -log_softmax(a)[np.arange(5), t]
    check(nn.CrossEntropyLoss(reduction)(x, target), reduce(nll), 1e-5)
    check(F.cross_entropy(x, target, reduction=reduction), reduce(nll), 1e-5)
    check(nn.NLLLoss(reduction)(gt.log_softmax(x, 1), target), reduce(nll), 1e-5)
    p = np.exp(log_softmax(a))
    check(F.cross_entropy(x, gt.tensor(p), reduction), reduce(-(p * log_softmax(a)).sum(1)), 1e-5)
    b = numbers((5, 3), seed=4)
    check(nn.MSELoss(reduction)(x, gt.tensor(b)), reduce((a - b) ** 2), 1e-5)
    s = 1 / (1 + np.exp(-a.astype(float)))
    y = (b > 0).astype(np.float32)
    bce = -(y * np.log(s) + (1 - y) * np.log(1 - s))
    check(nn.BCELoss(reduction)(gt.tensor(s.astype(np.float32)), gt.tensor(y)), reduce(bce), 1e-5)
    check(nn.BCEWithLogitsLoss(reduction)(x, gt.tensor(y)), reduce(bce), 1e-5)


def test_ignored_classes():
    a, t = numbers((4, 3)), np.array([0, -100, 2, -100])
    x = gt.tensor(a, requires_grad=True)
    nll = np.where(t < 0, 0, -log_softmax(a)[np.arange(4), t % 3])
    check(F.cross_entropy(x, gt.tensor(t)), nll.sum() / 2, 1e-5)
    check(F.cross_entropy(x, gt.tensor(t), reduction="none"), nll, 1e-5)
    check(nn.NLLLoss("sum")(gt.log_softmax(x, 1), gt.tensor(t)), nll.sum(), 1e-5)
    padded = gt.tensor(np.maximum(t, -1))
    check(nn.CrossEntropyLoss(ignore_index=-1)(x, padded), nll.sum() / 2, 1e-5)
    F.cross_entropy(x, gt.tensor(t)).backward()
    assert (x.grad.numpy()[t < 0] == 0).all() and (x.grad.numpy()[t >= 0] != 0).all()


def test_losses_of_many_dims():
    a, t = numbers((2, 3, 4)), np.arange(8).reshape(2, 4) % 3
    expected = -np.take_along_axis(log_softmax(a.swapaxes(1, 2)), t[..., None], -1).mean()
    check(F.cross_entropy(gt.tensor(a), gt.tensor(t)), expected, 1e-5)
    check(F.cross_entropy(gt.tensor(a[0, :, 0]), gt.tensor(2)), -log_softmax(a[0, :, 0])[2], 1e-5)


def test_losses_at_the_edges():
    assert F.binary_cross_entropy(gt.tensor([0.0, 1.0]), gt.tensor([0.0, 1.0])).item() == 0
    assert F.binary_cross_entropy(gt.tensor([0.0]), gt.tensor([1.0])).item() == 100
    assert (
        F.binary_cross_entropy_with_logits(
            gt.tensor([1000.0, -1000.0]), gt.tensor([1.0, 0.0])
        ).item()
        == 0
    )
    assert F.cross_entropy(gt.tensor([[1000.0, 0.0]]), gt.tensor([0])).item() == 0
    with pytest.raises(ValueError, match="'mean', 'sum' or 'none'"):
        F.mse_loss(gt.ones(1), gt.ones(1), reduction="max")
    with pytest.raises(ValueError, match="reduction"):
        nn.MSELoss("max")
    with pytest.raises(IndexError):
        F.cross_entropy(gt.ones(1, 3), gt.tensor([3])).item()
    for bad in (
        lambda: F.cross_entropy(gt.ones(2, 3), gt.tensor([1])),
        lambda: F.cross_entropy(gt.ones(2, 3), None),
    ):
        with pytest.raises((gt.GTError, TypeError)):
            bad()


def test_attention():
    q, k, v = (numbers((2, 3, 4, 5), seed=s) for s in range(3))

    def reference(bias):
        scores = q @ k.swapaxes(-1, -2) / math.sqrt(5) + bias
        return np.exp(log_softmax(scores)) @ v

    x = [gt.tensor(a) for a in (q, k, v)]
    check(F.scaled_dot_product_attention(*x), reference(0), 1e-5)
    check(F.scaled_dot_product_attention(x[0] / math.sqrt(5), *x[1:], scale=1), reference(0), 1e-5)
    uniform = np.broadcast_to(v.mean(-2, keepdims=True), reference(0).shape)
    check(F.scaled_dot_product_attention(*x, scale=0.0), uniform, 1e-5)
    check(F.scaled_dot_product_attention(*x, scale=None), reference(0), 1e-5)
    mask = np.tril(np.ones((4, 4), bool))
    causal = np.where(mask, 0, -np.inf)
    check(F.scaled_dot_product_attention(*x, is_causal=True), reference(causal), 1e-5)
    check(F.scaled_dot_product_attention(*x, attn_mask=gt.tensor(mask)), reference(causal), 1e-5)
    bias = numbers((4, 4), seed=9)
    check(F.scaled_dot_product_attention(*x, gt.tensor(bias)), reference(bias), 1e-5)
    assert F.scaled_dot_product_attention(*x, dropout_p=1.0).abs().sum().item() == 0


# ---- initialisation ------------------------------------------------------------------------------


def test_init():
    gt.manual_seed(3)
    w = gt.zeros(200, 100, requires_grad=True)
    init = nn.init
    assert init.uniform_(w, 2, 3) is w and w.is_leaf and 2 <= w.min().item() and w.max().item() < 3
    assert init.normal_(w, 1, 0.5).mean().item() == pytest.approx(
        1, abs=0.02
    ) and w.std().item() == pytest.approx(0.5, abs=0.02)
    assert (
        init.constant_(w, 3).sum().item() == 60000
        and init.zeros_(w).sum().item() == 0
        and init.ones_(w).mean().item() == 1
    )
    for f, expected in (
        (init.xavier_uniform_, math.sqrt(2 / 300)),
        (init.xavier_normal_, math.sqrt(2 / 300)),
        (init.kaiming_uniform_, math.sqrt(2 / 100)),
        (init.kaiming_normal_, math.sqrt(2 / 100)),
    ):
        assert f(w).std().item() == pytest.approx(expected, rel=0.03)
    assert init.kaiming_normal_(
        w, mode="fan_out", nonlinearity="relu"
    ).std().item() == pytest.approx(0.1, rel=0.03)
    assert init.calculate_gain("tanh") == 5 / 3 and init.calculate_gain("leaky_relu", 1) == 1
    for bad in (
        lambda: init.kaiming_normal_(gt.ones(3)),
        lambda: init.kaiming_normal_(w, mode="x"),
        lambda: init.calculate_gain("x"),
    ):
        with pytest.raises(ValueError):
            bad()


def test_apply_goes_in_order():
    m = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.ReLU(), nn.Tanh()))
    seen = []
    m.apply(lambda x: seen.append(type(x).__name__))
    assert seen == ["Linear", "ReLU", "Tanh", "Sequential", "Sequential"]


def test_modules_are_not_lost_to_other_values():
    m = MLP()
    with pytest.raises(TypeError, match="fc1 is a module"):
        m.fc1 = 3
    m.fc1 = nn.Identity()
    m.fc1 = None
    assert [n for n, _ in m.named_children()] == ["fc2", "drop"]


def test_attention_rows_without_a_key():
    q, k = gt.ones(2, 3, requires_grad=True), gt.ones(4, 3)
    mask = gt.tensor([[False] * 4, [True, False, False, True]])
    y = F.scaled_dot_product_attention(q, k, k, mask)
    assert y.tolist() == [[0, 0, 0], [1, 1, 1]]
    y.sum().backward()
    assert gt.isfinite(q.grad).all()


class Adds(nn.Module):
    def __init__(self, below=None):
        self.below = below

    def forward(self, x, *, times=1):
        return x + times if self.below is None else self.below(x, times=times)


def test_a_module_is_called_as_its_forward():
    assert Adds(Adds())(gt.zeros(()), times=3).item() == 3
    with pytest.raises(TypeError, match="forward"):
        Adds()()
    with pytest.raises(NotImplementedError, match=r"Plain has no forward\(\)"):
        type("Plain", (nn.Module,), {})()(1)

    class Twice(Adds):
        def __call__(self, x):
            return super().__call__(super().__call__(x))

    assert Twice()(gt.zeros(())).item() == 2
    own = Adds()
    own.forward = lambda x: x * 0 + 7
    assert own(gt.zeros(())).item() == 7


def test_a_module_below_itself_ends_in_an_error():
    m = Adds()
    m.__dict__["below"] = m
    with pytest.raises(RecursionError):
        m(gt.zeros(()))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(5000)
    try:
        deep = Adds()
        for _ in range(1500):
            deep = Adds(deep)
        assert deep(gt.zeros(())).item() == 1
    finally:
        sys.setrecursionlimit(limit)


def test_an_operation_in_a_layer_belongs_to_the_line_that_called_it():
    layer = nn.Sequential(nn.Sequential(nn.Embedding(3, 2)))
    y = layer(gt.tensor([5]))
    line = sys._getframe().f_lineno - 1
    with pytest.raises(Exception, match=rf"test_nn\.py:{line} "):
        y.numpy()
