"""The systems of `make bench-peers`: how each one makes a step of a workload.

build(system, workload, fresh, mode) returns step(), which does one step and returns the float that
is read at its end. With fresh=True inputs are drawn in the step by the system's own generator.

Every system is written as its best users write it. Eager ones record gradients, update in place
and use fused optimisers where there are any; for the compiled peers the whole step, drawing and
update included, is one function that is compiled.
"""

import importlib
from types import SimpleNamespace

from peers_workloads import ADAMW, RATE


def noise(whole, array, offset):
    """An array of the same bits everywhere, mean about 0 and none of them 0, where systems differ
    in the slopes of relu and abs; whole(n) is 0 .. n-1 as int32."""
    n = 1
    for s in array.shape:
        n *= s
    i = whole(n) + 7919 * offset
    i = ((i % 1009) * 17 + (i % 1013) * 29) % 251
    if array.below:
        return (i % array.below).reshape(array.shape)
    return (2 * i.reshape(array.shape) - 249) * (array.deviation / 145)


# ---- GT and PyTorch: one dialect ----------------------------------------------------------------


def functions_of(xp):
    """The functions of workloads, for modules that look like PyTorch's."""
    nn = xp.nn.functional
    return SimpleNamespace(
        relu=xp.relu, sigmoid=xp.sigmoid, tanh=xp.tanh, exp=xp.exp, abs=xp.abs, square=xp.square,
        gelu=nn.gelu, embedding=lambda table, ids: nn.embedding(ids, table),
        softmax=lambda x: nn.softmax(x, -1),
        layer_norm=lambda x, w, b: nn.layer_norm(x, x.shape[-1:], w, b),
        split=lambda x, n: x.chunk(n, -1),
        causal_attention=lambda q, k, v: nn.scaled_dot_product_attention(q, k, v, is_causal=True),
        cross_entropy=nn.cross_entropy,
    )


def array_like_torch(xp, array, offset):
    if array.deviation is None:
        return xp.ones(*array.shape)
    if array.deviation == 0:
        return xp.zeros(*array.shape)
    made = noise(lambda n: xp.arange(n, dtype=xp.int32), array, offset)
    return made.long() if array.below else made.float()


def draw_like_torch(xp, arrays, **kind):
    return [xp.randint(0, a.below, a.shape) if a.below else xp.randn(*a.shape, **kind)
            for a in arrays]


def make_like_torch(xp, w):
    """Parameters and the inputs that are made once."""
    p = [array_like_torch(xp, a, k) for k, a in enumerate(w.parameters)]
    x = [array_like_torch(xp, a, 100 + k) for k, a in enumerate(w.inputs)]
    return p, x


def eager(xp, w, fresh):
    f = functions_of(xp)
    p, kept = make_like_torch(xp, w)
    differentiable = {"requires_grad": True} if w.ending == "squares" else {}

    def inputs():
        return draw_like_torch(xp, w.inputs, **differentiable) if fresh else kept

    def forward():
        return w.loss(f, p, inputs()).item()

    def squares():
        leaves = inputs()
        for leaf in leaves:
            leaf.grad = None
        loss = w.loss(f, p, leaves)
        loss.backward()
        total = loss.detach()
        for leaf in leaves:
            total = total + (leaf.grad * leaf.grad).sum()
        return total.item()

    def sgd():
        loss = w.loss(f, p, inputs())
        loss.backward()
        with xp.no_grad():
            for t in p:
                t.add_(t.grad, alpha=-RATE)
                t.grad = None
        return loss.item()

    def adamw():
        loss = w.loss(f, p, inputs())
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        return loss.item()

    if w.ending == "squares":
        kept = [t.requires_grad_() for t in kept]
    elif w.ending != "forward":
        p = [t.requires_grad_() for t in p]
    if w.ending == "adamw":
        fused = {"fused": True} if xp.__name__ == "torch" else {}
        optimiser = xp.optim.AdamW(p, **ADAMW, **fused)
    return {"forward": forward, "squares": squares, "sgd": sgd, "adamw": adamw}[w.ending]


# ---- torch.compile ------------------------------------------------------------------------------


def torch_compiled(w, fresh, mode):
    import torch
    import torch._inductor.config

    # The generator of compiled code makes one number at a time; PyTorch's own is far faster.
    torch._inductor.config.fallback_random = True
    f = functions_of(torch)
    p, kept = make_like_torch(torch, w)
    m, v = ([torch.zeros_like(t) for t in p] if w.ending == "adamw" else [] for _ in range(2))
    time = torch.zeros(())

    def loss_of(p, x):
        return w.loss(f, p, x)

    def step(p, x, m, v, time):
        x = draw_like_torch(torch, w.inputs) if fresh else x
        if w.ending == "forward":
            return loss_of(p, x)
        argnum = 1 if w.ending == "squares" else 0
        gradients, loss = torch.func.grad_and_value(loss_of, argnums=argnum)(p, x)
        if w.ending == "squares":
            for g in gradients:
                loss = loss + (g * g).sum()
        elif w.ending == "sgd":
            # Not add_(g, alpha=-RATE): compiled, PyTorch 2.13 loses the factor.
            for t, g in zip(p, gradients):
                t.sub_(RATE * g)
        else:
            adamw_in_place(p, gradients, m, v, time)
        return loss

    def adamw_in_place(p, gradients, m, v, time):
        (b1, b2), rate = ADAMW["betas"], ADAMW["lr"]
        time.add_(1)
        step1, step2 = 1 - b1 ** time, (1 - b2 ** time).sqrt()
        for t, g, m1, m2 in zip(p, gradients, m, v):
            t.mul_(1 - rate * ADAMW["weight_decay"])
            m1.lerp_(g, 1 - b1)
            m2.mul_(b2).add_((1 - b2) * g * g)
            t.sub_(rate / step1 * m1 / (m2.sqrt() / step2 + ADAMW["eps"]))

    torch.compiler.reset()
    compiled = torch.compile(step, mode=mode)

    def run():
        with torch.no_grad():
            return compiled(p, kept, m, v, time).item()
    return run


# ---- jax.jit ------------------------------------------------------------------------------------


def functions_of_jax():
    import jax
    import jax.numpy as jnp

    def layer_norm(x, w, b):
        centred = x - x.mean(-1, keepdims=True)
        return centred * jax.lax.rsqrt((centred * centred).mean(-1, keepdims=True) + 1e-5) * w + b

    def causal_attention(q, k, v):
        scores = (q @ k.swapaxes(-1, -2)) * q.shape[-1] ** -0.5
        allowed = jnp.tril(jnp.ones(scores.shape[-2:], bool))
        return jax.nn.softmax(jnp.where(allowed, scores, -jnp.inf), -1) @ v

    def cross_entropy(logits, targets):
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), targets[:, None], 1)
        return -chosen.mean()

    return SimpleNamespace(
        relu=jax.nn.relu, sigmoid=jax.nn.sigmoid, tanh=jnp.tanh, exp=jnp.exp, abs=jnp.abs,
        square=jnp.square, gelu=lambda x: jax.nn.gelu(x, approximate=False),
        embedding=lambda table, ids: table[ids], softmax=lambda x: jax.nn.softmax(x, -1),
        layer_norm=layer_norm, split=lambda x, n: jnp.split(x, n, -1),
        causal_attention=causal_attention, cross_entropy=cross_entropy)


def array_of_jax(array, offset):
    import jax.numpy as jnp

    if array.deviation is None:
        return jnp.ones(array.shape)
    if array.deviation == 0:
        return jnp.zeros(array.shape)
    made = noise(lambda n: jnp.arange(n, dtype=jnp.int32), array, offset)
    return made if array.below else made.astype(jnp.float32)


def draw_of_jax(arrays, key):
    import jax

    keys = jax.random.split(key, len(arrays))
    return [jax.random.randint(k, a.shape, 0, a.below) if a.below else jax.random.normal(k, a.shape)
            for k, a in zip(keys, arrays)]


def jax_compiled(w, fresh):
    import jax
    import jax.numpy as jnp

    f = functions_of_jax()
    p = [array_of_jax(a, k) for k, a in enumerate(w.parameters)]
    kept = [array_of_jax(a, 100 + k) for k, a in enumerate(w.inputs)]
    moments = [jnp.zeros_like(t) for t in p] if w.ending == "adamw" else []
    state = (p, moments, [jnp.zeros_like(t) for t in moments], jnp.zeros(()), jax.random.key(1))

    def loss_of(p, x):
        return w.loss(f, p, x)

    def adamw(p, gradients, m, v, time):
        (b1, b2), rate = ADAMW["betas"], ADAMW["lr"]
        m = [b1 * a + (1 - b1) * g for a, g in zip(m, gradients)]
        v = [b2 * a + (1 - b2) * g * g for a, g in zip(v, gradients)]
        step1, step2 = 1 - b1 ** time, jnp.sqrt(1 - b2 ** time)
        p = [t * (1 - rate * ADAMW["weight_decay"])
             - rate / step1 * a / (jnp.sqrt(b) / step2 + ADAMW["eps"]) for t, a, b in zip(p, m, v)]
        return p, m, v

    def step(state, x):
        p, m, v, time, key = state
        if fresh:
            key, now = jax.random.split(key)
            x = draw_of_jax(w.inputs, now)
        if w.ending == "forward":
            return loss_of(p, x), (p, m, v, time, key)
        argnum = 1 if w.ending == "squares" else 0
        loss, gradients = jax.value_and_grad(loss_of, argnums=argnum)(p, x)
        if w.ending == "squares":
            loss = loss + sum((g * g).sum() for g in gradients)
        elif w.ending == "sgd":
            p = [t - RATE * g for t, g in zip(p, gradients)]
        else:
            time = time + 1
            p, m, v = adamw(p, gradients, m, v, time)
        return loss, (p, m, v, time, key)

    compiled = jax.jit(step, donate_argnums=0)

    def run():
        nonlocal state
        loss, state = compiled(state, kept)
        return float(loss)
    return run


# ---- all of them --------------------------------------------------------------------------------

# name: the module it needs, what it is called in tables, the eager system it is compared with.
SYSTEMS = {
    "gt": ("gt", "GT eager", None),
    "gt-compiled": ("gt", "GT compiled", "gt"),
    "torch": ("torch", "PyTorch", None),
    "torch-compile": ("torch", "torch.compile", "torch"),
    "torch-max": ("torch", "max-autotune", "torch"),
    "jax": ("jax", "jax.jit", "torch"),
}
PEERS = [name for name, (module, _, _) in SYSTEMS.items() if module != "gt"]


def build(system, w, fresh):
    if system == "jax":
        return jax_compiled(w, fresh)
    if system == "torch-compile":
        return torch_compiled(w, fresh, "default")
    if system == "torch-max":
        return torch_compiled(w, fresh, "max-autotune")
    return eager(importlib.import_module(SYSTEMS[system][0]), w, fresh)
