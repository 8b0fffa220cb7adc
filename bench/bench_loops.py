#!/usr/bin/env python3
"""Training loops as programs have them, compiled against eager execution.

    python bench/bench_loops.py [--rounds N] [LOOP]...

Batches are sliced from a tensor, chosen by indices or uploaded; the loss is read in every step, or in one of a hundred,
and then the worker runs beside the program. Each loop runs in a process of its own for each way; rounds take turns.
Printed are the least times of a step and the median of the ratios, round by round: compiled code should never lose.
"""
import argparse
import os
import statistics
import sys
import time

import numpy

import gt
from gt import nn, optim

from child import Child

SETTLE, ROUND = 1.0, 0.25       # seconds
ROWS, BATCH, WIDTH = 2048, 64, 64


class Data:
    """Rows and labels, in GT and as the arrays that programs upload."""

    def __init__(self):
        made = numpy.random.default_rng(1)
        self.rows = made.standard_normal((ROWS, WIDTH), dtype=numpy.float32)
        self.labels = made.integers(0, 10, ROWS)
        self.x, self.y = gt.tensor(self.rows), gt.tensor(self.labels)
        self.order = gt.tensor(made.permutation(ROWS))

    def slice(self, k):
        return self.x[k:k + BATCH], self.y[k:k + BATCH]

    def choose(self, k):
        at = self.order[k:k + BATCH]
        return self.x[at], self.y[at]

    def upload(self, k):
        return gt.tensor(self.rows[k:k + BATCH]), gt.tensor(self.labels[k:k + BATCH])


def classify(batch, optimiser, *inner):
    """A training step of Linear, `inner` and Linear; `optimiser` makes one of the parameters."""
    model = nn.Sequential(nn.Linear(WIDTH, 32), *inner, nn.Linear(32, 10))
    opt = optimiser(model.parameters())

    def step(k):
        x, y = batch(k)
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        return loss
    return step


def evaluate(data):
    model = nn.Sequential(nn.Linear(WIDTH, 32), nn.ReLU(), nn.Linear(32, 10))

    def step(k):
        x, y = data.slice(k)
        with gt.no_grad():
            return (model(x).argmax(1) == y).sum()
    return step


def unrolled(data):
    weights = [gt.randn(n, m) * 0.1 for n, m in ((WIDTH, 32), (32, 32), (32, 10))]
    for w in weights:
        w.requires_grad_()

    def step(k):
        x, y = data.slice(k)
        h = gt.zeros(BATCH // 4, 32)
        for t in range(0, BATCH, BATCH // 4):
            h = (x[t:t + BATCH // 4] @ weights[0] + h @ weights[1]).tanh()
        loss = nn.functional.cross_entropy(h @ weights[2], y[:BATCH // 4])
        loss.backward()
        with gt.no_grad():
            for w in weights:
                w.sub_(w.grad * 0.01)
                w.grad = None
        return loss
    return step


def sgd(parameters):
    return optim.SGD(parameters, lr=0.05)


def adam(parameters):
    return optim.Adam(parameters, lr=1e-3)


LOOPS = {
    "slices": lambda d: classify(d.slice, sgd, nn.ReLU()),
    "chosen": lambda d: classify(d.choose, sgd, nn.ReLU()),
    "uploads": lambda d: classify(d.upload, sgd, nn.ReLU()),
    "adam": lambda d: classify(d.slice, adam, nn.ReLU()),
    "dropout": lambda d: classify(d.slice, adam, nn.ReLU(), nn.Dropout(0.2)),
    "norm": lambda d: classify(d.slice, adam, nn.LayerNorm(32), nn.GELU()),
    "unrolled": unrolled,
    "evaluate": evaluate,
}


def serve(name, every):
    """Child: on each line one round; answers its seconds a step."""
    gt.manual_seed(1)
    step = LOOPS[name](Data())
    n = 0

    def run(seconds):
        nonlocal n
        first, begin = n, time.perf_counter()
        while time.perf_counter() - begin < seconds:
            for _ in range(20):
                loss = step(n % (ROWS // BATCH) * BATCH)
                n += 1
                if n % every == 0:
                    loss.item()
        loss.item()
        return (time.perf_counter() - begin) / (n - first)

    run(SETTLE)
    for _ in sys.stdin:
        print(run(ROUND), flush=True)


class Way(Child):
    def __init__(self, name, every, compiled):
        super().__init__([sys.executable, os.path.abspath(__file__), "--serve", name, str(every)],
                         GT_AUTO_COMPILE=str(int(compiled)), GT_QUIET="1", GT_CACHE_DIR="", GT_THREADS="1")


def measure(name, every, rounds):
    # One behind the other, or the second would settle beside the first.
    ways = []
    for compiled in (False, True):
        ways.append(Way(name, every, compiled))
        ways[-1].ask()
    times = [[way.ask() for way in ways] for _ in range(rounds)]
    for way in ways:
        way.end()
    least = [min(t) * 1e6 for t in zip(*times)]
    ratio = statistics.median(eager / hot for eager, hot in times)
    print(f"{name:10} {every:5} {least[0]:10.1f} {least[1]:10.1f} {ratio:8.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", nargs=2, metavar=("LOOP", "EVERY"), help=argparse.SUPPRESS)
    parser.add_argument("loops", nargs="*", metavar="LOOP", help=f"of {', '.join(LOOPS)}; all")
    args = parser.parse_args()
    if args.serve:
        serve(args.serve[0], int(args.serve[1]))
        return
    unknown = [name for name in args.loops if name not in LOOPS]
    if unknown or args.rounds < 1:
        parser.error(f"there is no loop {unknown[0]}" if unknown else "--rounds: 1 or more")
    print(f"{'loop':10} {'read':>5} {'eager, us':>10} {'hot, us':>10} {'times':>8}"
          "   (read: every so many steps)")
    for name in args.loops or LOOPS:
        for every in (1, 100):
            measure(name, every, args.rounds)


if __name__ == "__main__":
    main()
