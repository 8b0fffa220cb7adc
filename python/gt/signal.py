"""Names for parts of a program. A signal without configuration changes nothing.

with gt.signal.context("forward", backward="backward"):
    y = model(x)
"""

import functools

from gt import _gt
from gt._compile import number_of
from gt._gt import Tensor

__all__ = ["context", "enter", "exit", "current", "tensor", "compile"]


class context:
    """A named part of the program, as a `with` block or a decorator; gradients of what is
    recorded inside
    run under the signal `backward`."""

    def __init__(self, name, backward=None):
        self.name = name
        self.backward = backward

    def __enter__(self):
        enter(self.name, self.backward)
        return self

    def __exit__(self, *exception):
        exit(self.name)

    def __call__(self, function):
        @functools.wraps(function)
        def wrapped(*args, **names):
            with self:
                return function(*args, **names)

        return wrapped


def enter(name, backward=None):
    """Begin a named part of the program; signals nest."""
    _gt._enter(name, backward)


def exit(name=None):
    """End the innermost part; with a name, check that it is the one."""
    inner = _gt._current()
    if name is not None and inner is not None and inner != name:
        raise ValueError(f"signal {name!r} cannot end: the innermost one is {inner!r}")
    _gt._leave()


def current():
    """Name of the innermost signal, or None."""
    return _gt._current()


def tensor(x, name):
    """x, or a tensor made from it, as a result of the signal `name`; elements are not copied."""
    with context(name):
        return x.reshape(x.shape) if isinstance(x, Tensor) else _gt.tensor(x)


def compile(name, mode="default", enable=True):
    """From its next `enter` on, each part under that signal is compiled as a whole, or left alone
    (enable=False), as by gt.compile; enable=None: as if it had never been said. To compile the
    gradients too, name their signal and say the same of it."""
    _gt._signal_compile(name, -1 if enable is None else number_of(mode, enable))
