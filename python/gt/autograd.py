"""Gradients: recording on and off, gradients as values, a check of gradients."""

import functools
import itertools

from gt import _gt
from gt._gt import Tensor, is_grad_enabled
from gt.errors import GradError

__all__ = [
    "no_grad",
    "enable_grad",
    "set_grad_enabled",
    "is_grad_enabled",
    "grad",
    "backward",
    "gradcheck",
]


class _Mode:
    """Recording on or off inside a `with` block or a decorated function, for this thread."""

    on = True

    def __enter__(self):
        self.before = _gt._set_grad(self.on)
        return self

    def __exit__(self, *exception):
        _gt._set_grad(self.before)

    def __call__(self, function):
        @functools.wraps(function)
        def wrapped(*args, **names):
            before = _gt._set_grad(self.on)
            try:
                return function(*args, **names)
            finally:
                _gt._set_grad(before)

        return wrapped


def _class_too(mode):
    """`@no_grad` is the same as `@no_grad()`."""

    def new(cls, function=None):
        self = object.__new__(cls)
        return self if function is None else self(function)

    mode.__new__ = new
    return mode


@_class_too
class no_grad(_Mode):
    """Record nothing: `with gt.no_grad():` or `@gt.no_grad()`."""

    on = False


@_class_too
class enable_grad(_Mode):
    """Record again inside a no_grad block."""

    on = True


class set_grad_enabled(_Mode):
    """Switch recording at once; as a context manager, until the end of the block."""

    def __init__(self, mode):
        self.on = bool(mode)
        self.before = _gt._set_grad(self.on)

    def __enter__(self):
        return self


def _tuple(x):
    return (x,) if x is None or isinstance(x, Tensor) else tuple(x)


def grad(
    outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, allow_unused=False
):
    """Gradients of sum(outputs * grad_outputs) with respect to inputs, as a tuple; .grad is not
    touched.

    An input that no output depends on is an error, or None where allow_unused.
    """
    outputs = _tuple(outputs)
    seeds = (None,) * len(outputs) if grad_outputs is None else _tuple(grad_outputs)
    retain = create_graph if retain_graph is None else retain_graph
    return _gt._gradients(outputs, _tuple(inputs), seeds, retain, create_graph, allow_unused)


def backward(tensors, grad_tensors=None, retain_graph=False):
    """backward() of several tensors."""
    tensors = _tuple(tensors)
    seeds = (None,) * len(tensors) if grad_tensors is None else _tuple(grad_tensors)
    if len(seeds) != len(tensors):
        raise ValueError(f"{len(tensors)} tensors need as many gradients, got {len(seeds)}")
    for k, (x, seed) in enumerate(zip(tensors, seeds)):
        # Tensors may share a part of the graph: only the last one gives it up.
        x.backward(seed, retain_graph or k + 1 < len(tensors))


def gradcheck(f, inputs, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True):
    """Compare the gradients of f with finite differences; True if they agree.

    f takes the inputs (float64, small) and returns a tensor or a tuple of them.
    """
    inputs = _tuple(inputs)
    for k, (i, x) in enumerate(itertools.product(range(len(_tuple(f(*inputs)))), inputs)):
        if not (isinstance(x, Tensor) and x.requires_grad):
            continue
        exact = _jacobian(lambda: _tuple(f(*inputs))[i], x)
        near = _differences(lambda: _tuple(f(*inputs))[i], x, eps)
        for row, (a, b) in enumerate(zip(exact, near)):
            for column, (u, v) in enumerate(zip(a, b)):
                if not abs(u - v) <= atol + rtol * abs(v):
                    if not raise_exception:
                        return False
                    raise GradError(
                        f"gradcheck: output {i}, element {row}, by input {k % len(inputs)}, "
                        f"element {column}: the gradient is {u}, finite differences say {v}"
                    )
    return True


def _jacobian(f, x):
    """Row r: the gradient of element r of f() by the elements of x."""
    y = f()
    rows = []
    for r in range(y.numel()):
        seed = _gt.one_hot(_gt.tensor(r), y.numel()).to(y.dtype).reshape(y.shape)
        (g,) = grad(y, x, seed, retain_graph=True, allow_unused=True)
        rows.append([0.0] * x.numel() if g is None else g.reshape(-1).tolist())
    return rows


def _differences(f, x, eps):
    """The same by central differences: x is moved in place and put back."""
    columns = []
    kept = x.detach().clone()
    with no_grad():
        for c in range(x.numel()):
            step = _gt.one_hot(_gt.tensor(c), x.numel()).to(x.dtype).reshape(x.shape) * eps
            x.copy_(kept + step)
            above = f().reshape(-1).tolist()
            x.copy_(kept - step)
            below = f().reshape(-1).tolist()
            columns.append([(a - b) / (2 * eps) for a, b in zip(above, below)])
        x.copy_(kept)
    return list(zip(*columns))
