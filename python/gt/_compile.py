"""gt.compile: which part of a program is one piece of work."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, overload

from gt import _gt

F = TypeVar("F", bound=Callable[..., Any])
# By number in the stream; 0 is left alone.
MODES = {mode: number for number, mode in enumerate(_gt._compile_modes.split(), 1)}


def number_of(mode: str, enable: bool) -> int:
    """The number of a mode in the stream; 0 is left alone."""
    if mode not in MODES:
        raise ValueError(f"compile: mode is {mode!r}, expected one of {', '.join(map(repr, MODES))}")
    return MODES[mode] if enable else 0


@overload
def compile(model: F, mode: str = "default", enable: bool = True) -> F: ...
@overload
def compile(
    model: None = None, mode: str = "default", enable: bool = True
) -> Callable[[F], F]: ...
def compile(model=None, mode="default", enable=True):
    """Mark a function or a module as a piece of work that is compiled as a whole.

    What it issues while it runs is one region from its first run on, whatever GT_AUTO_COMPILE says;
    not a bit of what it computes changes. With enable=False it is left alone instead, also where
    loops are looked for. A module is marked and returned: its parameters, names and state are what
    they were. A function is wrapped. Without a model this is a decorator:

        @gt.compile(mode="max-autotune")
        def step(x, y): ...

    Gradients run when `backward` is called, so mark what calls it to have them in the piece.
    """
    number = number_of(mode, enable)
    if model is None:
        return lambda wrapped: compile(wrapped, mode, enable)
    if isinstance(model, _module_class()):
        model.__dict__["_compiled"] = number
        return model
    if isinstance(model, type) or not callable(model):
        raise TypeError(f"compile: expected a function or a module object, got {model!r}")

    @functools.wraps(model)
    def compiled(*args, **names):
        _gt._compile_begin(number)
        try:
            return model(*args, **names)
        finally:
            _gt._compile_end()

    return compiled


def _module_class():
    from gt.nn import Module

    return Module
