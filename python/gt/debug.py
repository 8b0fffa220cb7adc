"""Looking inside: what the workers did, which loops they found, and what became of them.

    >>> import gt
    >>> gt.debug.print_worker_stats()
    >>> print(gt.debug.explain())
"""

from typing import Any

import gt
from gt import _gt

__all__ = ["explain", "get_worker_stats", "print_worker_stats"]


def get_worker_stats() -> dict[str, dict[str, Any]]:
    """The figures of the workers that execute for this process, by name ("worker_0").

    Everything issued so far is waited for, and looked through for loops. Of each worker:
    `operations` (total, eager, compiled), `hotpath` (a batch is one run of a loop) and `memory`.
    Empty before the first tensor.
    """
    gt.synchronize()
    found = _gt._worker_stats()
    return {f"worker_{found[0]}": found[1]} if found else {}


def print_worker_stats() -> None:
    """Print what `get_worker_stats` returns."""
    for name, blocks in get_worker_stats().items():
        print(f"{name}:")
        for block, figures in blocks.items():
            print(f"  {block}:")
            for what, figure in figures.items():
                _print_figure(what, figure)


def _print_figure(what, figure):
    if what == "coverage":
        print(f"    {what}: {figure:.1%}")
    elif what == "top_sequences":
        for q in figure:
            hot = "hot" if q["hot"] else "not hot"
            print(f"    Stream({q['hash']}:{q['length']}ops): {q['executed']} times, {hot}")
    else:
        print(f"    {what}: {figure}")


def explain(full: bool = False, kernel: str | None = None) -> str:
    """What is known of the loops of this program, as text: for each its operations with the lines
    they come from, how often it ran, whether it is replayed or why not, and what it was compiled
    to: a line a kernel, and why kernels end where they do.

    With full=True each loop before and after it was simplified, step by step. With kernel=NAME only
    that kernel: its operations, LLVM's representation of it, the assembly.
    """
    gt.synchronize()
    return _gt._explain(full, kernel)
