"""Neural networks: modules, layers, losses, initialisation; optimisers are here, too."""

from gt.nn import functional, init, utils
from gt.nn.module import Module, ModuleList, Parameter, ParameterList, Sequential
from gt.nn.layers import (
    GELU,
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    Dropout,
    Embedding,
    Flatten,
    Identity,
    LayerNorm,
    Linear,
    MSELoss,
    NLLLoss,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from gt.nn.utils import clip_grad_norm_
from gt.optim import SGD, Adam, AdamW, Optimizer

__all__ = [name for name in dir() if not name.startswith("_")]
