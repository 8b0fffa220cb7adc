#!/usr/bin/env python3
"""What compiling hot paths costs and brings: each workload with and without, one process each.

    python benchmarks/compilation_benchmark.py [--quick] [--workload NAME] [--iters N] [--json]

or from another program (a workload is a function that does one iteration and uses its result):

    from compilation_benchmark import *
    benchmark_workload('Simple Matmul', workload_simple_matmul, 50, 5)

(under `if __name__ == "__main__":` if the workload is that program's own).

Both processes do the same warm-up and the same iterations. After the warm-up the compiling one
waits for what its compiler still has to do, and both go on until what was compiled has been proved
and compared; what that costs is reported as the wait and the break-even counts it.
GT_HOTPATH_THRESHOLD is chosen so that loops are hot before the warm-up ends, unless it is set.
docs/benchmarks.md explains the output.
"""

import argparse
import functools
import json
import multiprocessing
import os
import sys
import time
import types

import gt

__all__ = [
    "WORKLOADS", "PATTERNS", "benchmark_workload", "benchmark_patterns", "print_summary",
    "workload_simple_matmul", "workload_mlp_training", "workload_attention",
    "workload_mixed_operations", "workload_matmul_relu", "workload_elementwise_chain",
    "workload_reduction_sequence", "workload_simple_ops", "workload_mlp_784",
]

ITERATIONS, WARMUP = 100, 5
QUICK_ITERATIONS = 30
SETTLING, SETTLING_SECONDS = 256, 1.0   # iterations between warm-up and steady state, at most
EVEN = 0.02             # as near to 1 as this, neither side wins
WIDTH = 80, 89          # of the two kinds of rules


# ---- workloads ----------------------------------------------------------------------------------


@functools.cache
def kept(*shapes, requires_grad=False):
    """Tensors that are made once in a process."""
    return [gt.randn(*s, requires_grad=requires_grad) for s in shapes]


def workload_simple_matmul():
    """Chain of three 64 x 64 products and its gradients."""
    leaves = [gt.randn(64, 64, requires_grad=True) for _ in range(4)]
    a, b, c, d = leaves
    loss = (((a @ b) @ c) @ d).mean()
    loss.backward()
    return sum(((t.grad * t.grad).sum() for t in leaves), loss.detach()).item()


@functools.cache
def mlp(sizes):
    """Weights and biases of an MLP, made once in a process."""
    layers = []
    for n, m in zip(sizes, sizes[1:]):
        layers += [gt.randn(n, m) * n ** -0.5, gt.zeros(m)]
    return [p.requires_grad_() for p in layers]


def mlp_step(sizes, batch):
    """One SGD step on fresh data."""
    parameters = mlp(sizes)
    h, y = gt.randn(batch, sizes[0]), gt.randn(batch, sizes[-1])
    for k in range(0, len(parameters), 2):
        h = h @ parameters[k] + parameters[k + 1]
        if k + 2 < len(parameters):
            h = gt.relu(h)
    loss = (h - y).square().mean()
    loss.backward()
    with gt.no_grad():
        for p in parameters:
            p -= 0.01 * p.grad
            p.grad = None
    return loss.item()


def workload_mlp_training():
    """A training step of an MLP 32-64-32-10, batch 16."""
    return mlp_step((32, 64, 32, 10), 16)


def workload_attention():
    """Attention of 64 queries over 64 keys of width 64, and its gradients."""
    leaves = [gt.randn(64, 64, requires_grad=True) for _ in range(3)]
    q, k, v = leaves
    loss = (gt.softmax((q @ k.transpose(0, 1)) * 0.125, -1) @ v).square().mean()
    loss.backward()
    return sum(((t.grad * t.grad).sum() for t in leaves), loss.detach()).item()


def workload_mixed_operations():
    """Products, activations, broadcasting and reductions on 32 x 32, and their gradients."""
    leaves = [gt.randn(*s, requires_grad=True) for s in ((32, 32), (32, 32), (32,))]
    a, b, c = leaves
    h = gt.relu(a @ b + c)
    g = gt.sigmoid(h * 0.5) * gt.tanh(a - b)
    r = gt.exp(-(g * g)) + h / (1.0 + gt.abs(b))
    loss = (r - r.mean(0)).square().sum(1).mean()
    loss.backward()
    return sum(((t.grad * t.grad).sum() for t in leaves), loss.detach()).item()


def workload_matmul_relu():
    """A 256 x 256 product and a relu."""
    a, b = kept((256, 256), (256, 256))
    return gt.relu(a @ b).sum().item()


def workload_elementwise_chain():
    """Twelve elementwise operations on 2^16 numbers."""
    x, y = kept((1 << 16,), (1 << 16,))
    z = gt.relu((x + y) * 0.5) - y
    z = gt.abs((z * z + 1.0) * y) + 0.25
    z = (z - y) * 2.0 + y
    return z.sum().item()


def workload_reduction_sequence():
    """Sums, means and maxima over rows and columns of 128 x 128."""
    (x,) = kept((128, 128))
    centred = x - x.mean(1, keepdim=True)
    spread = (centred * centred).mean(1, keepdim=True)
    z = centred / gt.sqrt(spread + 1e-5)
    return (z.amax(1).sum() + z.sum(0).square().mean()).item()


def workload_simple_ops():
    """Ten small operations on 8 x 8."""
    a, b, c = kept((8, 8), (8, 8), (8, 8))
    h = gt.tanh(gt.relu(a @ b + c) * 0.5 - a)
    return (gt.abs(h * b) + 0.5).mean().item()


def workload_mlp_784():
    """A training step of an MLP 784-256-10, batch 128."""
    return mlp_step((784, 256, 10), 128)


WORKLOADS = {
    "Simple Matmul Chain": workload_simple_matmul,
    "MLP Training Step": workload_mlp_training,
    "Attention Block": workload_attention,
    "Mixed Operations": workload_mixed_operations,
}
PATTERNS = {
    "Matmul + ReLU": workload_matmul_relu,
    "Elementwise Chain": workload_elementwise_chain,
    "Reduction Sequence": workload_reduction_sequence,
    "Simple Ops": workload_simple_ops,
    "MLP 784-256-10": workload_mlp_784,
}


# ---- one process --------------------------------------------------------------------------------


def run_iterations(workload, count):
    """Seconds of each iteration."""
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        workload()
        times.append(time.perf_counter() - begin)
    return times


def worker_stats():
    """The figures of all workers of this process, summed; shares are those of the first."""
    total = {}
    for worker in gt.debug.get_worker_stats().values():
        for block, figures in worker.items():
            sums = total.setdefault(block, dict.fromkeys(figures, 0))
            for name, figure in figures.items():
                if isinstance(figure, int):
                    sums[name] += figure
                else:
                    sums[name] = sums[name] or figure
    return total


def launches_of(stats):
    """Kernels started so far: one an operation, but for those that compiled code spared."""
    spared = stats["compilation"]["launches_saved"] if "compilation" in stats else 0
    return stats["operations"]["total"] - spared


def wait_for_compiler():
    """Seconds until what the iterations so far made hot is compiled."""
    begin = time.perf_counter()
    gt.compile_wait()
    return time.perf_counter() - begin


def settle(workload):
    """Iterations that are not part of the steady state: fresh code is proved, then compared with
    the other ways to run the loop, which takes a hundred runs or two. An eager process does them
    too."""
    count, seconds = 0, 0.0
    while count < SETTLING and seconds < SETTLING_SECONDS:
        seconds += run_iterations(workload, 1)[0]
        count += 1
    return {"iterations": count, "seconds": seconds}


def measure_here(workload, iterations, warmup):
    """Everything about the workload in this process, with the settings it has."""
    times = run_iterations(workload, warmup)
    waited = wait_for_compiler()
    settling = settle(workload)
    waited += wait_for_compiler()       # for what was found meanwhile
    before = worker_stats()
    times += run_iterations(workload, iterations - warmup)
    after = worker_stats()
    return {
        "times": times,
        "wait": waited,
        "settling": settling,
        "operations": after["operations"],
        "hotpath": {k: after["hotpath"][k] for k in ("hot_paths", "matches", "coverage")},
        "compilation": after.get("compilation"),
        "launches": (launches_of(after) - launches_of(before)) / (iterations - warmup),
    }


def answer(pipe, workload, iterations, warmup):
    """The child's side of measure()."""
    try:
        pipe.send(measure_here(workload, iterations, warmup))
    except Exception as e:
        pipe.send(f"{type(e).__name__}: {e}")


def start(child, workload):
    """The child loads the program itself only for a workload that is defined there: what else the
    program does is not for the child to do again."""
    main = sys.modules["__main__"]
    if getattr(getattr(workload, "func", workload), "__module__", None) != "__main__":
        sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        child.start()
    finally:
        sys.modules["__main__"] = main


def measure(workload, iterations, warmup, compiled):
    """measure_here() in a process of its own, which starts without any state of this one."""
    settings = {"GT_AUTO_COMPILE": str(int(compiled)), "GT_QUIET": "1"}
    if "GT_HOTPATH_THRESHOLD" not in os.environ:
        settings["GT_HOTPATH_THRESHOLD"] = str(max(1, min(10, warmup - 2)))
    before = {name: os.environ.get(name) for name in settings}
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    child = spawn.Process(target=answer, args=(there, workload, iterations, warmup))
    os.environ.update(settings)
    try:
        start(child, workload)
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    there.close()
    try:
        found = here.recv()
    except EOFError:
        child.join()
        found = f"its process ended with status {child.exitcode}"
    child.join()
    if isinstance(found, str):
        raise RuntimeError(f"{getattr(workload, '__name__', workload)}: {found}")
    return found


# ---- arithmetic ---------------------------------------------------------------------------------


def find_break_even(eager, compiled, warmup, wait):
    """The first iteration from whose end on the compiled total stays at or below the eager one;
    None if it does not get there in these iterations. The wait comes after the warm-up."""
    ahead_since, lead = None, 0.0
    for k, (e, c) in enumerate(zip(eager, compiled)):
        lead += e - c - (wait if k == warmup else 0)
        if lead < 0:
            ahead_since = None
        elif ahead_since is None:
            ahead_since = k + 1
    return ahead_since


def project_break_even(eager, compiled, warmup, wait):
    """Where the break-even will be if it goes on as in the steady state; None: never."""
    steady = len(eager) - warmup
    gain = (sum(eager[warmup:]) - sum(compiled[warmup:])) / steady if steady else 0
    behind = sum(compiled) + wait - sum(eager)
    return len(eager) + int(-(-behind // gain)) if gain > 0 else None


def wait_of(eager, compiled):
    """What compiling cost between warm-up and steady state: the wait, and what settling took
    beyond as many eager iterations."""
    e, c = eager["settling"], compiled["settling"]
    usual = c["iterations"] * e["seconds"] / e["iterations"]
    return compiled["wait"] + max(0.0, c["seconds"] - usual)


def summarise(name, eager, compiled, warmup):
    """The figures of one workload, from what its two processes measured."""
    e, c = eager["times"], compiled["times"]
    phases = {"warmup_phase": (e[:warmup], c[:warmup]), "steady": (e[warmup:], c[warmup:]),
              "total": (e, c)}
    wait = wait_of(eager, compiled)
    figures = {"workload": name, "iterations": len(e), "warmup": warmup, "wait": wait,
               "settling": compiled["settling"]}
    for phase, (a, b) in phases.items():
        n = max(1, len(a))
        figures[phase] = {
            "eager": sum(a), "compiled": sum(b), "eager_each": sum(a) / n,
            "compiled_each": sum(b) / n, "eager_least": min(a, default=0.0),
            "compiled_least": min(b, default=0.0),
            "speedup": sum(a) / sum(b) if sum(b) else 1.0,
        }
    figures["verdict"] = verdict(figures["total"]["speedup"])
    figures["break_even"] = find_break_even(e, c, warmup, wait)
    figures["break_even_projected"] = figures["break_even"] or project_break_even(
        e, c, warmup, wait)
    for key in ("compilation", "operations", "hotpath"):
        figures[key] = compiled[key]
    figures["launches"] = {"eager": eager["launches"], "compiled": compiled["launches"]}
    return figures


def verdict(speedup):
    """"compile", "eager" or "even"."""
    if speedup > 1 + EVEN:
        return "compile"
    return "eager" if speedup < 1 - EVEN else "even"


# ---- text ---------------------------------------------------------------------------------------


def time_text(seconds):
    for unit, size, digits in (("s", 1.0, 3), ("ms", 1e-3, 3)):
        if seconds >= size:
            return f"{seconds / size:.{digits}f}{unit}"
    return f"{seconds * 1e6:.1f}µs"


def row_text(label, eager, compiled, speedup):
    return f"{label:<41}{time_text(eager):>18}{time_text(compiled):>15}{speedup:>14.2f}x"


def verdict_text(which, speedup):
    if which == "compile":
        return f"✅ COMPILE WINS ({speedup:.2f}x faster overall)"
    if which == "eager":
        return f"❌ NO COMPILE WINS ({1 / speedup:.2f}x faster overall)"
    return f"➖ EVEN ({speedup:.2f}x overall)"


def steady_text(speedup):
    return f"{speedup:.2f}x faster" if speedup >= 1 else f"{1 / speedup:.2f}x slower"


def break_even_text(figures):
    at, projected = figures["break_even"], figures["break_even_projected"]
    if at:
        return f"iteration {at}"
    return f"about iteration {projected} (projected)" if projected else "never"


def print_figures(figures):
    """The block of one workload."""
    warm, steady, total = (figures[k] for k in ("warmup_phase", "steady", "total"))
    n, w = figures["iterations"], figures["warmup"]
    c, h, launches = (figures[k] for k in ("compilation", "hotpath", "launches"))
    print(f"WORKLOAD: {figures['workload']}")
    print(f"Iterations: {n} (warmup: {w})")
    print("=" * WIDTH[0])
    print(f"\n{'Results':<41}{'No Compile':>18}{'Compile':>15}{'Speedup':>15}")
    print("-" * WIDTH[1])
    for label, each, p in ((f"Warmup (first {w} iters):", "  Per iteration:", warm),
                           (f"Steady state (remaining {n - w} iters):", "  Per iteration:",
                            steady)):
        print(row_text(label, p["eager"], p["compiled"], p["speedup"]))
        print(row_text(each, p["eager_each"], p["compiled_each"], p["speedup"]))
    print("-" * WIDTH[1])
    print(row_text("TOTAL TIME:", total["eager"], total["compiled"], total["speedup"]))
    print(row_text("Average per iteration:", total["eager_each"], total["compiled_each"],
                   total["speedup"]))
    print(f"\nVERDICT: {verdict_text(figures['verdict'], total['speedup'])}")
    print(f"         Steady-state: {steady_text(steady['speedup'])}")
    print(f"Break-even point: {break_even_text(figures)}")
    print(f"Waiting for compilation: {time_text(figures['wait'])} (counted in the break-even)")
    if c:
        print(f"Compilation stats: cache size {c['cache_size']}, hits {c['cache_hits']}, "
              f"misses {c['cache_misses']}, hit rate {c['hit_rate']:.1%}, "
              f"compile {time_text(c['compile_seconds'])}")
    print(f"Hot paths: {h['hot_paths']}, runs replayed {h['matches']}, operations in them "
          f"{h['coverage']:.1%} · Launch reduction: {launches['eager']:.0f} → "
          f"{launches['compiled']:.0f} per iteration\n")


def best_for(figures):
    """How long a run has to be for compiling to be the better choice."""
    at = figures["break_even_projected"]
    if not at:
        return "no compile"
    return "compile, any run" if at <= figures["warmup"] else f"compile, runs of {at}+"


def print_summary(results):
    """One line a workload."""
    print("SUMMARY")
    print("=" * WIDTH[1])
    print(f"{'Workload':<24}{'Warm-up overhead':>18}{'Steady state':>15}{'Break-even':>13}"
          "   Best for")
    print("-" * WIDTH[1])
    for r in results:
        extra = r["warmup_phase"]["compiled"] - r["warmup_phase"]["eager"] + r["wait"]
        overhead = ("-" if extra < 0 else "+") + time_text(abs(extra))
        at = r["break_even_projected"]
        print(f"{r['workload']:<24}{overhead:>18}{r['steady']['speedup']:>14.2f}x"
              f"{at or 'never':>13}   {best_for(r)}")


def print_patterns(results):
    """Patterns as one table."""
    print("PATTERNS")
    print("=" * WIDTH[1])
    print(f"{'Pattern':<24}{'No Compile':>14}{'Compile':>14}{'Speedup':>12}"
          f"{'Launches':>20}")
    print("-" * WIDTH[1])
    for r in results:
        s, launches = r["steady"], r["launches"]
        reduced = f"{launches['eager']:.0f} → {launches['compiled']:.0f}"
        print(f"{r['workload']:<24}{time_text(s['eager_each']):>14}"
              f"{time_text(s['compiled_each']):>14}{s['speedup']:>11.2f}x{reduced:>20}")
    print()


# ---- entry points -------------------------------------------------------------------------------


def benchmark_workload(name, workload, iterations=ITERATIONS, warmup=WARMUP, quiet=False):
    """Run `workload` so often with and without compilation and print its block; returns the
    figures. A workload of your own has to stand in a file that can be imported."""
    if not 0 < warmup < iterations:
        raise ValueError(f"expected 0 < warm-up < iterations, got {warmup} of {iterations}")
    eager, compiled = (measure(workload, iterations, warmup, on) for on in (False, True))
    figures = summarise(name, eager, compiled, warmup)
    if not quiet:
        print_figures(figures)
    return figures


def benchmark_patterns(patterns=PATTERNS, iterations=ITERATIONS, warmup=WARMUP, quiet=False):
    """The same for several patterns, printed as one table."""
    results = [benchmark_workload(name, f, iterations, warmup, quiet=True)
               for name, f in patterns.items()]
    if not quiet:
        print_patterns(results)
    return results


def parse(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true",
                        help=f"{QUICK_ITERATIONS} iterations instead of {ITERATIONS}")
    parser.add_argument("--workload", metavar="NAME", help="only this one, or the one whose name "
                        "has this in it: " + ", ".join([*WORKLOADS, *PATTERNS]))
    parser.add_argument("--iters", type=int, metavar="N", help=f"iterations ({ITERATIONS})")
    parser.add_argument("--json", action="store_true", help="figures as JSON instead of text")
    args = parser.parse_args(argv)
    if args.iters is None:
        args.iters = QUICK_ITERATIONS if args.quick else ITERATIONS
    if args.iters <= WARMUP:
        parser.error(f"--iters is more than the {WARMUP} iterations of the warm-up")
    wanted = (args.workload or "").lower()
    args.workloads, args.patterns = ({n: f for n, f in which.items() if wanted in n.lower()}
                                     for which in (WORKLOADS, PATTERNS))
    if not args.workloads and not args.patterns:
        parser.error(f"no workload is called {args.workload!r}; there are "
                     + ", ".join([*WORKLOADS, *PATTERNS]))
    return args


def main(argv=None):
    args = parse(argv)
    results = [benchmark_workload(name, f, args.iters, WARMUP, quiet=args.json)
               for name, f in args.workloads.items()]
    results += benchmark_patterns(args.patterns, args.iters, WARMUP,
                                  quiet=args.json or not args.patterns)
    if args.json:
        json.dump(results, sys.stdout, indent=1)
        print()
    else:
        print_summary(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
