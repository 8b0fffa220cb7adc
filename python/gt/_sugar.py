"""What is simpler to say in Python: functions made of other operations, and second names."""

import builtins

from gt import _gt
from gt._gt import Tensor

__all__ = [
    "absolute",
    "allclose",
    "asarray",
    "clip",
    "concat",
    "concatenate",
    "divide",
    "equal",
    "expand_dims",
    "floor_divide",
    "is_tensor",
    "leaky_relu",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "multiply",
    "negative",
    "norm",
    "power",
    "ravel",
    "remainder",
    "repeat",
    "roll",
    "subtract",
    "take_along_axis",
    "tile",
    "true_divide",
]

# ---- functions of a tensor -----------------------------------------------------------------------


def leaky_relu(input, negative_slope=0.01):
    """x where it is positive, else negative_slope * x."""
    return _gt.where(input > 0, input, input * negative_slope)


def norm(input, p=2, axis=None, keepdims=False, *, dim=None, keepdim=False):
    """The p-norm over dims: p a number, inf, -inf or 'fro' (the same as 2)."""
    axis = dim if axis is None else axis
    keepdims = keepdims or keepdim
    size = input.abs()
    if p == 2 or p == "fro":
        return size.square().sum(axis, keepdims).sqrt()
    if p == builtins.float("inf"):
        return size.amax(axis, keepdims)
    if p == -builtins.float("inf"):
        return size.amin(axis, keepdims)
    if p == 0:
        return (size != 0).sum(axis, keepdims).to(input.dtype)
    return (size**p).sum(axis, keepdims) ** (1 / p)


def repeat(input, *sizes):
    """Copies side by side: sizes[k] times along dim k; more sizes than dims add dims in front."""
    sizes = _ints(sizes)
    shape = (1,) * (len(sizes) - input.ndim) + input.shape
    if len(sizes) < input.ndim:
        raise ValueError(f"repeat: {len(sizes)} numbers for {input.ndim} dims")
    wide = [n for pair in zip((1,) * len(shape), shape) for n in pair]
    copies = [n for pair in zip(sizes, shape) for n in pair]
    if len(wide) <= 8:
        return input.reshape(wide).expand(copies).reshape([a * b for a, b in zip(sizes, shape)])
    out = input.reshape(shape)
    for k, n in enumerate(sizes):
        out = _gt.cat([out] * n, k) if n else out[(slice(None),) * k + (slice(0, 0),)]
    return out


def tile(input, *sizes):
    """repeat, with a size of 1 for the dims in front where there are fewer sizes than dims."""
    sizes = _ints(sizes)
    return repeat(input, (1,) * (input.ndim - len(sizes)) + sizes)


def roll(input, shifts, dims=None):
    """Elements moved along dims, those at the end coming in at the front."""
    if dims is None:
        return roll(input.reshape(-1), shifts, 0).reshape(input.shape)
    out = input
    for shift, k in zip(_ints((shifts,)), _ints((dims,)), strict=True):
        n = out.shape[k]
        cut = -shift % n if n else 0
        if cut:
            out = _gt.cat([out.transpose(0, k)[cut:], out.transpose(0, k)[:cut]]).transpose(0, k)
    return out


def take_along_axis(input, indices, axis):
    """NumPy's: elements at the indices along an axis; the other dims broadcast."""
    axis = range(input.ndim)[axis]
    if indices.ndim != input.ndim:
        raise ValueError(f"take_along_axis: {indices.ndim} dims of indices for {input.ndim} dims")
    others = [builtins.max(a, b) if a and b else 0 for a, b in zip(input.shape, indices.shape)]
    x, i = others.copy(), others
    x[axis], i[axis] = input.shape[axis], indices.shape[axis]
    return input.expand(x).gather(axis, indices.expand(i))


def allclose(input, other, rtol=1e-5, atol=1e-8):
    """Whether all elements are nearly equal. Reads."""
    other = _gt.as_tensor(other)
    near = (input - other).abs() <= atol + rtol * other.abs()
    return bool(((input == other) | near).all())


def equal(input, other):
    """Whether shapes and all elements are equal. Reads."""
    return input.shape == other.shape and bool((input == other).all())


def logical_not(input):
    """Not, of bools; numbers are true unless zero."""
    return ~input.bool()


def logical_and(input, other):
    """And, of bools; numbers are true unless zero."""
    return input.bool() & _gt.as_tensor(other).bool()


def logical_or(input, other):
    """Or, of bools; numbers are true unless zero."""
    return input.bool() | _gt.as_tensor(other).bool()


def logical_xor(input, other):
    """Exclusive or, of bools; numbers are true unless zero."""
    return input.bool() ^ _gt.as_tensor(other).bool()


def scatter_add_(input, axis, index, source):
    """scatter_add in place."""
    return input.copy_(input.scatter_add(axis, index, source))


def uniform_(input, low=0.0, high=1.0):
    """Fill with uniform random numbers in [low, high)."""
    return input.copy_(_gt.rand_like(input.detach()) * (high - low) + low)


def normal_(input, mean=0.0, std=1.0):
    """Fill with normal random numbers."""
    return input.copy_(_gt.randn_like(input.detach()) * std + mean)


def is_tensor(x):
    """Whether x is a tensor."""
    return isinstance(x, Tensor)


def _ints(values):
    """(2, 3) and ((2, 3),) are the same."""
    return (
        tuple(values[0])
        if len(values) == 1 and isinstance(values[0], (tuple, list))
        else tuple(values)
    )


# ---- second names --------------------------------------------------------------------------------

absolute = _gt.abs
asarray = _gt.as_tensor
clip = _gt.clamp
concat = concatenate = _gt.cat
divide = true_divide = _gt.div
expand_dims = _gt.unsqueeze
floor_divide = _gt.floordiv
multiply = _gt.mul
negative = _gt.neg
power = _gt.pow
ravel = _gt.flatten
remainder = _gt.mod
subtract = _gt.sub

# ---- methods -------------------------------------------------------------------------------------

for _f in (
    leaky_relu,
    norm,
    repeat,
    tile,
    roll,
    take_along_axis,
    allclose,
    equal,
    logical_not,
    logical_and,
    logical_or,
    logical_xor,
    scatter_add_,
    uniform_,
    normal_,
):
    setattr(Tensor, _f.__name__, _f)
for _name in __all__:
    _f = globals()[_name]
    if _name != _f.__name__ and hasattr(Tensor, _f.__name__):
        setattr(Tensor, _name, getattr(Tensor, _f.__name__))

# NumPy arrays and scalars on the left leave the operation to the tensor on the right.
Tensor.__array_priority__ = 1000
