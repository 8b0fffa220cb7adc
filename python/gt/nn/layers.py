"""Layers and losses: modules around the functions of gt.nn.functional, with PyTorch's initial
values."""

import math

from gt import _gt
from gt.nn import functional as F
from gt.nn import init
from gt.nn.module import Module

__all__ = [
    "Linear",
    "Embedding",
    "LayerNorm",
    "Dropout",
    "Identity",
    "Flatten",
    "ReLU",
    "GELU",
    "SiLU",
    "Tanh",
    "Sigmoid",
    "Softmax",
    "MSELoss",
    "CrossEntropyLoss",
    "NLLLoss",
    "BCELoss",
    "BCEWithLogitsLoss",
]


def _new(*shape, dtype=None):
    """A parameter to be initialised."""
    return _gt.empty(*shape, dtype=dtype, requires_grad=True)


class Linear(Module):
    """x @ weight.T + bias, with weight (out_features, in_features); uniform in +-1 /
    sqrt(in_features) at first."""

    def __init__(self, in_features, out_features, bias=True, dtype=None):
        self.in_features = in_features
        self.out_features = out_features
        self.weight = _new(out_features, in_features, dtype=dtype)
        self.register_parameter("bias", _new(out_features, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self):
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Embedding(Module):
    """Rows of weight (num_embeddings, embedding_dim) at integer indices; standard normal at
    first."""

    def __init__(self, num_embeddings, embedding_dim, dtype=None):
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.weight = _new(num_embeddings, embedding_dim, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self):
        init.normal_(self.weight)

    def forward(self, index):
        return F.embedding(index, self.weight)

    def extra_repr(self):
        return f"{self.num_embeddings}, {self.embedding_dim}"


class LayerNorm(Module):
    """Normalised over the trailing dims, times weight plus bias; ones and zeros at first."""

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, dtype=None):
        shape = (
            (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        )
        self.normalized_shape = shape
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.register_parameter("weight", _new(*shape, dtype=dtype) if elementwise_affine else None)
        self.register_parameter(
            "bias", _new(*shape, dtype=dtype) if elementwise_affine and bias else None
        )
        self.reset_parameters()

    def reset_parameters(self):
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, x):
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class Dropout(Module):
    """In training, zeros with probability p and the rest divided by 1 - p."""

    def __init__(self, p=0.5):
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p is a probability, got {p}")
        self.p = p

    def forward(self, x):
        return F.dropout(x, self.p, self.training)

    def extra_repr(self):
        return f"p={self.p}"


class Identity(Module):
    """Takes any arguments and returns its input."""

    def __init__(self, *args, **names):
        pass

    def forward(self, x):
        return x


class Flatten(Module):
    """Dims start_dim to end_dim made one; the first stays by default."""

    def __init__(self, start_dim=1, end_dim=-1):
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, x):
        return x.flatten(self.start_dim, self.end_dim)

    def extra_repr(self):
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x):
        return F.relu(x)


class GELU(Module):
    """x * Phi(x)."""

    def forward(self, x):
        return F.gelu(x)


class SiLU(Module):
    """x * sigmoid(x)."""

    def forward(self, x):
        return F.silu(x)


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, x):
        return F.tanh(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, x):
        return F.sigmoid(x)


class Softmax(Module):
    """Softmax along a dim."""

    def __init__(self, dim=-1):
        self.dim = dim

    def forward(self, x):
        return F.softmax(x, self.dim)

    def extra_repr(self):
        return f"dim={self.dim}"


class _Loss(Module):
    """A function of (input, target) and a reduction: 'mean', 'sum' or 'none'."""

    def __init__(self, reduction="mean"):
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f"reduction is {reduction!r}: expected 'mean', 'sum' or 'none'")
        self.reduction = reduction

    def forward(self, input, target):
        return self.function(input, target, self.reduction)


class MSELoss(_Loss):
    """(input - target) squared."""

    function = staticmethod(F.mse_loss)


class _ClassLoss(_Loss):
    def __init__(self, reduction="mean", ignore_index=-100):
        super().__init__(reduction)
        self.ignore_index = ignore_index

    def forward(self, input, target):
        return self.function(input, target, self.reduction, self.ignore_index)


class CrossEntropyLoss(_ClassLoss):
    """-log softmax(input) at the target class; targets that are ignore_index do not count."""

    function = staticmethod(F.cross_entropy)


class NLLLoss(_ClassLoss):
    """-input at the target class; input holds log probabilities."""

    function = staticmethod(F.nll_loss)


class BCELoss(_Loss):
    """Binary cross entropy of probabilities."""

    function = staticmethod(F.binary_cross_entropy)


class BCEWithLogitsLoss(_Loss):
    """Binary cross entropy of sigmoid(input)."""

    function = staticmethod(F.binary_cross_entropy_with_logits)
