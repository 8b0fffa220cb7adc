"""The workloads of `make bench-peers`, each written once for every system.

A workload is data (parameters, inputs, how it ends) and one function loss(f, p, x): `f` holds the
functions that systems spell differently (peers_systems.py), `p` the parameters, `x` the inputs of
this step; methods (@, sum, mean, reshape, swapaxes) mean the same everywhere. Parameters, and
inputs that are made once, come from whole-number arithmetic, so that every system starts from the
same bits.

How a step ends, and thereby why nothing in it can be left out:
  forward   the loss is read
  squares   the loss and the sum of the squared gradients of all inputs are read as one number
  sgd       gradients update the parameters; the loss is read
  adamw     the same with AdamW
"""

from collections import namedtuple

RATE = 0.01             # of sgd
ADAMW = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01}

# An input or parameter: deviation 0 means constant 0, None constant 1; `below` means whole numbers.
Array = namedtuple("Array", "shape deviation below", defaults=(1.0, 0))
Workload = namedtuple("Workload", "name doc parameters inputs loss ending tolerance")


def chain(f, p, x):
    a, b, c, d = x
    return (((a @ b) @ c) @ d).mean()


def attention(f, p, x):
    q, k, v = x
    return f.square(f.softmax((q @ k.swapaxes(0, 1)) * 0.125) @ v).mean()


def mixed(f, p, x):
    a, b, c = x
    h = f.relu(a @ b + c)
    g = f.sigmoid(h * 0.5) * f.tanh(a - b)
    r = f.exp(-(g * g)) + h / (1.0 + f.abs(b))
    return f.square(r - r.mean(0)).sum(1).mean()


def mlp(f, p, x):
    h, y = x
    for k in range(0, len(p), 2):
        h = h @ p[k] + p[k + 1]
        if k + 2 < len(p):
            h = f.relu(h)
    return f.square(h - y).mean()


def elementwise(f, p, x):
    x, y = x
    x = (x + y) * 0.5
    x = f.relu(x) - y
    x = (x * x + 1.0) * y
    x = f.abs(x) + 0.25
    x = (x - y) * 2.0
    x = x + y
    return x.sum()


def product_relu(f, p, x):
    a, b = x
    return f.relu(a @ b).sum()


def softmax_norm(f, p, x):
    return f.square(f.softmax(f.layer_norm(x[0], p[0], p[1]))).sum()


def ten(f, p, x):
    a, b, c = x
    h = f.tanh(f.relu(a @ b + c) * 0.5 - a)
    return (f.abs(h * b) + 0.5).mean()


DIM, HEADS, BATCH, LENGTH, VOCABULARY, LAYERS = 128, 4, 4, 64, 256, 2


def gpt(f, p, x):
    tokens, targets = x
    p = iter(p)
    h = f.embedding(next(p), tokens) + next(p)
    for _ in range(LAYERS):
        n = f.layer_norm(h, next(p), next(p))
        q, k, v = (f.split(n @ next(p) + next(p), 3))
        q, k, v = (t.reshape(BATCH, LENGTH, HEADS, DIM // HEADS).swapaxes(1, 2) for t in (q, k, v))
        a = f.causal_attention(q, k, v).swapaxes(1, 2).reshape(BATCH, LENGTH, DIM)
        h = h + (a @ next(p) + next(p))
        n = f.layer_norm(h, next(p), next(p))
        h = h + (f.gelu(n @ next(p) + next(p)) @ next(p) + next(p))
    logits = f.layer_norm(h, next(p), next(p)) @ next(p)
    return f.cross_entropy(logits.reshape(BATCH * LENGTH, VOCABULARY),
                           targets.reshape(BATCH * LENGTH))


def linear(n, m):
    return [Array((n, m), n ** -0.5), Array((m,), 0)]


def norm(n):
    return [Array((n,), None), Array((n,), 0)]


def gpt_parameters():
    p = [Array((VOCABULARY, DIM), 0.1), Array((LENGTH, DIM), 0.1)]
    for _ in range(LAYERS):
        p += norm(DIM) + linear(DIM, 3 * DIM) + linear(DIM, DIM)
        p += norm(DIM) + linear(DIM, 4 * DIM) + linear(4 * DIM, DIM)
    return p + norm(DIM) + linear(DIM, VOCABULARY)[:1]


def mlp_of(name, doc, sizes, batch, tolerance=1e-3):
    parameters = [a for n, m in zip(sizes, sizes[1:]) for a in linear(n, m)]
    inputs = [Array((batch, sizes[0])), Array((batch, sizes[-1]))]
    return Workload(name, doc, parameters, inputs, mlp, "sgd", tolerance)


def plain(name, doc, loss, *shapes, parameters=(), ending="forward", tolerance=1e-3):
    return Workload(name, doc, list(parameters), [Array(s) for s in shapes], loss, ending,
                    tolerance)


def square(n, count):
    return [(n, n)] * count


TOKENS = Array((BATCH, LENGTH), 1.0, VOCABULARY)

TRAINING = [
    plain("chain", "three 64 x 64 products", chain, *square(64, 4), ending="squares"),
    plain("attention", "attention on 64 x 64", attention, *square(64, 3), ending="squares"),
    plain("mixed", "mixed ops on 32 x 32", mixed, *square(32, 2), (32,), ending="squares"),
    mlp_of("mlp", "MLP 32-64-32-10, batch 16, SGD", (32, 64, 32, 10), 16),
]
LARGER = [
    mlp_of("mlp_784", "MLP 784-256-10, batch 128, SGD", (784, 256, 10), 128),
    mlp_of("mlp_1024", "MLP 1024-4096-1024, batch 512, SGD", (1024, 4096, 1024), 512),
    plain("element_12", "12 elementwise ops on 2^12", elementwise, (1 << 12,), (1 << 12,)),
    plain("element_20", "12 elementwise ops on 2^20", elementwise, (1 << 20,), (1 << 20,)),
    plain("product_relu", "256 x 256 product, relu", product_relu, *square(256, 2)),
    plain("softmax_norm", "layer norm, softmax on 512 x 1024", softmax_norm, (512, 1024),
          parameters=norm(1024)),
    plain("ten", "ten ops on 8 x 8", ten, *square(8, 3)),
    Workload("gpt", "two-layer GPT, d 128, 4 heads, batch 4 x 64, AdamW", gpt_parameters(),
             [TOKENS, TOKENS], gpt, "adamw", 1e-2),
]
ALL = {w.name: w for w in TRAINING + LARGER}
