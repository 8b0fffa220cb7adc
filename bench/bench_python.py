#!/usr/bin/env python3
"""What the Python package costs: a small operation with the user's line, a read, the start.

    python bench/bench_python.py

Medians of many short loops; between loops the workers are waited for, so that only the client is
measured. The loop itself and its variables are in the figures.
"""

import statistics
import subprocess
import sys
import time

import gt

LOOP = 1000
ROUNDS = 200


def loop(statement, names):
    """A function that runs the statement LOOP times, so that it has a line of its own."""
    code = f"def run():\n    for _ in range({LOOP}):\n        {statement}\n"
    exec(compile(code, "bench_python.py", "exec"), names)
    return names["run"]


def nanoseconds(statement, **names):
    run = loop(statement, {"gt": gt, **names})
    times = []
    for _ in range(ROUNDS):
        gt.synchronize()
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return statistics.median(times) / LOOP * 1e9


def seconds_of(program):
    """Of a fresh interpreter, as the program itself prints them; the median of several."""
    times = []
    for _ in range(9):
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        times.append(float(done.stdout))
    return statistics.median(times)


def main():
    a, b = gt.ones(4, 4), gt.ones(4, 4)
    w = gt.ones(4, 4, requires_grad=True)
    layers = gt.nn.Sequential(gt.nn.Linear(4, 4), gt.nn.Linear(4, 4))
    sgd = gt.optim.SGD(layers.parameters(), lr=1e-9)
    for p in layers.parameters():
        p.grad = gt.zeros_like(p)
    ready = gt.ones(())
    ready.item()
    rows = [
        ("an empty loop", nanoseconds("pass")),
        ("a + b", nanoseconds("a + b", a=a, b=b)),
        ("a * 2.0", nanoseconds("a * 2.0", a=a)),
        ("gt.relu(a)", nanoseconds("gt.relu(a)", a=a)),
        ("a.sum(1)", nanoseconds("a.sum(1)", a=a)),
        ("a.sum(dim=1)", nanoseconds("a.sum(dim=1)", a=a)),
        ("a @ b", nanoseconds("a @ b", a=a, b=b)),
        ("a[0]", nanoseconds("a[0]", a=a)),
        ("a.reshape(2, 8)", nanoseconds("a.reshape(2, 8)", a=a)),
        ("w * 2.0, recorded", nanoseconds("w * 2.0", w=w)),
        ("kept[k] = a + b", nanoseconds("kept[_] = a + b", a=a, b=b, kept=[None] * LOOP)),
        ("two layers", nanoseconds("layers(a)", layers=layers, a=a)),
        ("a step of SGD, 4 parameters", nanoseconds("sgd.step()", sgd=sgd)),
        ("item() of a ready value", nanoseconds("x.item()", x=ready)),
        ("(a + 1.0).sum().item()", nanoseconds("(a + 1.0).sum().item()", a=a)),
    ]
    for name, cost in rows:
        print(f"{name:<28}{cost:>10.0f} ns")
    clock = "import time; t = time.perf_counter(); "
    begin = "print(time.perf_counter() - t)"
    print(f"{'import gt':<28}{seconds_of(clock + 'import gt; ' + begin) * 1e3:>10.1f} ms")
    first = "import gt, time; t = time.perf_counter(); gt.ones(2).sum().item(); "
    print(f"{'start to the first result':<28}{seconds_of(first + begin) * 1e3:>10.2f} ms")


if __name__ == "__main__":
    main()
