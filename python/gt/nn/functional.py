"""Functions of networks, under the names of torch.nn.functional; all of them are functions of
gt, too."""

from gt._gt import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    dropout,
    embedding,
    gelu,
    layer_norm,
    linear,
    log_softmax,
    mse_loss,
    nll_loss,
    one_hot,
    relu,
    scaled_dot_product_attention,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from gt._sugar import leaky_relu

__all__ = [name for name in dir() if not name.startswith("_")]
