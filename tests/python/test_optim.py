"""Optimisers: several steps against the formulas, computed in NumPy."""

import numpy as np
import pytest

import gt
from gt import nn, optim

START = np.array([1.0, -2.0, 3.0])
STEPS = 5


def gradients(k):
    """A gradient for step k, whatever the parameter is."""
    return np.array([0.5, -1.0, 2.0]) * (k + 1) ** 0.5


def run(make):
    p = gt.tensor(START, requires_grad=True)
    optimizer = make([p])
    for k in range(STEPS):
        p.grad = gt.tensor(gradients(k))
        optimizer.step()
    return p.detach().numpy(), optimizer


@pytest.mark.parametrize(
    "momentum,dampening,decay,nesterov,maximize",
    [
        (0, 0, 0, False, False),
        (0.9, 0, 0, False, False),
        (0.9, 0.5, 0, False, False),
        (0.9, 0, 0, True, False),
        (0, 0, 0.1, False, False),
        (0.9, 0, 0.1, True, False),
        (0.5, 0.1, 0.2, False, True),
    ],
)
def test_sgd(momentum, dampening, decay, nesterov, maximize):
    w, v = START.copy(), None
    for k in range(STEPS):
        g = gradients(k) * (-1 if maximize else 1) + decay * w
        if momentum:
            v = g.copy() if v is None else momentum * v + (1 - dampening) * g
            g = g + momentum * v if nesterov else v
        w -= 0.1 * g
    got, _ = run(
        lambda p: optim.SGD(
            p,
            lr=0.1,
            momentum=momentum,
            dampening=dampening,
            weight_decay=decay,
            nesterov=nesterov,
            maximize=maximize,
        )
    )
    np.testing.assert_allclose(got, w, rtol=1e-12)


@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW])
@pytest.mark.parametrize("decay", [0, 0.1])
def test_adam(kind, decay):
    w, m, v = START.copy(), 0.0, 0.0
    b1, b2, lr, eps = 0.8, 0.95, 0.1, 1e-6
    for k in range(1, STEPS + 1):
        g = gradients(k - 1)
        if kind is optim.AdamW:
            w *= 1 - lr * decay
        else:
            g = g + decay * w
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        w -= lr * (m / (1 - b1**k)) / (np.sqrt(v / (1 - b2**k)) + eps)
    got, _ = run(lambda p: kind(p, lr=lr, betas=(b1, b2), eps=eps, weight_decay=decay))
    np.testing.assert_allclose(got, w, rtol=1e-12)


def test_groups():
    a, b, c = (gt.ones(1, requires_grad=True) for _ in range(3))
    optimizer = nn.SGD([{"params": [a]}, {"params": b, "lr": 1.0}], lr=0.1)
    optimizer.add_param_group({"params": [c], "momentum": 0.5})
    for p in (a, b, c):
        p.grad = gt.ones(1)
    optimizer.step()
    assert [round(p.item(), 6) for p in (a, b, c)] == [0.9, 0.0, 0.9]
    assert [g["lr"] for g in optimizer.param_groups] == [0.1, 1.0, 0.1] and "lr: 1.0" in repr(
        optimizer
    )
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    optimizer.step()
    assert b.item() == 0


def test_parameters_without_gradient_stay():
    a, b = gt.ones(1, requires_grad=True), gt.ones(1, requires_grad=True)
    a.grad = gt.ones(1)
    optimizer = optim.Adam([a, b])
    optimizer.step()
    assert (
        b.item() == 1
        and a.item() != 1
        and a.is_leaf
        and a.requires_grad
        and len(optimizer.state) == 1
    )


def test_zero_grad_and_closure():
    a = gt.ones(1, requires_grad=True)
    optimizer = optim.SGD(iter([a]), lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (a * 3).sum()
        loss.backward()
        return loss

    with gt.no_grad():
        assert optimizer.step(closure).item() == 3
    assert a.item() == -0.5
    optimizer.zero_grad(set_to_none=False)
    assert a.grad.item() == 0
    optimizer.zero_grad()
    assert a.grad is None and gt.is_grad_enabled()


def test_momentum_keeps_its_own_buffer():
    a = gt.ones(1, requires_grad=True)
    optimizer = optim.SGD([a], lr=1.0, momentum=0.5)
    a.grad = gt.ones(1)
    optimizer.step()
    a.grad.zero_()
    optimizer.step()
    assert a.item() == -0.5


@pytest.mark.parametrize(
    "kind", [lambda p: optim.SGD(p, 0.1, momentum=0.9), lambda p: optim.AdamW(p, 0.1)]
)
def test_state_dict(kind):
    a, b = gt.tensor(START, requires_grad=True), gt.tensor(START, requires_grad=True)
    x, y = kind([a]), kind([b])
    for k in range(6):
        a.grad = gt.tensor(gradients(k))
        x.step()
        if k == 2:
            y.load_state_dict(x.state_dict())
            b.data = a.data
        elif k > 2:
            b.grad = gt.tensor(gradients(k))
            y.step()
    assert gt.equal(a, b) and list(x.state_dict()["state"]) == [0]
    with pytest.raises(ValueError, match="groups"):
        kind([gt.ones(1, requires_grad=True), gt.ones(1, requires_grad=True)]).load_state_dict(
            x.state_dict()
        )


@pytest.mark.parametrize(
    "make,text",
    [
        (lambda p: optim.SGD([]), "no parameters"),
        (lambda p: optim.SGD([p], lr=-1), "lr"),
        (lambda p: optim.SGD([p, p]), "twice"),
        (lambda p: optim.SGD([p], nesterov=True), "nesterov"),
        (lambda p: optim.SGD([p * 2]), "leaf"),
        (lambda p: optim.SGD([1]), "tensors"),
        (lambda p: optim.Adam([p], betas=(1.0, 0.9)), "betas"),
        (lambda p: optim.SGD([{"params": [p], "rl": 1}]), "'rl'"),
    ],
)
def test_mistakes(make, text):
    with pytest.raises((ValueError, TypeError), match=text):
        make(gt.ones(1, requires_grad=True))


def test_clip_grad_norm():
    a, b, c = (
        gt.ones(2, requires_grad=True),
        gt.ones(1, requires_grad=True),
        gt.ones(1, requires_grad=True),
    )
    a.grad, b.grad = gt.tensor([3.0, 0.0]), gt.tensor([4.0])
    assert nn.clip_grad_norm_([a, b, c], 1.0).item() == 5
    np.testing.assert_allclose([*a.grad.tolist(), b.grad.item()], [0.6, 0, 0.8], rtol=1e-5)
    before = a.grad.tolist()
    nn.utils.clip_grad_norm_(a, 10)
    assert a.grad.tolist() == before and c.grad is None
    assert nn.clip_grad_norm_([a, b], 0.1, norm_type=float("inf")).item() == pytest.approx(0.8)
    assert b.grad.item() == pytest.approx(0.1, rel=1e-5) and nn.clip_grad_norm_([c], 1).item() == 0


def test_training_falls():
    gt.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
    x = gt.randn(64, 4)
    y = x[:, :1] * x[:, 1:2]
    for kind in (
        lambda p: optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
        lambda p: optim.Adam(p, 0.01),
        lambda p: optim.AdamW(p, 0.01),
    ):
        optimizer, losses = kind(model.parameters()), []
        for _ in range(150):
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss)
        assert losses[-1].item() < losses[0].item()
    assert losses[-1].item() < 0.1
