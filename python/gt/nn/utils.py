"""Helpers for training."""

from gt import _gt
from gt.autograd import no_grad

__all__ = ["clip_grad_norm_"]


@no_grad()
def clip_grad_norm_(parameters, max_norm, norm_type=2.0):
    """Scale all gradients so that their norm, taken together, is at most max_norm; returns the
    norm before.

    Nothing is read: the factor is a tensor.
    """
    parameters = [parameters] if isinstance(parameters, _gt.Tensor) else parameters
    gradients = [g for g in (p.grad for p in parameters) if g is not None]
    if not gradients:
        return _gt.tensor(0.0)
    norms = _gt.stack([g.norm(norm_type).to(gradients[0].dtype) for g in gradients])
    total = norms.norm(norm_type)
    factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for g in gradients:
        g *= factor
    return total
