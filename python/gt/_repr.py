"""Text of tensors, as PyTorch shows them.

Only what is printed is read: of a large tensor the edges of each dim are put together first.
"""

import math

from gt import _gt

PRECISION = 4  # digits behind the point
THRESHOLD = 1000  # more elements are summarised
EDGE = 3  # elements shown at each end of a dim
WIDTH = 80
START = "tensor("


def tensor_repr(x):
    before = _gt._set_grad(False)
    try:
        summarised = x.numel() > THRESHOLD
        values = (_edges(x) if summarised else x.detach()).tolist()
    finally:
        _gt._set_grad(before)
    if x.numel() == 0:
        body = "[]"
    else:
        body = _Text(x, values, summarised).of(values, 0, len(START))
    return _with_facts(START + body, _facts(x))


def _edges(x):
    for k, n in enumerate(x.shape):
        if n > 2 * EDGE:
            everything = (slice(None),) * k
            x = _gt.cat(
                [x[everything + (slice(0, EDGE),)], x[everything + (slice(-EDGE, None),)]], k
            )
    return x


def _facts(x):
    """What stands behind the elements."""
    facts = []
    if x.numel() == 0 and x.ndim != 1:
        facts.append(f"size={x.shape}")
    usual = (_gt.float32,) if x.numel() == 0 else (_gt.float32, _gt.int64, _gt.bool)
    if x.dtype not in usual:
        facts.append(f"dtype={x.dtype}")
    if x.grad_fn is not None:
        facts.append(f"grad_fn={x.grad_fn}")
    elif x.requires_grad:
        facts.append("requires_grad=True")
    return facts


def _with_facts(text, facts):
    column = len(text) - text.rfind("\n") - 1
    for fact in facts:
        if column + len(fact) + 2 > WIDTH:
            text += ",\n" + " " * len(START) + fact
            column = len(START) + len(fact)
        else:
            text += ", " + fact
            column += len(fact) + 2
    return text + ")"


class _Text:
    """How the elements of one tensor are written: all in the same width and notation."""

    def __init__(self, x, values, summarised):
        self.shape = x.shape
        self.summarised = summarised
        flat = list(_flatten(values, x.ndim))
        self.write = self._float_writer(flat) if x.dtype.is_floating_point else str
        counted = flat
        if x.dtype.is_floating_point:
            counted = [v for v in flat if v and math.isfinite(v)]
        self.width = max((len(self.write(v)) for v in counted), default=1)

    @staticmethod
    def _float_writer(flat):
        sizes = [abs(v) for v in flat if v and math.isfinite(v)]
        low, high = (min(sizes), max(sizes)) if sizes else (1.0, 1.0)
        whole = all(v == math.ceil(v) for v in sizes)
        if high / low > 1000 or high > 1e8 or (low < 1e-4 and not whole):
            return f"{{:.{PRECISION}e}}".format
        if whole:
            return lambda v: f"{v:.0f}." if math.isfinite(v) else f"{v}"
        return f"{{:.{PRECISION}f}}".format

    def of(self, values, axis, indent):
        if axis == len(self.shape):
            return self.write(values).rjust(self.width)
        if axis == len(self.shape) - 1:
            return self._row([self.of(v, axis + 1, 0) for v in values], axis, indent)
        parts = [self.of(v, axis + 1, indent + 1) for v in values]
        self._cut(parts, axis, "...")
        between = ",".ljust(len(self.shape) - axis, "\n") + " " * (indent + 1)
        return "[" + between.join(parts) + "]"

    def _row(self, parts, axis, indent):
        self._cut(parts, axis, " ...")
        per_line = max(1, (WIDTH - indent) // (self.width + 2))
        lines = [", ".join(parts[k : k + per_line]) for k in range(0, len(parts), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"

    def _cut(self, parts, axis, mark):
        if self.summarised and self.shape[axis] > 2 * EDGE:
            parts.insert(EDGE, mark)


def _flatten(values, depth):
    if depth == 0:
        yield values
    else:
        for v in values:
            yield from _flatten(v, depth - 1)
