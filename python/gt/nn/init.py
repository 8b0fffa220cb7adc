"""Initialisation in place, under the names of torch.nn.init; each function returns its tensor."""

import math

from gt.autograd import no_grad

__all__ = [
    "calculate_gain",
    "uniform_",
    "normal_",
    "constant_",
    "zeros_",
    "ones_",
    "xavier_uniform_",
    "xavier_normal_",
    "kaiming_uniform_",
    "kaiming_normal_",
]


@no_grad()
def uniform_(tensor, a=0.0, b=1.0):
    """Uniform in [a, b)."""
    return tensor.uniform_(a, b)


@no_grad()
def normal_(tensor, mean=0.0, std=1.0):
    """Normal."""
    return tensor.normal_(mean, std)


@no_grad()
def constant_(tensor, val):
    """Every element is val."""
    return tensor.fill_(val)


def zeros_(tensor):
    """Zeros."""
    return constant_(tensor, 0.0)


def ones_(tensor):
    """Ones."""
    return constant_(tensor, 1.0)


def calculate_gain(nonlinearity, param=None):
    """What a non-linearity is to be compensated by."""
    gains = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 0.75}
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in gains:
        raise ValueError(
            f"no gain is known for {nonlinearity!r}: expected leaky_relu, {', '.join(gains)}"
        )
    return gains[nonlinearity]


def _fans(tensor):
    """Inputs and outputs of a weight (out, in, ...)."""
    if tensor.ndim < 2:
        raise ValueError(f"fan in and fan out need at least 2 dims, got shape {tensor.shape}")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def xavier_uniform_(tensor, gain=1.0):
    """Uniform in +-gain * sqrt(6 / (in + out)) (Glorot and Bengio, 2010)."""
    bound = gain * math.sqrt(6.0 / max(sum(_fans(tensor)), 1))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor, gain=1.0):
    """Normal with deviation gain * sqrt(2 / (in + out))."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / max(sum(_fans(tensor)), 1)))


def _kaiming_deviation(tensor, a, mode, nonlinearity):
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode is {mode!r}: expected 'fan_in' or 'fan_out'")
    fan = _fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan, 1))


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    """Uniform in +-gain * sqrt(3 / fan) (He et al., 2015)."""
    bound = math.sqrt(3.0) * _kaiming_deviation(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    """Normal with deviation gain / sqrt(fan)."""
    return normal_(tensor, 0.0, _kaiming_deviation(tensor, a, mode, nonlinearity))
