#!/usr/bin/env python3
"""A network learns to read handwritten digits.

    python examples/digits.py [--steps 40000] [--seed 0] [--hot-paths]

1,797 pictures of 8 x 8 grey values; every fifth is held out. The network has 64 inputs, 128 hidden
units and 10 outputs. At the end the pictures that were held out are classified; less than 95 %
right is a failure.

With --hot-paths the first quarter of the steps runs as it comes; then GT is told to look for what
repeats, and a little later the program waits until what was found is compiled (it need not: then
compiling goes on beside it). At the end: what a step took before and since, and the break-even, the
step from which on looking, compiling and waiting had paid for themselves.
"""

import argparse
import csv
import gzip
import os
import statistics
import sys
import time

import gt
from gt import nn
from gt.hotpath_detector import enable_hot_path_detection

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "digits.csv.gz")
BATCH = 32
COMPILED_AFTER = 200  # steps with hot paths


def read_digits():
    """Pictures (n, 64) between 0 and 1 and classes (n,), for training and held out."""
    with gzip.open(DATA, "rt") as file:
        rows = [[int(v) for v in row] for row in csv.reader(file)]
    held_out = rows[::5]
    training = [row for k, row in enumerate(rows) if k % 5]
    return [
        part
        for rows in (training, held_out)
        for part in (
            gt.tensor([row[:64] for row in rows]) / 16,
            gt.tensor([row[64] for row in rows]),
        )
    ]


class Digits(nn.Module):
    def __init__(self):
        self.hidden = nn.Linear(64, 128)
        self.out = nn.Linear(128, 10)

    def forward(self, x):
        return self.out(gt.relu(self.hidden(x)))


def accuracy(model, pictures, classes):
    with gt.no_grad():
        right = model(pictures).argmax(1) == classes
    return right.float().mean().item()


def show_progress(step, steps, loss, begin):
    """A bar that moves on a terminal, a line now and then elsewhere."""
    text = f"loss {loss:7.4f}   {time.perf_counter() - begin:5.1f} s"
    if sys.stdout.isatty():
        full = 30 * step // steps
        print(
            f"\r[{'#' * full}{'.' * (30 - full)}] {step:6d}/{steps}   {text}",
            end="\n" if step == steps else "",
            flush=True,
        )
    else:
        print(f"step {step:6d}/{steps}   {text}", flush=True)


class Stopwatch:
    """What a step takes: the median of many stretches, in seconds."""

    def __init__(self, stretch):
        self.stretch = stretch
        self.restart()

    def restart(self):
        self.times = []
        self.steps = -1
        self.waited = 0.0

    def wait(self):
        """Until what was found is compiled: part of no step."""
        begin = time.perf_counter()
        gt.compile_wait()
        self.waited = time.perf_counter() - begin
        self.begin += self.waited

    def median(self):
        return statistics.median(self.times)

    def step(self):
        self.steps += 1
        if self.steps % self.stretch:
            return
        gt.synchronize()
        now = time.perf_counter()
        if self.steps:
            self.times.append((now - self.begin) / self.stretch)
        self.begin = now


def break_even(eager, watch):
    """Steps after which the time since, the wait included, is, and stays, at most that of as many
    eager ones; None if it does not get there."""
    at, lead = None, -watch.waited
    for k, each in enumerate(watch.times):
        lead += (eager - each) * watch.stretch
        if lead < 0:
            at = None
        elif at is None:
            at = (k + 1) * watch.stretch
    return at


def show_hot_paths(eager, watch):
    worker = next(iter(gt.debug.get_worker_stats().values()))
    hot, compiled = worker["hotpath"], worker["operations"]["compiled"]
    longest = max(hot["top_sequences"], key=lambda s: s["executed"] * s["length"], default=None)
    if longest is None:
        print("hot paths: none was found")
        return
    since, at = watch.median(), break_even(eager, watch)
    how = "compiled" if 2 * compiled > hot["hot_instructions"] else "replayed"
    print(
        f"hot paths: a loop of {longest['length']} operations ran {longest['executed']} times; "
        f"{hot['coverage']:.1%} of all operations were replayed since, "
        f"{compiled / hot['total_instructions']:.1%} by compiled kernels"
    )
    print(
        f"a step:    {eager * 1e6:.1f} µs eager, {since * 1e6:.1f} µs {how} "
        f"({eager / since:.2f}x; medians)"
    )
    print(
        "break-even: "
        + (f"after {at}" if at else f"not within {len(watch.times) * watch.stretch}")
        + f" steps; waiting for the compiler took {watch.waited:.3f} s of it"
    )
    # The worker alone: Python, which issues the next step meanwhile, does not count.
    for line in gt.debug.explain().splitlines():
        if "of the executor:" in line:
            print(f"of it the worker: {line.partition(':')[2].strip()}")
        elif line.startswith("  demoted"):
            print(f"what was slower is off: {line.strip()}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=40000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hot-paths", action="store_true", help="detect them, and compare")
    args = parser.parse_args()
    if args.hot_paths and args.steps < 400:
        parser.error(f"--hot-paths wants 400 steps or more, got {args.steps}")

    gt.manual_seed(args.seed)
    pictures, classes, test_pictures, test_classes = read_digits()
    model = Digits()
    optimizer = nn.SGD(model.parameters(), lr=0.05, momentum=0.9)
    print(
        f"{len(pictures)} pictures to learn from, {len(test_pictures)} held out, "
        f"{sum(p.numel() for p in model.parameters())} parameters, {args.steps} steps of {BATCH}"
    )
    print(
        f"before: {accuracy(model, test_pictures, test_classes):.1%} of the held-out digits are "
        f"read correctly"
    )

    begin = time.perf_counter()
    every = max(1, args.steps // (200 if sys.stdout.isatty() else 10))
    detect_at = args.steps // 4 if args.hot_paths else 0
    watch = Stopwatch(max(1, args.steps // 400))
    for step in range(1, args.steps + 1):
        batch = gt.randint(0, len(pictures), (BATCH,))
        loss = nn.functional.cross_entropy(model(pictures[batch]), classes[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % every == 0 or step == args.steps:
            show_progress(step, args.steps, loss.item(), begin)
        if args.hot_paths:
            watch.step()
        if detect_at and step == detect_at + COMPILED_AFTER:
            watch.wait()
        if step == detect_at:
            before = watch.median()
            if sys.stdout.isatty():
                print()
            print("from here on GT looks for what repeats:", flush=True)
            enable_hot_path_detection()
            watch.restart()
    seconds = time.perf_counter() - begin

    result = accuracy(model, test_pictures, test_classes)
    print(
        f"after:  {result:.1%} of the held-out digits are read correctly "
        f"({seconds:.1f} s, {args.steps / seconds:.0f} steps a second)"
    )
    if detect_at:
        show_hot_paths(before, watch)
    return 0 if result >= 0.95 else 1


if __name__ == "__main__":
    sys.exit(main())
