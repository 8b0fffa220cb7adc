"""Optimisers, with PyTorch's formulas, options and state.

A step issues a few instructions a parameter and reads nothing.
"""

import math

from gt import _gt
from gt._gt import Tensor

__all__ = ["Optimizer", "SGD", "Adam", "AdamW"]


class Optimizer:
    """Parameters in groups, each with options of its own; subclasses define _update(p, g, state,
    group)."""

    def __init__(self, params, defaults):
        params = [params] if isinstance(params, Tensor) else list(params)
        if not params:
            raise ValueError(f"{type(self).__name__}: there are no parameters to optimise")
        self.defaults = defaults
        self.param_groups = []
        self.state = {}
        for group in params if isinstance(params[0], dict) else [{"params": params}]:
            self.add_param_group(group)

    def add_param_group(self, group):
        """A dict with params and options that differ from the defaults."""
        group = {**self.defaults, **group}
        group["params"] = (
            [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        )
        unknown = [k for k in group if k not in self.defaults and k not in ("params", "initial_lr")]
        if unknown:
            raise ValueError(
                f"{type(self).__name__}: unknown option {unknown[0]!r}; known: "
                f"{', '.join(self.defaults)}"
            )
        known = {id(p) for other in self.param_groups for p in other["params"]}
        for p in group["params"]:
            if not isinstance(p, Tensor):
                raise TypeError(
                    f"{type(self).__name__}: parameters are tensors, got {type(p).__name__}"
                )
            if not p.is_leaf:
                raise ValueError(
                    f"{type(self).__name__}: a parameter has to be a leaf: this one was computed"
                )
            if id(p) in known:
                raise ValueError(f"{type(self).__name__}: a parameter is given twice")
            known.add(id(p))
        self.param_groups.append(group)

    def zero_grad(self, set_to_none=True):
        """Forget all gradients, or make them zero."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad = _gt.zeros_like(p)

    def step(self, closure=None):
        """Change every parameter that has a gradient. closure, if given, computes and returns
        the loss."""
        loss = None
        if closure is not None:
            before = _gt._set_grad(True)
            try:
                loss = closure()
            finally:
                _gt._set_grad(before)
        update, states = self._update, self.state
        before = _gt._set_grad(False)
        try:
            for group in self.param_groups:
                for p in group["params"]:
                    g = p.grad
                    if g is not None:
                        state = states.get(p)
                        if state is None:
                            state = states[p] = {}
                        update(p, g, state, group)
        finally:
            _gt._set_grad(before)
        return loss

    def _update(self, p, g, state, group):
        raise NotImplementedError

    def _numbered(self):
        return [p for group in self.param_groups for p in group["params"]]

    def state_dict(self):
        """State and options; parameters are numbered in the order they were given."""
        numbers = {p: k for k, p in enumerate(self._numbered())}
        groups = [
            {**group, "params": [numbers[p] for p in group["params"]]}
            for group in self.param_groups
        ]
        return {
            "state": {numbers[p]: dict(s) for p, s in self.state.items()},
            "param_groups": groups,
        }

    def load_state_dict(self, state_dict):
        """What state_dict returned, for the same parameters in the same order; tensors are
        copied."""
        groups = state_dict["param_groups"]
        if [len(g["params"]) for g in groups] != [len(g["params"]) for g in self.param_groups]:
            raise ValueError("load_state_dict: the groups have other numbers of parameters")
        for own, group in zip(self.param_groups, groups):
            own.update({k: v for k, v in group.items() if k != "params"})
        order = self._numbered()
        self.state = {
            order[int(k)]: {
                name: v.detach().clone() if isinstance(v, Tensor) else v for name, v in s.items()
            }
            for k, s in state_dict["state"].items()
        }

    def __repr__(self):
        lines = [f"{type(self).__name__} ("]
        for k, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {k}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])


def _check(name, **numbers):
    for option, value in numbers.items():
        if not value >= 0:
            raise ValueError(f"{name}: {option} has to be 0 or more, got {value}")


class SGD(Optimizer):
    """p -= lr * v, where v is the gradient or, with momentum, v = momentum * v + (1 - dampening)
    * gradient."""

    def __init__(
        self,
        params,
        lr=1e-3,
        momentum=0,
        dampening=0,
        weight_decay=0,
        nesterov=False,
        *,
        maximize=False,
    ):
        _check("SGD", lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("SGD: nesterov needs a momentum and no dampening")
        super().__init__(
            params,
            dict(
                lr=lr,
                momentum=momentum,
                dampening=dampening,
                weight_decay=weight_decay,
                nesterov=nesterov,
                maximize=maximize,
            ),
        )

    def _update(self, p, g, state, group):
        momentum = group["momentum"]
        if group["maximize"]:
            g = -g
        if group["weight_decay"]:
            g = g + p * group["weight_decay"]
        if momentum:
            v = state.get("momentum_buffer")
            fresh = g if v is None or not group["dampening"] else g * (1 - group["dampening"])
            v = state["momentum_buffer"] = g.clone() if v is None else v * momentum + fresh
            g = g + v * momentum if group["nesterov"] else v
        p -= g * group["lr"]


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2014): weight decay is added to the gradient."""

    decoupled = False

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, *, maximize=False
    ):
        name = type(self).__name__
        _check(name, lr=lr, eps=eps, weight_decay=weight_decay)
        if not all(0 <= b < 1 for b in betas):
            raise ValueError(f"{name}: betas have to be in [0, 1), got {betas}")
        super().__init__(
            params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize)
        )

    def _update(self, p, g, state, group):
        (b1, b2), lr, decay = group["betas"], group["lr"], group["weight_decay"]
        if group["maximize"]:
            g = -g
        if decay and self.decoupled:
            p *= 1 - lr * decay
        elif decay:
            g = g + p * decay
        step = state["step"] = state.get("step", 0) + 1
        m, v = g * (1 - b1), g.square() * (1 - b2)
        if step > 1:
            m, v = state["exp_avg"] * b1 + m, state["exp_avg_sq"] * b2 + v
        state["exp_avg"], state["exp_avg_sq"] = m, v
        # m / (1 - b1^step) / (sqrt(v / (1 - b2^step)) + eps), with the numbers taken together.
        root = math.sqrt(1 - b2**step)
        p -= m / (v.sqrt() + group["eps"] * root) * (lr * root / (1 - b1**step))


class AdamW(Adam):
    """Adam with weight decay of its own (Loshchilov and Hutter, 2017): p *= 1 - lr *
    weight_decay."""

    decoupled = True

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01, *, maximize=False
    ):
        super().__init__(params, lr, betas, eps, weight_decay, maximize=maximize)
