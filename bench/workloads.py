"""The training workloads that GT is measured on, written once for every framework.

Each workload is a function make(xp, fresh) that returns step(): one training step which ends in a read and
returns a float. `xp` is a namespace that looks like PyTorch's (gt itself, or torch). With fresh=True
the inputs are drawn anew in every step, else they are made once. Every result that is computed is used: gradients
feed the update or the number that is read, so dead code cannot win.
"""


def squares(xp, loss, leaves):
    """Loss plus the sum of squared gradients: what the three workloads without an update read."""
    total = loss.detach()
    for leaf in leaves:
        total = total + (leaf.grad * leaf.grad).sum()
    return total.item()


def drawn(xp, fresh, *shapes):
    """A function giving one differentiable tensor a shape: new ones each time, or the same with no gradient."""
    def draw():
        return [xp.randn(*shape, requires_grad=True) for shape in shapes]

    if fresh:
        return draw
    kept = draw()

    def again():
        for leaf in kept:
            leaf.grad = None
        return kept
    return again


def chain(xp, fresh):
    """Chain of three 64 x 64 products."""
    inputs = drawn(xp, fresh, *[(64, 64)] * 4)

    def step():
        a, b, c, d = leaves = inputs()
        loss = (((a @ b) @ c) @ d).mean()
        loss.backward()
        return squares(xp, loss, leaves)
    return step


def attention(xp, fresh):
    """Attention of 64 queries over 64 keys and values of width 64."""
    inputs = drawn(xp, fresh, *[(64, 64)] * 3)

    def step():
        q, k, v = leaves = inputs()
        weights = xp.softmax((q @ k.transpose(0, 1)) * 0.125, -1)
        loss = (weights @ v).square().mean()
        loss.backward()
        return squares(xp, loss, leaves)
    return step


def mixed(xp, fresh):
    """Products, activations, broadcasting and reductions on 32 x 32."""
    inputs = drawn(xp, fresh, (32, 32), (32, 32), (32,))

    def step():
        a, b, c = leaves = inputs()
        h = xp.relu(a @ b + c)
        g = xp.sigmoid(h * 0.5) * xp.tanh(a - b)
        r = xp.exp(-(g * g)) + h / (1.0 + xp.abs(b))
        loss = (r - r.mean(0)).square().sum(1).mean()
        loss.backward()
        return squares(xp, loss, leaves)
    return step


def sgd(xp, parameters, rate):
    with xp.no_grad():
        for p in parameters:
            p -= rate * p.grad
            p.grad = None


def mlp_of(xp, fresh, sizes, batch):
    parameters = []
    for n, m in zip(sizes, sizes[1:]):
        parameters += [xp.randn(n, m) * n ** -0.5, xp.zeros(m)]
    for p in parameters:
        p.requires_grad_()

    def data():
        return xp.randn(batch, sizes[0]), xp.randn(batch, sizes[-1])
    kept = data()

    def step():
        h, y = data() if fresh else kept
        for k in range(0, len(parameters), 2):
            h = h @ parameters[k] + parameters[k + 1]
            if k + 2 < len(parameters):
                h = xp.relu(h)
        loss = (h - y).square().mean()
        loss.backward()
        sgd(xp, parameters, 0.01)
        return loss.item()
    return step


def mlp_small(xp, fresh):
    """MLP 32-64-32-10, batch 16, SGD."""
    return mlp_of(xp, fresh, (32, 64, 32, 10), 16)


def mlp_large(xp, fresh):
    """MLP 784-256-10, batch 128, SGD."""
    return mlp_of(xp, fresh, (784, 256, 10), 128)


def elementwise(xp, fresh):
    """Chain of 12 elementwise operations on 2^20 floats."""
    n = 1 << 20
    kept = xp.randn(n), xp.randn(n)

    def step():
        x, y = (xp.randn(n), xp.randn(n)) if fresh else kept
        x = (x + y) * 0.5
        x = xp.relu(x) - y
        x = (x * x + 1.0) * y
        x = xp.abs(x) + 0.25
        x = (x - y) * 2.0
        x = x + y
        return x.sum().item()
    return step


# name, maker, steps a round
TRAINING = [("chain", chain, 200), ("attention", attention, 200), ("mixed", mixed, 200), ("mlp_small", mlp_small, 300)]
LARGER = [("mlp_large", mlp_large, 20), ("elementwise", elementwise, 10)]
